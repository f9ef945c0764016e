"""The shape that objects have inside the apiserver: what JSON gives, nothing else."""

from __future__ import annotations

from machinery.model.json_objects import Json, metadata, spec

__all__ = ["Json", "kept", "metadata", "spec"]


def kept(obj: Json, old: Json, *names: str) -> Json:
    """Return `obj` with the named top-level fields as they are in `old` (absent where they are absent there)."""
    result = {key: value for key, value in obj.items() if key not in names}
    result.update((name, old[name]) for name in names if name in old)
    return result
