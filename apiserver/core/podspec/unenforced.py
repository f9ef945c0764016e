"""What a pod may ask for and is not held to: warnings, where a refusal would keep ordinary manifests out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.values import Json

_STORAGE: Final = "ephemeral-storage"
_WHY: Final = "is not enforced: nothing watches yet how much disk a pod uses"


def unenforced_in_spec(spec: Json, path: str) -> tuple[str, ...]:
    """Return each limit of a pod's spec that no node enforces."""
    return tuple(_found(spec, path))


def _found(spec: Json, path: str) -> Iterator[str]:
    for index, volume in enumerate(spec.get("volumes") or []):
        source = volume.get("emptyDir") or {}
        if "sizeLimit" in source and source.get("medium") != "Memory":  # a tmpfs has its size
            yield f"{path}.volumes[{index}].emptyDir.sizeLimit {_WHY}"
    for container, where in containers_with_paths(spec, path):
        if _STORAGE in ((container.get("resources") or {}).get("limits") or {}):
            yield f"{where}.resources.limits[{_STORAGE}] {_WHY}"
