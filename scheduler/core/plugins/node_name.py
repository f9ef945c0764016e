"""NodeName: a pod that names a node runs there or nowhere."""

from __future__ import annotations

from typing import Final

from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.rejection import Rejection

NAME: Final = "NodeName"
REJECTION: Final = Rejection(NAME, ("node(s) didn't match the requested node name",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node is the one that the pod names, if it names one."""
    return needs.node_name in {"", node.name}
