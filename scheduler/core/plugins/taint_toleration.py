"""TaintToleration: taints keep pods away that do not tolerate them, or (PreferNoSchedule) cost points.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from machinery.model.k8s.core_v1 import Taint, Toleration
from machinery.model.taints import NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE, untolerated
from scheduler.core.rejection import Rejection

NAME: Final = "TaintToleration"
WEIGHT: Final = 3
REJECTION: Final = Rejection(NAME, ("node(s) had untolerated taint(s)",), resolvable=False)
_BARRING: Final = (NO_SCHEDULE, NO_EXECUTE)
_AVOIDED: Final = (PREFER_NO_SCHEDULE,)


def fits(taints: Iterable[Taint], tolerations: Collection[Toleration]) -> bool:
    """Tell whether the pod tolerates all taints that bar."""
    return not untolerated(taints, tolerations, _BARRING)


def count_avoided(taints: Iterable[Taint], tolerations: Collection[Toleration]) -> int:
    """Count the taints that the pod had rather avoid."""
    return len(untolerated(taints, tolerations, _AVOIDED))
