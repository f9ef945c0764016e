"""What client-side `kubectl apply` leaves in an annotation, and how server-side apply takes that over.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from apiserver.core.apply.compare import compare
from apiserver.core.apply.field_set import FieldSet, difference
from apiserver.core.apply.owned import said_fields
from apiserver.core.apply.topology import Granular
from apiserver.core.values import Json, metadata

ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ROOM_BYTES: Final = 256 * 1024  # that an object's annotations may have together


def unchanged_fields(topology: Granular, live: Json, api_version: str) -> FieldSet | None:
    """Return what was applied client-side last, and still has the value that it got; None: nothing can be said."""
    config = _configuration(live)
    if config is None or config.get("apiVersion") != api_version:
        return None
    comparison = compare(topology, config, live)
    fields = said_fields(topology, config)
    for changed in (comparison.modified, comparison.added, comparison.removed):
        fields = difference(fields, changed)
    return fields


def refreshed(obj: Json, config: Json) -> Json:
    """Return the object with the configuration in its annotation, if it has the annotation: both stay in step.

    Where there is no room for it the annotation goes.
    """
    annotations = _annotations(obj)
    if not annotations.get(ANNOTATION):
        return obj
    text = msgspec.json.encode(_without_annotation(config), order="sorted").decode() + "\n"
    rest = {name: item for name, item in annotations.items() if name != ANNOTATION}
    used = sum(len(name.encode()) + len(str(item).encode()) for name, item in rest.items())
    if used + len(ANNOTATION) + len(text.encode()) <= _ROOM_BYTES:
        rest[ANNOTATION] = text
    return {**obj, "metadata": {**metadata(obj), "annotations": rest}}


def _configuration(obj: Json) -> Json | None:
    try:
        config: Any = msgspec.json.decode(_annotations(obj).get(ANNOTATION) or "")
    except (msgspec.DecodeError, RecursionError, TypeError):
        return None
    return config if isinstance(config, dict) else None


def _annotations(obj: Json) -> Json:
    annotations: Json = metadata(obj).get("annotations") or {}
    return annotations


def _without_annotation(config: Json) -> Json:
    annotations = _annotations(config)
    if ANNOTATION not in annotations:
        return config
    rest = {name: item for name, item in annotations.items() if name != ANNOTATION}
    meta = {name: item for name, item in metadata(config).items() if name != "annotations"}
    return {**config, "metadata": {**meta, "annotations": rest} if rest else meta}
