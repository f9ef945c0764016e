"""The containers of a pod's spec with the paths that messages name them by, and paths inside volumes."""

from __future__ import annotations

from collections.abc import Iterator

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model.errors import Cause


def containers_with_paths(spec: Json, path: str) -> Iterator[tuple[Json, str]]:
    """Return each container with its path: those of the start first."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or []):
            yield container, f"{path}.{field}[{index}]"


def no_backsteps_causes(path: str, target: str) -> list[Cause]:
    """Check that a file's path does not climb."""
    return [field_errors.invalid(path, target, "must not contain '..'")] if ".." in target.split("/") else []


def descending_causes(path: str, target: str) -> list[Cause]:
    """Check that a file's path is relative and does not climb."""
    found = [field_errors.invalid(path, target, "must be a relative path")] if target.startswith("/") else []
    return found + no_backsteps_causes(path, target)


def own_file_causes(path: str, target: str) -> list[Cause]:
    """Check the path of a file in a volume that the node writes: it keeps names with two dots for itself."""
    found = descending_causes(path, target)
    if not found and target.startswith(".."):
        found.append(field_errors.invalid(path, target, "must not start with '..'"))
    return found
