"""The next step of a rollout: how large each ReplicaSet should be now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controllers.core.workloads import Deployment, ReplicaSet
from controllers.deployment import revisions
from controllers.deployment.sizes import (
    grow_new,
    in_proportion,
    is_rolling,
    max_unavailable,
    staying,
    wanted,
)
from controllers.deployment.template import age_key, find_new, find_old
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminal


@dataclass(frozen=True, slots=True)
class View:
    """A deployment and the ReplicaSets that it owns."""

    deployment: Deployment
    new: ReplicaSet | None  # with the template of now
    old: list[ReplicaSet]  # all others, oldest first

    @property
    def all(self) -> list[ReplicaSet]:
        """Every ReplicaSet, the new one last."""
        return [*self.old, self.new] if self.new else self.old

    @property
    def active(self) -> list[ReplicaSet]:
        """Those that should have pods, oldest first."""
        return sorted((rs for rs in self.all if rs.spec.replicas > 0), key=age_key)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: sizes of ReplicaSets by name (those not named keep theirs), or a new ReplicaSet."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    create_with: int | None = None  # replicas of the ReplicaSet to be made; None: none is to be made


STAY = Step()


def see(deployment: Deployment, owned: list[ReplicaSet]) -> View:
    """Sort what a deployment owns."""
    new = find_new(deployment, owned)
    return View(deployment, new, find_old(owned, new))


def is_being_scaled(view: View) -> bool:
    """Tell whether spec.replicas has changed since an active ReplicaSet was last scaled."""
    known = (revisions.number(rs, revisions.DESIRED) for rs in view.active)
    return any(desired is not None and desired != view.deployment.spec.replicas for desired in known)


def scale(view: View) -> Step:
    """Bring a deployment that is paused, or whose size has changed, to its size without rolling it on."""
    target = view.deployment.spec.replicas
    active = view.active
    if len(active) <= 1:
        only = active[0] if active else view.new or max(view.old, key=age_key, default=None)
        return _resize({only.metadata.name: target}, [only]) if only else STAY
    if _is_saturated(view):
        return Step({rs.metadata.name: 0 for rs in view.old if rs.spec.replicas > 0})
    if is_rolling(view.deployment):
        return _resize(in_proportion(view.deployment, active), active)
    return STAY


def roll(view: View) -> Step:
    """Take one step of a rolling update: first grow the new ReplicaSet, then shrink the old ones."""
    deployment, new = view.deployment, view.new
    if new is None:
        return Step(create_with=grow_new(deployment, view.old, 0))
    target = deployment.spec.replicas
    size = target if new.spec.replicas > target else grow_new(deployment, view.old, new.spec.replicas)
    if size != new.spec.replicas:
        return Step({new.metadata.name: size})
    return Step(_shrink_old(view, new))


def recreate(view: View, old_pods: Iterable[Pod]) -> Step:
    """Take one step of a recreation: old ReplicaSets to 0, wait for their pods to end, then the new one."""
    active_old = [rs for rs in view.old if rs.spec.replicas > 0]
    if active_old:
        return Step({rs.metadata.name: 0 for rs in active_old})
    if any(rs.status.replicas > 0 for rs in view.old) or any(not is_terminal(pod) for pod in old_pods):
        return STAY
    target = view.deployment.spec.replicas
    if view.new is None:
        return Step(create_with=target)
    return _resize({view.new.metadata.name: target}, [view.new])


def _resize(sizes: Mapping[str, int], replica_sets: Iterable[ReplicaSet]) -> Step:
    now = {rs.metadata.name: rs.spec.replicas for rs in replica_sets}
    return Step({name: size for name, size in sizes.items() if size != now[name]})


def _is_saturated(view: View) -> bool:
    new, target = view.new, view.deployment.spec.replicas
    return (
        new is not None
        and new.spec.replicas == target
        and revisions.number(new, revisions.DESIRED) == target
        and (new.status.availableReplicas or 0) == target
    )


def _shrink_old(view: View, new: ReplicaSet) -> dict[str, int]:
    """Shrink old ReplicaSets as far as availability allows: first by the pods that are not available anyway."""
    deployment = view.deployment
    if not wanted(view.old):
        return {}
    floor = deployment.spec.replicas - max_unavailable(deployment)
    new_missing = new.spec.replicas - staying(new)
    spare = wanted(view.all) - floor - new_missing
    if spare <= 0:
        return {}
    sizes = _without_unhealthy(view.old, spare)
    left = sum(map(staying, view.all)) - floor
    for rs in view.old:
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
