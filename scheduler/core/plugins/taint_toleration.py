"""TaintToleration: taints keep pods away that do not tolerate them, or (PreferNoSchedule) cost points.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from typing import Final

from machinery.model import placement
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.rejection import Rejection

NAME: Final = "TaintToleration"
WEIGHT: Final = 3
REJECTION: Final = Rejection(NAME, ("node(s) had untolerated taint(s)",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the pod tolerates all taints that bar."""
    return placement.tolerates_taints(node.taints, needs.tolerations)


def count_avoided(needs: Needs, node: NodeInfo) -> int:
    """Return how many taints there are that the pod had rather avoid."""
    return placement.count_avoided(node.taints, needs.tolerations)
