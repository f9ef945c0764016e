"""How many pods there may be: surge, unavailability, and growth in proportion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controllers.core.workloads import Deployment, ReplicaSet
from controllers.deployment import revisions

_DEFAULT = "25%"


def is_rolling(deployment: Deployment) -> bool:
    """Tell whether old and new pods run side by side while the template changes."""
    return deployment.spec.strategy.type != "Recreate"


def limits(deployment: Deployment) -> tuple[int, int]:
    """Give maxSurge and maxUnavailable in pods: surge rounds up, unavailable down, and one of them is above 0."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = deployment.spec.strategy.rollingUpdate
    surge = _resolve(rolling.maxSurge if rolling else None, deployment.spec.replicas, up=True)
    unavailable = _resolve(rolling.maxUnavailable if rolling else None, deployment.spec.replicas, up=False)
    return (0, 1) if surge == unavailable == 0 else (surge, unavailable)


def max_surge(deployment: Deployment) -> int:
    """Give how many pods there may be above spec.replicas."""
    return limits(deployment)[0]


def max_unavailable(deployment: Deployment) -> int:
    """Give how many of spec.replicas may be missing; never more than there are."""
    return min(limits(deployment)[1], deployment.spec.replicas) if deployment.spec.replicas else 0


def _resolve(value: int | str | None, total: int, *, up: bool) -> int:
    if value is None:
        value = _DEFAULT
    if isinstance(value, int):
        return max(0, value)
    scaled = int(value.rstrip("%")) * total
    return max(0, -(-scaled // 100) if up else scaled // 100)


def wanted(replica_sets: Iterable[ReplicaSet]) -> int:
    """Give the sum of spec.replicas."""
    return sum(rs.spec.replicas for rs in replica_sets)


def actual(replica_sets: Iterable[ReplicaSet]) -> int:
    """Give the sum of status.replicas."""
    return sum(rs.status.replicas for rs in replica_sets)


def available(replica_sets: Iterable[ReplicaSet]) -> int:
    """Give the sum of status.availableReplicas."""
    return sum(rs.status.availableReplicas or 0 for rs in replica_sets)


def staying(rs: ReplicaSet) -> int:
    """Give how many available pods a ReplicaSet keeps at its present size.

    Its status may still count pods that this size takes from it: it tells of the pods as they were before.
    """
    return min(rs.status.availableReplicas or 0, rs.spec.replicas)


def grow_new(deployment: Deployment, others: Iterable[ReplicaSet], current: int) -> int:
    """Give the size that the newest ReplicaSet, now of `current`, may have beside the others."""
    target = deployment.spec.replicas
    if not is_rolling(deployment):
        return target
    room = target + max_surge(deployment) - wanted(others) - current
    return current if room <= 0 else current + max(0, min(room, target - current))


def in_proportion(deployment: Deployment, active: Sequence[ReplicaSet]) -> dict[str, int]:
    """Give the sizes of several ReplicaSets in the middle of a rollout after spec.replicas has changed.

    Each grows or shrinks by its share of the difference; what rounding leaves over goes to the largest one, the
    newest of equal ones when growing, the oldest when shrinking. (`active` comes oldest first.)
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
    """
    replicas = deployment.spec.replicas
    allowed = replicas + max_surge(deployment) if replicas > 0 else 0
    to_add = allowed - wanted(active)
    ordered = sorted(reversed(active) if to_add > 0 else active, key=lambda rs: -rs.spec.replicas)
    result: dict[str, int] = {}
    added = 0
    for rs in ordered:
        share = _share(deployment, rs, allowed, to_add - added) if to_add else 0
        result[rs.metadata.name] = rs.spec.replicas + share
        added += share
    if ordered and to_add:
        largest = ordered[0].metadata.name
        result[largest] = max(0, result[largest] + to_add - added)
    return result


def _share(deployment: Deployment, rs: ReplicaSet, allowed: int, left: int) -> int:
    if rs.spec.replicas == 0 or left == 0:
        return 0
    fraction = _fraction(deployment, rs, allowed)
    return min(fraction, left) if left > 0 else max(fraction, left)


def _fraction(deployment: Deployment, rs: ReplicaSet, allowed: int) -> int:
    if deployment.spec.replicas == 0:
        return -rs.spec.replicas
    before = revisions.number(rs, revisions.MAXIMUM) or deployment.status.replicas
    if not before:
        return 0
    doubled = 2 * rs.spec.replicas * allowed + before  # round half up, in whole numbers
    return doubled // (2 * before) - rs.spec.replicas
