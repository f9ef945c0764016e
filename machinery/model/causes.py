"""A cause: the object at the revision that somebody had seen when they acted.

The controller loop makes causes of the watch events that led to a reconcile; `machinery.wire.cause_headers` carries
them with every request; the apiserver records them with the write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from machinery.model.resources import KubeObject, Resource


@dataclass(frozen=True, slots=True)
class CauseRef:
    """An object at a revision, as somebody saw it when they acted."""

    resource: str  # "pods", "deployments.apps"
    namespace: str
    name: str
    uid: str
    revision: int


def cause_of(resource: Resource[Any], obj: KubeObject) -> CauseRef:
    """Name an object at the revision that it carries."""
    meta = obj.metadata
    revision = int(meta.resourceVersion) if meta.resourceVersion.isdigit() else 0
    return CauseRef(str(resource), meta.namespace, meta.name, meta.uid, revision)
