"""NodeName: a pod that names a node runs there or nowhere."""

from __future__ import annotations

from functools import partial
from typing import Final

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Sees
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeName"
REJECTION: Final = Rejection(NAME, ("node(s) didn't match the requested node name",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node is the one that the pod names, if it names one."""
    return needs.node_name in {"", node.name}


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class NodeName(Plugin):
    """Filters all nodes except for one."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED})

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return the name of the node."""
        del snapshot
        return Part(pod.needs.node_name.encode(), pod.needs) if pod.needs.node_name else None

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, need.needs), Sees.NODE)
