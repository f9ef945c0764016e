"""Which dead containers and sandboxes are of no use any more.

Of each name one dead container is kept beside the newest, for `kubectl logs --previous` and lastState, or as many as the node is told
to (maximum-dead-containers-per-container). Where dead containers have to have an age before they go, or there may only be so
many on the whole node, all pods are looked at from time to time (`plan_collection`); and where the node is short of disk, what is left of
pods that have ended goes as well.
https://kubernetes.io/docs/concepts/architecture/garbage-collection/#container-image-garbage-collection
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from kubelet.core.actions import Action, RemoveContainer, RemoveSandbox
from kubelet.core.life import Life, Stage
from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod

_DEAD: Final = frozenset({ContainerState.EXITED, ContainerState.CREATED})


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """How many dead containers are kept. A number below 0 is no limit."""

    each: int = 1  # of one name of a pod, beside the newest
    all: int = -1  # of the node
    least_age_s: float = 0.0  # since a container was made, before it goes; cluster seconds

    @property
    def kept_at_once(self) -> int | None:
        """How many each step of a pod's life keeps; None where that depends on their age, or there is no limit."""
        return self.each if self.each >= 0 and not self.least_age_s else None


def dead_to_remove(observed: ObservedPod, busy: AbstractSet[str], kept: int | None = 1) -> list[Action]:
    """Return the removals; names that something is being done with are left alone. `kept` None: no container goes."""
    containers: list[Action] = []
    for name in dict.fromkeys(container.name for container in observed.containers):
        if name not in busy and kept is not None:
            containers += [RemoveContainer(each.id, each.log_path) for each in _older(observed, name)[kept:]]
    used = {container.sandbox_id for container in observed.containers}
    old = [sandbox for sandbox in observed.sandboxes[1:] if not sandbox.is_ready and sandbox.id not in used]
    return [*containers, *(RemoveSandbox(sandbox.id) for sandbox in old)]


def collected_to_remove(observed: ObservedPod, collected: AbstractSet[str]) -> list[Action]:
    """Return the removals of dead containers that the node has no use for."""
    dead = [each for each in observed.containers if each.id in collected and each.state in _DEAD]
    return [RemoveContainer(each.id, each.log_path) for each in dead]


def plan_collection(
    lives: Iterable[Life], limits: ContainerLimits, now_s: float, *, is_short: bool = False
) -> Mapping[str, frozenset[str]]:
    """Return which dead containers go, by the pod's uid. `is_short`: of disk; then those of pods that have ended go, all of them.

    The newest container of a pod that goes on stays: what it did decides what the pod does next.
    """
    going: dict[str, set[str]] = {}
    kept: list[tuple[float, str, str]] = []  # since when, uid, id
    number = 0
    for life in lives:
        dead = [each for each in life.observed.containers if each.state in _DEAD]
        old = [each for each in dead if now_s - each.created_s >= limits.least_age_s]
        beyond = _beyond(life.observed, limits.each)
        gone = {each.id for each in old if each.id in beyond or (is_short and has_ended(life))}
        going[life.uid], number = gone, number + len(dead) - len(gone)
        rest = (each for each in old if each.id not in gone and _may_go(life, each))
        kept += [(each.created_s, life.uid, each.id) for each in rest]
    too_many = max(0, number - limits.all) if limits.all >= 0 else 0
    for _, uid, id_ in sorted(kept)[:too_many]:
        going[uid].add(id_)
    return {uid: frozenset(ids) for uid, ids in going.items() if ids}


def has_ended(life: Life) -> bool:
    """Whether a pod is over, and its object is still there."""
    return life.stage is Stage.TERMINATED and life.is_known


def _beyond(observed: ObservedPod, most: int) -> set[str]:
    """Return the ids of the dead containers beyond so many of their names."""
    names = {each.name for each in observed.containers} if most >= 0 else set[str]()
    return {each.id for name in names for each in _older(observed, name)[most:]}


def _may_go(life: Life, each: ObservedContainer) -> bool:
    newest = life.observed.newest(each.name)
    return has_ended(life) or (newest is not None and newest.id != each.id)


def _older(observed: ObservedPod, name: str) -> list[ObservedContainer]:
    """Return the dead containers of a name beside the newest, newest first."""
    return [container for container in list(observed.named(name))[1:] if container.state in _DEAD]
