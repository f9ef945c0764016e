"""The annotations that connect a Deployment with its ReplicaSets: what `kubectl rollout history` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controllers.core.workloads import Deployment, ReplicaSet

REVISION: Final = "deployment.kubernetes.io/revision"
HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
    }
)
_HISTORY_LENGTH: Final = 2_000  # characters; older revisions fall out


def revision(rs: ReplicaSet) -> int:
    """Give a ReplicaSet's revision, 0 where it has none that can be read."""
    return number(rs, REVISION) or 0


def number(rs: ReplicaSet, annotation: str) -> int | None:
    """Read an annotation that is a number."""
    text = rs.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None


def next_revision(old: Iterable[ReplicaSet]) -> int:
    """Give the revision that the current template has, or gets: one above all others."""
    return max((revision(rs) for rs in old), default=0) + 1


def copied(deployment: Deployment) -> dict[str, str]:
    """Give the deployment's annotations that its newest ReplicaSet carries too (the change cause, for one)."""
    return {key: text for key, text in deployment.metadata.annotations.items() if key not in _NOT_COPIED}


def sizes(replicas: int, surge: int) -> dict[str, str]:
    """Give what a ReplicaSet remembers of the deployment's size when it was scaled."""
    return {DESIRED: str(replicas), MAXIMUM: str(replicas + surge)}


def of_new(deployment: Deployment, rs: ReplicaSet, wanted: int) -> dict[str, str]:
    """Give the annotations that the newest ReplicaSet should have; a revision only ever rises."""
    annotations = rs.metadata.annotations | copied(deployment)
    before = revision(rs)
    if before >= wanted:
        return annotations
    annotations[REVISION] = str(wanted)
    if before:
        annotations[HISTORY] = _remember(annotations.get(HISTORY, ""), before)
    return annotations


def _remember(history: str, before: int) -> str:
    entries = [*filter(None, history.split(",")), str(before)]
    while len(",".join(entries)) > _HISTORY_LENGTH:
        entries.pop(0)
    return ",".join(entries)
