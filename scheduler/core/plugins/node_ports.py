"""NodePorts: a host port has one user per protocol and address; 0.0.0.0 is every address."""

from __future__ import annotations

from functools import partial
from typing import Final

from machinery.model.placement import is_address_taken
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Sees, part
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodePorts"
REJECTION: Final = Rejection(
    NAME, ("node(s) didn't have free ports for the requested pod ports",), resolvable=True
)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether nobody on the node uses the host ports that the pod wants."""
    return not any(
        is_address_taken(port.ip, node.ports.get((port.protocol, port.port), ())) for port in needs.ports
    )


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class NodePorts(Plugin):
    """Filters nodes on which a host port is taken."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE})

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return the ports."""
        del snapshot
        return part(pod.needs, "ports") if pod.needs.ports else None

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, need.needs), Sees.PODS)
