"""Parameters of classes of volumes: keys and values that only a driver understands."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model.errors import Cause

_MOST: Final = 512
_LIMIT_BYTES: Final = 256 * 1024


def parameter_causes(parameters: Json, path: str) -> list[Cause]:
    """Check how many parameters there are, and how large."""
    if len(parameters) > _MOST:
        return [field_errors.too_long(path, _MOST)]
    found = [field_errors.invalid(path, "", "field can not be empty.")] if "" in parameters else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    if size > _LIMIT_BYTES:
        found.append(field_errors.too_long(path, _LIMIT_BYTES))
    return found
