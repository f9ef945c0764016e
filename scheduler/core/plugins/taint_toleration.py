"""TaintToleration: taints keep pods away that do not tolerate them, or (PreferNoSchedule) cost points.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from functools import partial
from typing import Final

from machinery.model import placement
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Score, Sees, part
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import less_is_better
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "TaintToleration"
REJECTION: Final = Rejection(NAME, ("node(s) had untolerated taint(s)",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the pod tolerates all taints that bar."""
    return placement.tolerates_taints(node.taints, needs.tolerations)


def count_avoided(needs: Needs, node: NodeInfo) -> int:
    """Return how many taints there are that the pod had rather avoid."""
    return placement.count_avoided(node.taints, needs.tolerations)


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class TaintToleration(Plugin):
    """Filters nodes that are barred, and avoids others."""

    name = NAME
    weight = 3
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS})

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return what the pod tolerates."""
        del snapshot
        return part(pod.needs, "tolerations")

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, need.needs), Sees.NODE)

    def score(self, need: Part, snapshot: Snapshot) -> Score:
        """Return the score."""
        del snapshot
        return Score(partial(count_avoided, need.needs), Sees.NODE, less_is_better)
