"""The shape that objects have inside the apiserver: what JSON gives, nothing else."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def spec(obj: Json) -> Json:
    """Return the spec, or an empty one that is not part of the object."""
    return obj.get("spec") or {}


def metadata(obj: Json) -> Json:
    """Return the metadata, or an empty one that is not part of the object."""
    return obj.get("metadata") or {}


def kept(obj: Json, old: Json, *names: str) -> Json:
    """Return `obj` with the named top-level fields as they are in `old` (absent where they are absent there)."""
    result = {key: value for key, value in obj.items() if key not in names}
    result.update((name, old[name]) for name in names if name in old)
    return result
