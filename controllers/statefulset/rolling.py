"""Which pods an update replaces next: from the highest ordinal down to the partition.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies
"""

from __future__ import annotations

from controllers.core.workloads import StatefulSet
from controllers.statefulset.identity import ordinals, revision_of
from controllers.statefulset.members import Members, Place
from controllers.statefulset.turns import ROLLING
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminating


def to_replace(members: Members) -> list[Pod]:
    """Return the pods that are deleted now, to come back with the template of now.

    All places are filled, and in order all of them are available, when it is asked.
    """
    if members.owner.spec.updateStrategy.type != ROLLING:
        return []
    most = max_unavailable(members.owner)
    return _one_by_one(members) if most == 1 else _so_many(members, most)


def max_unavailable(owner: StatefulSet) -> int:
    """Return how many pods may be unavailable during an update; percentages round down, to 1 at least.

    The field is beta in v1.36, and off by default there. Where it is not said, it is 1.
    """
    rolling = owner.spec.updateStrategy.rollingUpdate
    value = rolling.maxUnavailable if rolling else None
    if isinstance(value, str):
        value = int(value.removesuffix("%")) * owner.spec.replicas // 100
    return max(1, 1 if value is None else value)


def _one_by_one(members: Members) -> list[Pod]:
    """Return the highest pod of another template, unless one above it is unavailable."""
    for place in _above_partition(members):
        if _is_old(members, place):
            return [place.pod] if place.pod else []
        if members.is_unavailable(place.pod):
            return []
    return []


def _so_many(members: Members, most: int) -> list[Pod]:
    """Return the highest pods of another template, as many as may be unavailable beside those that are.

    What is unavailable and is to be replaced anyhow takes nothing from that number.
    """
    old = [place for place in _above_partition(members) if _is_old(members, place)]
    broken = [place for place in old if members.is_unavailable(place.pod)]
    unavailable = sum(members.is_unavailable(place.pod) for place in members.places) - len(broken)
    left = max(0, most - unavailable)
    healthy = [place for place in old if place not in broken][:left]
    return [place.pod for place in (*broken, *healthy) if place.pod]


def _above_partition(members: Members) -> list[Place]:
    rolling = members.owner.spec.updateStrategy.rollingUpdate
    lowest = ordinals(members.owner).start + ((rolling.partition or 0) if rolling else 0)
    return [place for place in reversed(members.places) if place.ordinal >= lowest]


def _is_old(members: Members, place: Place) -> bool:
    """Whether a pod is there, stays, and is of another template than that of now."""
    pod = place.pod
    return pod is not None and not is_terminating(pod) and revision_of(pod) != members.update.metadata.name
