"""What the TTL controller watches and remembers, and what it plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, Facts, Patch, Plan
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.ttl.sizes import Size
from machinery.model.k8s.core_v1 import Node
from machinery.model.requests import EventType
from machinery.model.resources import NODES
from machinery.model.store import Change

TTL: Final = "node.alpha.kubernetes.io/ttl"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    node: Node
    ttl_s: int  # that it is to say


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    nodes = caches.ask(NODES, fields=(f"metadata.annotations[{TTL}]",))
    size = Size()

    def look(key: Key, _moment: Moment) -> Seen | None:
        node = nodes.store.get(*key)
        return None if node is None or says(node, size.ttl_s) else Seen(node, size.ttl_s)

    def note(change: Change[Node], _now_s: float) -> None:
        if change.kind is EventType.ADDED:
            size.one_more()
        elif change.kind is EventType.DELETED:
            size.one_less()

    def where_it_differs(change: Change[Node]) -> Iterable[Key]:
        """Return a node that does not say it: when the size has changed, each comes with its next report."""
        return () if change.new is None or says(change.new, size.ttl_s) else itself(change)

    return Controller(
        "ttl-controller",
        (Watched(nodes, where_it_differs),),
        look,
        plan,
        notes=(Noted(nodes, note),),
        writes=frozenset({"patch nodes"}),
    )


def says(node: Node, ttl_s: int) -> bool:
    """Whether it is what a node says."""
    return node.metadata.annotations.get(TTL) == str(ttl_s)


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Write it on a node: whatever else becomes of the node meanwhile."""
    meta = seen.node.metadata
    patch = {"metadata": {"uid": meta.uid, "annotations": {TTL: str(seen.ttl_s)}}}
    return Plan((Patch(NODES, "", meta.name, patch, absent_is_fine=True),))
