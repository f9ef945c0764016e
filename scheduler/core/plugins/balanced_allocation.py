"""NodeResourcesBalancedAllocation: a node whose cpu and memory (or other resources) are used alike is the better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import sqrt
from typing import Final

from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY
from scheduler.core.framework import Part, Plugin, Score, part
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeResourcesBalancedAllocation"


def balance_of(resources: Sequence[str], needs: Needs, node: NodeInfo) -> int:
    """Return 0 to 100: 1 minus the standard deviation of the used shares of some resources, of those that the node has.

    An extended one counts where the pod requests it.
    """
    shares = [min(1.0, used / whole) for used, whole in _used(resources, needs, node) if whole]
    if not shares:
        return 100
    mean = sum(shares) / len(shares)
    return int((1 - sqrt(sum((each - mean) ** 2 for each in shares) / len(shares))) * 100)


def _used(resources: Sequence[str], needs: Needs, node: NodeInfo) -> Iterator[tuple[int, int]]:
    """Yield what is requested with the pod, and what there is, of each resource."""
    extended = dict(needs.extended)
    for name in resources:
        if name == CPU:
            yield node.cpu + needs.cpu, node.allocatable_cpu
        elif name == MEMORY:
            yield node.memory + needs.memory, node.allocatable_memory
        elif name == EPHEMERAL_STORAGE:
            yield node.ephemeral + needs.ephemeral, node.allocatable_ephemeral
        elif name in extended:
            yield node.extended.get(name, 0) + extended[name], node.allocatable_extended.get(name, 0)


def balance(needs: Needs, node: NodeInfo) -> int:
    """Return 50 to 100: 1 minus the deviation of the two used shares; 0 for a pod that requests nothing."""
    if needs.is_best_effort:
        return 0
    if not node.allocatable_cpu or not node.allocatable_memory:
        return 100
    cpu = min(1.0, (node.cpu + needs.cpu) / node.allocatable_cpu)
    memory = min(1.0, (node.memory + needs.memory) / node.allocatable_memory)
    return int((1 - abs(cpu - memory) / 2) * 100)


class NodeResourcesBalancedAllocation(Plugin):
    """Prefers nodes that the pod leaves in balance, in cpu and memory where nothing else is said."""

    name = NAME

    def __init__(self, resources: tuple[str, ...] = ()) -> None:
        self._resources = resources

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return what the pod requests, if it does."""
        del snapshot
        if not self._resources:
            return None if pod.needs.is_best_effort else part(pod.needs, "cpu", "memory")
        own = {CPU: pod.needs.cpu, MEMORY: pod.needs.memory, EPHEMERAL_STORAGE: pod.needs.ephemeral}
        asked = own | dict(pod.needs.extended)
        if not any(asked.get(name) for name in self._resources):
            return None
        return part(pod.needs, "cpu", "memory", "ephemeral", "extended")

    def score(self, need: Part, snapshot: Snapshot) -> Score:
        """Return the score."""
        del snapshot
        if not self._resources:
            return Score(partial(balance, need.needs))
        return Score(partial(balance_of, self._resources, need.needs))
