"""The status of a StatefulSet: counts, and the revisions that `kubectl rollout status` compares."""

from __future__ import annotations

import msgspec

from controllers.statefulset.identity import revision_of
from controllers.statefulset.members import Members, is_running_and_ready
from controllers.statefulset.turns import ROLLING, still_current
from machinery.model.k8s.apps_v1 import StatefulSetStatus
from machinery.model.pods import is_terminating


def compute(members: Members) -> StatefulSetStatus:
    """Count the pods. When every one is of the template of now, and Ready, that is the current one from then on."""
    owner, pods = members.owner, members.pods
    updated = sum(
        revision_of(pod) == members.update.metadata.name and not is_terminating(pod) for pod in pods
    )
    ready = [pod for pod in pods if is_running_and_ready(pod)]
    current, current_replicas = members.current, still_current(members)
    wanted = owner.spec.replicas
    if owner.spec.updateStrategy.type == ROLLING and updated == len(ready) == len(pods) == wanted:
        current, current_replicas = members.update, updated
    return msgspec.structs.replace(
        owner.status,
        observedGeneration=owner.metadata.generation,
        replicas=len(pods),
        readyReplicas=len(ready) or None,
        availableReplicas=sum(members.available_in(pod) == 0 for pod in ready),
        currentReplicas=current_replicas or None,
        updatedReplicas=updated or None,
        currentRevision=current.metadata.name,
        updateRevision=members.update.metadata.name,
        collisionCount=owner.status.collisionCount or 0,
    )
