"""How many pods a ReplicaSet may have: growth within the surge, and shares of a size that has changed."""

from __future__ import annotations

from controllers.core.workloads import ReplicaSet
from controllers.deployment.annotations import MAXIMUM, number
from controllers.deployment.rollout import Rollout, wanted


def grow_new(rollout: Rollout, current: int) -> int:
    """Return the size that the newest ReplicaSet, now of `current`, may have beside the others."""
    target = rollout.replicas
    if not rollout.is_rolling:
        return target
    room = target + rollout.max_surge - wanted(rollout.old) - current
    return current if room <= 0 else current + max(0, min(room, target - current))


def in_proportion(rollout: Rollout) -> dict[str, int]:
    """Return the sizes of the active ReplicaSets in the middle of a rollout after spec.replicas has changed.

    Each grows or shrinks by its share of the difference; what rounding leaves over goes to the largest one, the
    newest of equal ones when growing, the oldest when shrinking.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
    """
    active = rollout.active
    allowed = rollout.replicas + rollout.max_surge if rollout.replicas > 0 else 0
    to_add = allowed - wanted(active)
    ordered = sorted(reversed(active) if to_add > 0 else active, key=lambda rs: -rs.spec.replicas)
    result: dict[str, int] = {}
    added = 0
    for rs in ordered:
        share = _share(rollout, rs, allowed, to_add - added) if to_add else 0
        result[rs.metadata.name] = rs.spec.replicas + share
        added += share
    if ordered and to_add:
        largest = ordered[0].metadata.name
        result[largest] = max(0, result[largest] + to_add - added)
    return result


def _share(rollout: Rollout, rs: ReplicaSet, allowed: int, left: int) -> int:
    if rs.spec.replicas == 0 or left == 0:
        return 0
    fraction = _fraction(rollout, rs, allowed)
    return min(fraction, left) if left > 0 else max(fraction, left)


def _fraction(rollout: Rollout, rs: ReplicaSet, allowed: int) -> int:
    if rollout.replicas == 0:
        return -rs.spec.replicas
    before = number(rs, MAXIMUM) or rollout.deployment.status.replicas
    if not before:
        return 0
    doubled = 2 * rs.spec.replicas * allowed + before  # round half up, in whole numbers
    return doubled // (2 * before) - rs.spec.replicas
