"""Plan the pod address ranges of all nodes.

One plan for all nodes at once: two nodes never get the same range, since the plan waits until it sees what the
plan before it has written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Facts,
    Patch,
    Plan,
    Write,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.core.pod_ranges import Network
from machinery.model.k8s.core_v1 import Node
from machinery.model.resources import NODES


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    waiting: Sequence[Node]  # that have no range
    free: Sequence[
        Sequence[Network]
    ]  # the lowest free ranges, one of each family for each of them while there are so many


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for the nodes without a range: the oldest first, each the lowest range that nobody overlaps."""
    waiting = [node for node in seen.waiting if not node.metadata.deletionTimestamp]
    if not waiting:
        return NOTHING_TO_DO
    waiting.sort(key=lambda node: (node.metadata.creationTimestamp or "", node.metadata.name))
    writes: list[Write] = [
        _assign(node, networks) for node, networks in zip(waiting, seen.free, strict=False)
    ]
    actions: list[Action] = [_nothing_left(node) for node in waiting[len(seen.free) :]]
    return Plan((*((AllAtOnce(tuple(writes)),) if writes else ()), *actions))


def _assign(node: Node, networks: Sequence[Network]) -> Patch:
    ranges = [*map(str, networks)]
    return patch_at_revision(NODES, node, {"spec": {"podCIDR": ranges[0], "podCIDRs": ranges}})


def _nothing_left(node: Node) -> Action:
    message = f"Node {node.metadata.name} status is now: CIDRNotAvailable"
    return event(node, "Normal", "CIDRNotAvailable", message)
