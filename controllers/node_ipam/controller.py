"""What the allocator of pod address ranges watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Settings, Watched
from controllers.core.moment import Moment
from controllers.node_ipam.plan import Seen, plan
from machinery.model.k8s.core_v1 import Node
from machinery.model.requests import EventType
from machinery.model.resources import NODES
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    nodes = caches.ask(NODES, fields=("spec.podCIDR", "spec.podCIDRs"))

    def look(_key: Key, _moment: Moment) -> Seen | None:
        return Seen(tuple(nodes.store), settings.cluster_cidr) if settings.cluster_cidr else None

    def all_where_one_waits(change: Change[Node]) -> Iterable[Key]:
        """Return all nodes where one has no range, or leaves one that others wait for."""
        waits = not change.object.spec.podCIDR
        if change.kind is EventType.DELETED:
            waits = any(not node.spec.podCIDR for node in nodes.store)
        return (EVERYTHING_AT_ONCE,) if waits else ()

    return Controller("cidrAllocator", (Watched(nodes, all_where_one_waits),), look, plan)
