"""NodeUnschedulable: a cordoned node takes only pods that tolerate it.

https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration
"""

from __future__ import annotations

from typing import Final

from machinery.model.placement import tolerates_cordon
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.rejection import Rejection

NAME: Final = "NodeUnschedulable"
REJECTION: Final = Rejection(NAME, ("node(s) were unschedulable",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node is open to the pod."""
    return not node.unschedulable or tolerates_cordon(needs.tolerations)
