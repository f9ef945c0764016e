"""What each pod needs next, and who has to wait for it.

In order (OrderedReady), the first place that is not as it should be ends the turn: nothing after it moves before it is
available. In parallel every place is seen to at once.
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    Action,
    AllAtOnce,
    Create,
    Patch,
    RecordEvent,
    SlowStart,
    Write,
    delete,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.revisions import template_of
from controllers.core.workloads import NEW_PODS, StatefulSet
from controllers.statefulset import storage
from controllers.statefulset.identity import (
    has_identity,
    identity_labels,
    ordinals,
    pod_name,
    pod_of,
    revision_of,
)
from controllers.statefulset.members import Members, Place
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminal, is_terminating
from machinery.model.resources import PODS

ROLLING: Final = "RollingUpdate"


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done for a place, in the order of the fields; with `waits`, those after it have to wait."""

    said: tuple[RecordEvent, ...] = ()
    claims: tuple[Create, ...] = ()
    pods: tuple[Create, ...] = ()
    changes: tuple[Patch, ...] = ()
    deletions: tuple[Write, ...] = ()
    waits: bool = False


_NOTHING: Final = Turn()


def of_places(members: Members) -> list[Turn]:
    """Return the turns of the places that have one now."""
    turns = (_of_place(members, place) for place in members.places)
    return _until_one_waits(turns) if members.in_order else list(turns)


def of_condemned(members: Members) -> list[Turn]:
    """Return the turns of the pods that there are to be no more.

    Their claims get their owners before any of them goes: the claim that is to go with a pod is lost sight of when the
    pod is gone.
    """
    owner = members.owner
    changes = [patch for pod in members.condemned for patch in storage.ownership(owner, pod, members.claims)]
    turns = (_of_condemned(members, pod) for pod in members.condemned)
    return [
        Turn(changes=tuple(changes)),
        *(_until_one_waits(turns) if members.in_order else turns),
    ]


def actions_of(turns: Iterable[Turn]) -> tuple[Action, ...]:
    """Return what some turns come to: claims before the pods that use them, owners before what they own goes."""
    every = list(turns)
    claims = tuple(write for turn in every for write in turn.claims)
    pods = tuple(write for turn in every for write in turn.pods)
    changes = tuple(write for turn in every for write in turn.changes)
    deletions = tuple(write for turn in every for write in turn.deletions)
    groups: tuple[SlowStart | AllAtOnce, ...] = (
        SlowStart(claims),
        SlowStart(pods),
        AllAtOnce(changes),
        AllAtOnce(deletions),
    )
    said = (record for turn in every for record in turn.said)
    return (*said, *(group for group in groups if group.writes))


def deletion(owner: StatefulSet, pod: Pod) -> Write:
    """Delete a pod, with its grace."""
    name, of = pod.metadata.name, owner.metadata.name
    return delete(
        PODS,
        pod,
        on_success=event(
            owner, "Normal", "SuccessfulDelete", f"delete Pod {name} in StatefulSet {of} successful"
        ),
        on_failure=event(
            owner, "Warning", "FailedDelete", f"delete Pod {name} in StatefulSet {of} failed error: {{error}}"
        ),
    )


def _until_one_waits(turns: Iterable[Turn]) -> list[Turn]:
    found: list[Turn] = []
    for turn in turns:
        found.append(turn)
        if turn.waits:
            break
    return found


def _of_place(members: Members, place: Place) -> Turn:
    owner, pod = members.owner, place.pod
    if pod is None:
        return Turn(waits=True) if place.is_taken else _creation(members, place.ordinal)
    if is_terminal(pod):  # it has ended, whatever its exit code says: another one takes its place
        return Turn(deletions=() if is_terminating(pod) else (deletion(owner, pod),), waits=True)
    if is_terminating(pod):
        return Turn(waits=True)
    is_pending = pod.status.phase == "Pending"
    claims = tuple(storage.missing(owner, place.ordinal, members.claims)) if is_pending else ()
    changes, waits = _repairs(members, pod), members.is_unavailable(pod)
    return Turn(claims=claims, changes=changes, waits=waits) if claims or changes or waits else _NOTHING


def _creation(members: Members, ordinal: int) -> Turn:
    owner, claims = members.owner, members.claims
    if storage.is_stale(owner, ordinal, claims):
        return Turn(waits=True)
    name, of = pod_name(owner, ordinal), owner.metadata.name
    failed = f"create Pod {name} in StatefulSet {of} failed error: "
    leaving = storage.leaving(owner, ordinal, claims)
    if leaving is not None:
        return Turn(
            (event(owner, "Warning", "FailedCreate", f"{failed}pvc {leaving} is being deleted"),), waits=True
        )
    revision = members.current if _is_held_back(members, ordinal) else members.update
    template = template_of(revision, owner.spec.template)
    create = Create(
        NEW_PODS,
        pod_of(owner, template, revision.metadata.name, ordinal),
        on_success=event(
            owner, "Normal", "SuccessfulCreate", f"create Pod {name} in StatefulSet {of} successful"
        ),
        on_failure=event(owner, "Warning", "FailedCreate", f"{failed}{{error}}"),
    )
    return Turn(claims=tuple(storage.missing(owner, ordinal, claims)), pods=(create,), waits=True)


def _is_held_back(members: Members, ordinal: int) -> bool:
    """Whether a pod that is made now gets the template from before the update.

    Those below the partition do; where there is no partition, those that the update has not come to.
    """
    strategy, first = members.owner.spec.updateStrategy, ordinals(members.owner).start
    if strategy.rollingUpdate is not None:
        return ordinal < first + (strategy.rollingUpdate.partition or 0)
    return strategy.type == ROLLING and ordinal < first + still_current(members)


def still_current(members: Members) -> int:
    """Count the pods of the current revision that are not ending."""
    name = members.current.metadata.name
    return sum(revision_of(pod) == name and not is_terminating(pod) for pod in members.pods)


def _repairs(members: Members, pod: Pod) -> tuple[Patch, ...]:
    """Return the patches that give a pod its labels, and its claims their owners."""
    owner, name = members.owner, pod.metadata.name
    owned = storage.ownership(owner, pod, members.claims)
    if has_identity(pod):
        return tuple(owned)
    labels = identity_labels(name)
    said = f"update Pod {name} in StatefulSet {owner.metadata.name} successful"
    patch = patch_at_revision(PODS, pod, {"metadata": {"labels": labels}})
    return (*owned, _announced(patch, event(owner, "Normal", "SuccessfulUpdate", said)))


def _announced(patch: Patch, said: RecordEvent) -> Patch:
    return Patch(patch.resource, patch.namespace, patch.name, patch.patch, on_success=said)


def _of_condemned(members: Members, pod: Pod) -> Turn:
    if is_terminating(pod):
        return Turn(waits=True)
    if members.in_order and members.is_unavailable(pod) and pod is not _first_unavailable(members):
        return Turn(waits=True)
    return Turn(deletions=(deletion(members.owner, pod),), waits=True)


def _first_unavailable(members: Members) -> Pod | None:
    """Return the unavailable pod of the lowest ordinal: of those that stay, then of those that go."""
    pods = [*(place.pod for place in members.places), *reversed(members.condemned)]
    return next((pod for pod in pods if members.is_unavailable(pod)), None)
