"""Events in their two versions: that of the core group, which is stored, and that of events.k8s.io.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core.values import Json

CORE: Final = "v1"
_RENAMED: Final = {  # in events.k8s.io/v1, and in the core group
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedSource": "source",
}
_TO_CORE: Final = _RENAMED
_FROM_CORE: Final = {core: name for name, core in _RENAMED.items()}


def convert(event: Json, api_version: str) -> Json:
    """Return an event of either version in the one that is named: nothing is lost."""
    names = _TO_CORE if api_version == CORE else _FROM_CORE
    renamed = {names.get(name, name): value for name, value in event.items()}
    return {**renamed, "apiVersion": api_version}
