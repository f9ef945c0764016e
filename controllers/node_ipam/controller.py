"""What the allocator of pod address ranges watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Noted, Settings, Watched
from controllers.core.moment import Moment
from controllers.core.pod_ranges import read_ranges
from controllers.node_ipam.plan import Seen, plan
from controllers.node_ipam.ranges import Ranges
from machinery.model.k8s.core_v1 import Node
from machinery.model.requests import EventType
from machinery.model.resources import NODES
from machinery.model.store import Change

_BY_RANGE: Final = "range"  # index of nodes: those that wait for one
_NONE: Final = "none"


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller; without addresses for the cluster it has nothing to do. Nodes get one range of each family."""
    reader = Reader(caches, settings.cluster_cidr)
    return Controller(
        "cidrAllocator",
        (Watched(reader.nodes, reader.all_where_one_waits),),
        reader.look,
        plan,
        notes=(Noted(reader.nodes, reader.note),),
        writes=frozenset({"patch nodes"}),
    )


class Reader:
    """Reads the nodes that wait, and remembers the ranges of all."""

    def __init__(self, caches: Caches, cluster_cidr: str) -> None:
        self.nodes = caches.ask(
            NODES, fields=("spec.podCIDR", "spec.podCIDRs"), indexes={_BY_RANGE: _by_range}
        )
        self._ranges = [Ranges(each) for each in read_ranges(cluster_cidr)]

    def look(self, _key: Key, _moment: Moment) -> Seen | None:
        """Return the nodes that wait, and the ranges for them."""
        if not self._ranges:
            return None
        waiting = self.nodes.store.by_index(_BY_RANGE, _NONE)
        return Seen(waiting, [*zip(*(each.lowest(len(waiting)) for each in self._ranges), strict=False)])

    def note(self, change: Change[Node], _now_s: float) -> None:
        """Note the ranges of a node."""
        for each in self._ranges:
            if change.kind is EventType.DELETED:
                each.drop(change.object.metadata.name)
            else:
                each.put(change.object)

    def all_where_one_waits(self, change: Change[Node]) -> Iterable[Key]:
        """Return all nodes where one has no range, or leaves one that others wait for."""
        waits = not change.object.spec.podCIDR
        if change.kind is EventType.DELETED:
            waits = self.nodes.store.count(_BY_RANGE, _NONE) > 0
        return (EVERYTHING_AT_ONCE,) if waits else ()


def _by_range(node: Node) -> Iterable[str]:
    return () if node.spec.podCIDR else (_NONE,)
