"""NodeUnschedulable: a cordoned node takes only pods that tolerate it.

https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration
"""

from __future__ import annotations

from functools import partial
from typing import Final

from machinery.model.placement import tolerates_cordon
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Sees
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeUnschedulable"
REJECTION: Final = Rejection(NAME, ("node(s) were unschedulable",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node is open to the pod."""
    return not node.unschedulable or tolerates_cordon(needs.tolerations)


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class NodeUnschedulable(Plugin):
    """Filters cordoned nodes."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_TAINTS})

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return what the pod tolerates, nothing where that is a cordon."""
        del snapshot
        needs = pod.needs
        return None if tolerates_cordon(needs.tolerations) else Part(b"", needs)

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, need.needs), Sees.NODE)
