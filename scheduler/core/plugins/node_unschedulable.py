"""NodeUnschedulable: a cordoned node takes only pods that tolerate it.

https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from machinery.model.k8s.core_v1 import Taint, Toleration
from machinery.model.taints import NO_SCHEDULE, UNSCHEDULABLE, tolerates
from scheduler.core.rejection import Rejection

NAME: Final = "NodeUnschedulable"
REJECTION: Final = Rejection(NAME, ("node(s) were unschedulable",), resolvable=False)
_CORDON: Final = Taint(key=UNSCHEDULABLE, effect=NO_SCHEDULE)


def fits(tolerations: Iterable[Toleration], *, unschedulable: bool) -> bool:
    """Tell whether the node is open to the pod."""
    return not unschedulable or tolerates(tolerations, _CORDON)
