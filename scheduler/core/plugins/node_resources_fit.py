"""NodeResourcesFit: what the pod requests has to be free; the more is left, the better (least allocated).

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-requests-are-scheduled
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY, is_short
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Score, part
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.requested import Strategy, rate
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeResourcesFit"
TOO_MANY_PODS: Final = "Too many pods"
REQUESTED: Final = ("cpu", "memory", "ephemeral", "extended", "nonzero_cpu", "nonzero_memory")


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether all that is requested is free, and a place among the node's pods."""
    return (
        node.pod_count < node.allocatable_pods
        and (not needs.cpu or needs.cpu <= node.allocatable_cpu - node.cpu)
        and (not needs.memory or needs.memory <= node.allocatable_memory - node.memory)
        and (not needs.ephemeral or needs.ephemeral <= node.allocatable_ephemeral - node.ephemeral)
        and (not needs.extended or _has_extended(needs, node))
    )


def _has_extended(needs: Needs, node: NodeInfo) -> bool:
    return all(
        amount <= node.allocatable_extended.get(name, 0) - node.extended.get(name, 0)
        for name, amount in needs.extended
    )


def explain(needs: Needs, node: NodeInfo) -> Rejection:
    """Name everything that is short; what the whole node has not got cannot be freed either."""
    lacking = [TOO_MANY_PODS] if node.pod_count >= node.allocatable_pods else []
    resolvable = True
    for name, amount, whole, used in _amounts(needs, node):
        if is_short(amount, used, whole):
            lacking.append(f"Insufficient {name}")
            resolvable = resolvable and not is_short(amount, 0, whole)
    return _rejection(tuple(lacking), resolvable=resolvable)


def least_allocated(needs: Needs, node: NodeInfo) -> int:
    """Return 0 to 100: the mean free share of cpu and memory once the pod is there."""
    total = kinds = 0
    if whole := node.allocatable_cpu:
        kinds = 1
        if (left := whole - node.nonzero_cpu - needs.nonzero_cpu) > 0:
            total = left * 100 // whole
    if whole := node.allocatable_memory:
        kinds += 1
        if (left := whole - node.nonzero_memory - needs.nonzero_memory) > 0:
            total += left * 100 // whole
    return total // kinds if kinds else 0


def _amounts(needs: Needs, node: NodeInfo) -> list[tuple[str, int, int, int]]:
    native = [
        (CPU, needs.cpu, node.allocatable_cpu, node.cpu),
        (MEMORY, needs.memory, node.allocatable_memory, node.memory),
        (EPHEMERAL_STORAGE, needs.ephemeral, node.allocatable_ephemeral, node.ephemeral),
    ]
    extended = [
        (name, amount, node.allocatable_extended.get(name, 0), node.extended.get(name, 0))
        for name, amount in needs.extended
    ]
    return [*native, *extended]


@lru_cache(maxsize=256)
def _rejection(reasons: tuple[str, ...], *, resolvable: bool) -> Rejection:
    return Rejection(NAME, reasons, resolvable)


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return what is short on a node, None where nothing is."""
    return None if fits(needs, node) else explain(needs, node)


class NodeResourcesFit(Plugin):
    """Filters nodes that have too little left, and scores them by what is requested of them.

    Extended resources that are ignored, by name or by the group before the slash, are not looked for.
    """

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.POD_GONE})

    def __init__(
        self,
        strategy: Strategy | None = None,
        ignored: frozenset[str] = frozenset(),
        ignored_groups: frozenset[str] = frozenset(),
    ) -> None:
        self._strategy = strategy
        self._ignored = ignored
        self._ignored_groups = ignored_groups

    def ignoring(self, resources: frozenset[str]) -> NodeResourcesFit:
        """Return one that does not look for some more extended resources: somebody else does."""
        return NodeResourcesFit(self._strategy, self._ignored | resources, self._ignored_groups)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part:
        """Return what the pod requests."""
        del snapshot
        return part(pod.needs, *REQUESTED)

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, self._looked_for(need.needs)))

    def score(self, need: Part, snapshot: Snapshot) -> Score:
        """Return the score."""
        del snapshot
        if self._strategy is None:
            return Score(partial(least_allocated, need.needs))
        return Score(partial(rate, self._strategy, need.needs))

    def _looked_for(self, needs: Needs) -> Needs:
        extended = tuple(
            (name, amount)
            for name, amount in needs.extended
            if name not in self._ignored and name.partition("/")[0] not in self._ignored_groups
        )
        return needs if extended == needs.extended else replace(needs, extended=extended)
