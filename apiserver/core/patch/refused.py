"""The answer to a patch whose result does not fit: a 422 about the field `patch`, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import msgspec

from apiserver.core import field_errors
from machinery.model.errors import Invalid
from machinery.model.requests import PatchType


def refused(patch_type: PatchType, patch: Any, changed: Any, problem: str) -> Invalid:
    """Return the error: it quotes what the object would be, or of a strategic merge patch the patch, as Go prints it."""
    if patch_type is PatchType.STRATEGIC_MERGE:
        quoted = _as_go_prints(patch)
    else:
        quoted = msgspec.json.encode(changed, order="sorted").decode()
    return field_errors.invalid_object("", "", [field_errors.invalid("patch", quoted, problem)])


def _as_go_prints(value: Any) -> str:
    """Write a value in the form of %+v."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{_as_go_prints(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(_as_go_prints, value))}]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
    return str(value)
