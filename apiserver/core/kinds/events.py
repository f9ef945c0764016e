"""Event"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

EVENTS = Kind(
    group="",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    definition="io.k8s.api.core.v1.Event",
    namespaced=True,
    storage_prefix="/registry/events",
    short_names=("ev",),
)
