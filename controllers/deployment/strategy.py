"""The next step of a rollout: how large each ReplicaSet should be now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controllers.core.workloads import ReplicaSet
from controllers.deployment.annotations import DESIRED, number
from controllers.deployment.rollout import Rollout, staying
from controllers.deployment.sizes import grow_new, in_proportion
from controllers.deployment.template import age_key
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.pods import is_terminal


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: sizes of ReplicaSets by name (those not named keep theirs), or a new ReplicaSet."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    create_with: int | None = None  # replicas of the ReplicaSet to be made; None: none is to be made


STAY = Step()


def next_step(rollout: Rollout, pods: Iterable[Pod]) -> Step:
    """Return the next step of a rollout that is neither paused nor being scaled."""
    return roll(rollout) if rollout.is_rolling else recreate(rollout, pods)


def is_being_scaled(rollout: Rollout) -> bool:
    """Whether spec.replicas has changed since an active ReplicaSet was last scaled."""
    known = (number(rs, DESIRED) for rs in rollout.active)
    return any(desired is not None and desired != rollout.replicas for desired in known)


def scale(rollout: Rollout) -> Step:
    """Bring a deployment that is paused, or whose size has changed, to its size without rolling it on."""
    active = rollout.active
    if len(active) <= 1:
        only = active[0] if active else rollout.new or max(rollout.old, key=age_key, default=None)
        return _resize({only.metadata.name: rollout.replicas}, [only]) if only else STAY
    if _is_saturated(rollout):
        return Step({rs.metadata.name: 0 for rs in rollout.old if rs.spec.replicas > 0})
    if rollout.is_rolling:
        return _resize(in_proportion(rollout), active)
    return STAY


def roll(rollout: Rollout) -> Step:
    """Return one step of a rolling update: first grow the new ReplicaSet, then shrink the old ones."""
    new, target = rollout.new, rollout.replicas
    if new is None:
        return Step(create_with=grow_new(rollout, 0))
    size = target if new.spec.replicas > target else grow_new(rollout, new.spec.replicas)
    if size != new.spec.replicas:
        return Step({new.metadata.name: size})
    return Step(_shrink_old(rollout, new))


def recreate(rollout: Rollout, pods: Iterable[Pod]) -> Step:
    """Return one step of a recreation: old ReplicaSets to 0, wait for their pods to end, then the new one."""
    active_old = [rs for rs in rollout.old if rs.spec.replicas > 0]
    if active_old:
        return Step({rs.metadata.name: 0 for rs in active_old})
    if any(rs.status.replicas > 0 for rs in rollout.old) or _has_old_pods(rollout, pods):
        return STAY
    if rollout.new is None:
        return Step(create_with=rollout.replicas)
    return _resize({rollout.new.metadata.name: rollout.replicas}, [rollout.new])


def _has_old_pods(rollout: Rollout, pods: Iterable[Pod]) -> bool:
    old = {rs.metadata.uid for rs in rollout.old}
    owners = (controller_of(pod.metadata) for pod in pods if not is_terminal(pod))
    return any(owner is not None and owner.uid in old for owner in owners)


def _resize(sizes: Mapping[str, int], replica_sets: Iterable[ReplicaSet]) -> Step:
    now = {rs.metadata.name: rs.spec.replicas for rs in replica_sets}
    return Step({name: size for name, size in sizes.items() if size != now[name]})


def _is_saturated(rollout: Rollout) -> bool:
    new, target = rollout.new, rollout.replicas
    return (
        new is not None
        and new.spec.replicas == target
        and number(new, DESIRED) == target
        and (new.status.availableReplicas or 0) == target
    )


def _shrink_old(rollout: Rollout, new: ReplicaSet) -> dict[str, int]:
    """Shrink old ReplicaSets as far as availability allows: first by the pods that are not available anyway."""
    if not any(rs.spec.replicas for rs in rollout.old):
        return {}
    new_missing = new.spec.replicas - staying(new)
    spare = rollout.totals.wanted - rollout.fewest_available - new_missing
    if spare <= 0:
        return {}
    sizes = _without_unhealthy(rollout.old, spare)
    left = sum(map(staying, rollout.every)) - rollout.fewest_available
    for rs in rollout.old:
        size = sizes.get(rs.metadata.name, rs.spec.replicas)
        if size and left > 0:
            down = min(size, left)
            sizes[rs.metadata.name] = size - down
            left -= down
    return sizes


def _without_unhealthy(old: Iterable[ReplicaSet], most: int) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for rs in old:
        down = min(most, rs.spec.replicas - staying(rs))
        if down > 0:
            sizes[rs.metadata.name] = rs.spec.replicas - down
            most -= down
    return sizes
