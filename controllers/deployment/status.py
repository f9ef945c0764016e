"""The status of a Deployment: counts, and the conditions that `kubectl rollout status` waits for."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers.core.actions import Failure
from controllers.core.moment import Moment
from controllers.core.workloads import Deployment
from controllers.deployment.rollout import Rollout
from machinery.model.conditions import find, remove
from machinery.model.k8s.apps_v1 import DeploymentCondition, DeploymentStatus

AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
REPLICA_FAILURE: Final = "ReplicaFailure"
COMPLETE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
CREATE_ERROR: Final = "ReplicaSetCreateError"
PAUSED: Final = "DeploymentPaused"
_NO_DEADLINE: Final = 2**31 - 1

Conditions = list[DeploymentCondition]


def has_deadline(deployment: Deployment) -> bool:
    """Whether progress is watched at all."""
    return deployment.spec.progressDeadlineSeconds not in {None, _NO_DEADLINE}


def compute(rollout: Rollout, moment: Moment) -> DeploymentStatus:
    """Count, and judge the availability; the other conditions stay as they are."""
    deployment, totals = rollout.deployment, rollout.totals
    ready_enough = totals.available >= rollout.fewest_available
    word = "has" if ready_enough else "does not have"
    condition = DeploymentCondition(
        type=AVAILABLE,
        status="True" if ready_enough else "False",
        reason="MinimumReplicasAvailable" if ready_enough else "MinimumReplicasUnavailable",
        message=f"Deployment {word} minimum availability.",
    )
    return DeploymentStatus(
        observedGeneration=deployment.metadata.generation,
        replicas=totals.actual or None,
        updatedReplicas=(rollout.new.status.replicas if rollout.new else 0) or None,
        readyReplicas=totals.ready or None,
        availableReplicas=totals.available or None,
        unavailableReplicas=max(0, totals.wanted - totals.available) or None,
        terminatingReplicas=totals.terminating,
        collisionCount=deployment.status.collisionCount,
        conditions=put(deployment.status.conditions, condition, moment),
    )


def with_pause(deployment: Deployment, status: DeploymentStatus, moment: Moment) -> DeploymentStatus:
    """Note that the deployment is paused or resumed, so that the time of a pause is not held against it."""
    current = find(status.conditions, PROGRESSING)
    if not has_deadline(deployment) or (current and current.reason == TIMED_OUT):
        return status
    noted = current is not None and current.reason == PAUSED
    if deployment.spec.paused == noted:
        return status
    reason, word = (PAUSED, "paused") if deployment.spec.paused else ("DeploymentResumed", "resumed")
    return _progressing(status, "Unknown", reason, f"Deployment is {word}", moment)


def with_progress(rollout: Rollout, status: DeploymentStatus, moment: Moment) -> DeploymentStatus:
    """Judge the progress of a rollout, and pass on a failure to make pods."""
    deployment = rollout.deployment
    if not has_deadline(deployment):
        status = _replace(status, remove(status.conditions, PROGRESSING))
    elif not _stays_complete(status):
        status = _judged(rollout, status, moment)
    return _with_replica_failure(rollout, status, moment)


def with_creation(
    name: str, deployment: Deployment, status: DeploymentStatus, moment: Moment
) -> DeploymentStatus:
    """Note that a new ReplicaSet has been made."""
    if not has_deadline(deployment):
        return status
    return _progressing(status, "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', moment)


def with_failed_creation(
    name: str, deployment: Deployment, status: DeploymentStatus, failure: Failure, moment: Moment
) -> DeploymentStatus:
    """Note that the new ReplicaSet could not be made."""
    if not has_deadline(deployment):
        return status
    message = failed_creation_text(name, failure.message)
    return _progressing(status, "False", CREATE_ERROR, message, moment)


def failed_creation_text(name: str, error: str) -> str:
    """Write that a new ReplicaSet could not be made."""
    return f'Failed to create new replica set "{name}": {error}'


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether every pod is of the template of now, and available, and no other is left."""
    target = deployment.spec.replicas
    counts = {status.updatedReplicas or 0, status.replicas or 0, status.availableReplicas or 0}
    return counts == {target} and (status.observedGeneration or 0) >= (deployment.metadata.generation or 0)


def deadline_in(deployment: Deployment, status: DeploymentStatus, moment: Moment) -> float | None:
    """Return the seconds until the deadline of progress passes, None where none is pending."""
    current = find(status.conditions, PROGRESSING)
    if not has_deadline(deployment) or current is None or deployment.spec.paused:
        return None
    if is_complete(deployment, status) or current.reason in {TIMED_OUT, COMPLETE}:
        return None
    deadline_s = deployment.spec.progressDeadlineSeconds or 0
    return max(0.0, deadline_s - moment.since(current.lastUpdateTime)) + 1


def put(conditions: Conditions, new: DeploymentCondition, moment: Moment) -> Conditions:
    """Set a condition. One with the same status and reason stays as it is: only news moves lastUpdateTime."""
    old = find(conditions, new.type)
    if old and (old.status, old.reason) == (new.status, new.reason):
        return conditions
    began = new.lastTransitionTime or moment.text
    moved = began if old is None or old.status != new.status else old.lastTransitionTime
    updated = new.lastUpdateTime or moment.text
    dated = msgspec.structs.replace(new, lastUpdateTime=updated, lastTransitionTime=moved)
    return [*remove(conditions, new.type), dated]


def _stays_complete(status: DeploymentStatus) -> bool:
    """Whether the rollout was finished before: a later loss of availability is no lack of progress."""
    current = find(status.conditions, PROGRESSING)
    return current is not None and current.reason == COMPLETE and status.replicas == status.updatedReplicas


def _judged(rollout: Rollout, status: DeploymentStatus, moment: Moment) -> DeploymentStatus:
    deployment = rollout.deployment
    what = (
        f'ReplicaSet "{rollout.new.metadata.name}"'
        if rollout.new
        else f'Deployment "{deployment.metadata.name}"'
    )
    if is_complete(deployment, status):
        return _progressing(status, "True", COMPLETE, f"{what} has successfully progressed.", moment)
    if _has_moved(deployment.status, status):
        renewed = _forget_update_time(status)
        return _progressing(renewed, "True", "ReplicaSetUpdated", f"{what} is progressing.", moment)
    if _has_timed_out(deployment, status, moment):
        return _progressing(status, "False", TIMED_OUT, f"{what} has timed out progressing.", moment)
    if find(status.conditions, PROGRESSING) is None and rollout.new:
        message = f'Found new replica set "{rollout.new.metadata.name}"'
        return _progressing(status, "True", "FoundNewReplicaSet", message, moment)
    return status


def _has_moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    def outdated(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updatedReplicas or 0)

    return (
        (new.updatedReplicas or 0) > (old.updatedReplicas or 0)
        or outdated(new) < outdated(old)
        or (new.readyReplicas or 0) > (old.readyReplicas or 0)
        or (new.availableReplicas or 0) > (old.availableReplicas or 0)
    )


def _has_timed_out(deployment: Deployment, status: DeploymentStatus, moment: Moment) -> bool:
    current = find(status.conditions, PROGRESSING)
    if current is None or current.reason == COMPLETE:
        return False
    if current.reason == TIMED_OUT:
        return True
    return moment.since(current.lastUpdateTime) > (deployment.spec.progressDeadlineSeconds or 0)


def _forget_update_time(status: DeploymentStatus) -> DeploymentStatus:
    """Make room for a condition that is renewed with the same reason; its transition time stays."""
    conditions = [
        msgspec.structs.replace(item, reason="") if item.type == PROGRESSING else item
        for item in status.conditions
    ]
    return _replace(status, conditions)


def _with_replica_failure(rollout: Rollout, status: DeploymentStatus, moment: Moment) -> DeploymentStatus:
    first = [rollout.new] if rollout.new else []
    failures = (find(rs.status.conditions, REPLICA_FAILURE) for rs in [*first, *rollout.old])
    failure = next((found for found in failures if found is not None), None)
    if failure is None:
        return _replace(status, remove(status.conditions, REPLICA_FAILURE))
    condition = DeploymentCondition(
        type=REPLICA_FAILURE,
        status=failure.status,
        reason=failure.reason,
        message=failure.message,
        lastUpdateTime=failure.lastTransitionTime,
        lastTransitionTime=failure.lastTransitionTime,
    )
    return _replace(status, put(status.conditions, condition, moment))


def _progressing(
    status: DeploymentStatus, value: str, reason: str, message: str, moment: Moment
) -> DeploymentStatus:
    new = DeploymentCondition(type=PROGRESSING, status=value, reason=reason, message=message)
    return _replace(status, put(status.conditions, new, moment))


def _replace(status: DeploymentStatus, conditions: Conditions) -> DeploymentStatus:
    return msgspec.structs.replace(status, conditions=conditions)
