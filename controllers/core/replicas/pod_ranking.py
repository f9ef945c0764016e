"""Which pods go first when there are too many: those whose loss costs least.

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cmp_to_key
from math import log2
from typing import Final

from controllers.core.moment import Moment
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_active, is_ready, is_sidecar

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1}  # any other: 2


def rank_for_deletion(pods: Iterable[Pod], related: Iterable[Pod], moment: Moment) -> list[Pod]:
    """Order pods, the first to be deleted first.

    In this order of weight: not assigned to a node; Pending, then Unknown; not ready; a lower deletion cost; more
    `related` pods on its node; ready for a shorter time (in powers of two); more restarts, those of sidecars after
    those of the others; younger (likewise).
    """
    beside = Counter(pod.spec.nodeName for pod in related if is_active(pod) and pod.spec.nodeName)

    def compare(one: Pod, other: Pod) -> int:
        left, right = _cheap(one, beside), _cheap(other, beside)
        if left != right:
            return -1 if left < right else 1
        return _compare_ages(one, other, moment)

    return sorted(pods, key=cmp_to_key(compare))


def _cheap(pod: Pod, beside: Counter[str]) -> tuple[bool, int, bool, int, int]:
    assigned = bool(pod.spec.nodeName)
    phase = _PHASES.get(pod.status.phase, 2)
    return assigned, phase, is_ready(pod), deletion_cost(pod), -beside[pod.spec.nodeName]


def deletion_cost(pod: Pod) -> int:
    """Read the pod's deletion cost, 0 where it has none that can be read."""
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _compare_ages(one: Pod, other: Pod, moment: Moment) -> int:
    if is_ready(one):  # then both are: readiness was compared before
        times = _ready_since(one), _ready_since(other)
        if times[0] != times[1]:
            return _compare_times(one, other, times, moment)
    restarts = _restarts(one), _restarts(other)
    if restarts[0] != restarts[1]:
        return -1 if restarts[0] > restarts[1] else 1
    created = one.metadata.creationTimestamp, other.metadata.creationTimestamp
    if created[0] != created[1]:
        return _compare_times(one, other, created, moment)
    return _by_uid(one, other)


def _compare_times(one: Pod, other: Pod, times: tuple[str | None, str | None], moment: Moment) -> int:
    """Put the younger first; ages of the same power of two are equal, so that the oldest are not always spared."""
    if times[0] is None or times[1] is None:
        return -1 if times[0] is None else 1
    return _bucket(times[0], moment) - _bucket(times[1], moment) or _by_uid(one, other)


def _bucket(timestamp: str, moment: Moment) -> int:
    age_ns = moment.since(timestamp) * 1e9
    return int(log2(age_ns)) if age_ns >= 1 else -1


def _by_uid(one: Pod, other: Pod) -> int:
    return (one.metadata.uid > other.metadata.uid) - (one.metadata.uid < other.metadata.uid)


def _ready_since(pod: Pod) -> str | None:
    ready = find(pod.status.conditions, "Ready")
    return ready.lastTransitionTime if ready else None


def _restarts(pod: Pod) -> tuple[int, int]:
    """Return the most restarts of a main container, and of a sidecar."""
    sidecars = {container.name for container in pod.spec.initContainers if is_sidecar(container)}
    beside = (each.restartCount for each in pod.status.initContainerStatuses if each.name in sidecars)
    return max((each.restartCount for each in pod.status.containerStatuses), default=0), max(
        beside, default=0
    )
