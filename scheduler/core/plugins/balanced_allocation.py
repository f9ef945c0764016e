"""NodeResourcesBalancedAllocation: a node whose cpu and memory are used alike is the better one."""

from __future__ import annotations

from functools import partial
from typing import Final

from scheduler.core.framework import Part, Plugin, Score, part
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeResourcesBalancedAllocation"


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
    """Prefers nodes that the pod leaves in balance."""

    name = NAME

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return what the pod requests, if it does."""
        del snapshot
        return None if pod.needs.is_best_effort else part(pod.needs, "cpu", "memory")

    def score(self, need: Part, snapshot: Snapshot) -> Score:
        """Return the score."""
        del snapshot
        return Score(partial(balance, need.needs))
