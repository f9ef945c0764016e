"""The annotations that connect a Deployment with its ReplicaSets: what `kubectl rollout history` reads."""

from __future__ import annotations

from typing import Final

from controllers.core.workloads import ReplicaSet

REVISION: Final = "deployment.kubernetes.io/revision"
HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"

ROLLBACK_TO: Final = "deprecated.deployment.rollback.to"
NOT_COPIED: Final = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", ROLLBACK_TO, REVISION, HISTORY, DESIRED, MAXIMUM}
)
"""Those that a Deployment and its ReplicaSets have each for itself."""


def revision_of_set(rs: ReplicaSet) -> int:
    """Return a ReplicaSet's revision, 0 where it has none that can be read."""
    return number(rs, REVISION) or 0


def number(rs: ReplicaSet, annotation: str) -> int | None:
    """Read an annotation that is a number; None where it is none."""
    text = rs.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None
