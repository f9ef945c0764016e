"""Objects as JSON gives them, and nothing else: what is counted and stored is not typed."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def spec(obj: Json) -> Json:
    """Return the spec, or an empty one that is not part of the object."""
    return obj.get("spec") or {}


def metadata(obj: Json) -> Json:
    """Return the metadata, or an empty one that is not part of the object."""
    return obj.get("metadata") or {}
