"""What the ReplicaSets of a rollout are annotated with: revisions, sizes, and what is copied from the Deployment."""

from __future__ import annotations

from typing import Final

from controllers.core.workloads import Deployment, ReplicaSet
from controllers.deployment.annotations import (
    DESIRED,
    HISTORY,
    MAXIMUM,
    NOT_COPIED,
    REVISION,
    revision_of_set,
)
from controllers.deployment.rollout import Rollout

_HISTORY_LENGTH: Final = 2_000  # characters; older revisions fall out


def copied(deployment: Deployment) -> dict[str, str]:
    """Return the deployment's annotations that its newest ReplicaSet carries too (the change cause, for one)."""
    return {key: text for key, text in deployment.metadata.annotations.items() if key not in NOT_COPIED}


def sizes(rollout: Rollout) -> dict[str, str]:
    """Return what a ReplicaSet remembers of the deployment's size when it was scaled."""
    return {DESIRED: str(rollout.replicas), MAXIMUM: str(rollout.replicas + rollout.max_surge)}


def of_newest(rollout: Rollout, rs: ReplicaSet) -> dict[str, str]:
    """Return the annotations that the newest ReplicaSet should have; a revision only ever rises."""
    annotations = rs.metadata.annotations | copied(rollout.deployment)
    before = revision_of_set(rs)
    if before >= rollout.revision:
        return annotations
    annotations[REVISION] = str(rollout.revision)
    if before:
        annotations[HISTORY] = _remember(annotations.get(HISTORY, ""), before)
    return annotations


def _remember(history: str, before: int) -> str:
    entries = [*filter(None, history.split(",")), str(before)]
    while len(",".join(entries)) > _HISTORY_LENGTH:
        entries.pop(0)
    return ",".join(entries)
