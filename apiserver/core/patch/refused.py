"""The answer to a patch whose result does not fit: a 422 about the field `patch`, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import msgspec

from apiserver.core import field_errors
from apiserver.core.normalize import WrongValue
from apiserver.core.schema import Scalar
from machinery.model.errors import Invalid
from machinery.model.requests import PatchType

_CONVERTED = "cannot unmarshal "
_KINDS = {"string": "string", "bool": "bool", "number": "int64", "array": "slice", "object": "map"}
_SIMPLE = {each.value for each in (Scalar.STRING, Scalar.INT32, Scalar.INT64, Scalar.NUMBER, Scalar.BOOLEAN)}
_READ_BY_THEMSELVES = {each.value for each in Scalar} - _SIMPLE - {Scalar.BYTES.value}


def refused(
    patch_type: PatchType, patch: Any, changed: Any, problem: str, wrong: BaseException | None = None
) -> Invalid:
    """Return the error: it quotes what the object would be, or of a strategic merge patch the patch, as Go prints it.

    Args:
        patch_type: how the object was changed.
        patch: what was sent.
        changed: what the object would be.
        problem: why that does not fit.
        wrong: the value of another type that is the problem, where one is.
    """
    if patch_type is PatchType.STRATEGIC_MERGE:
        quoted = _as_go_prints(patch)
        problem = _as_converted(wrong) if isinstance(wrong, WrongValue) else problem
    else:
        quoted = msgspec.json.encode(changed, order="sorted").decode()
    return field_errors.invalid_object("", "", [field_errors.invalid("patch", quoted, problem)])


def _as_converted(wrong: WrongValue) -> str:
    """Say it as the converter of what was merged does (runtime.DefaultUnstructuredConverter): it knows kinds, no fields."""
    wanted, given = wrong.go_type, wrong.problem.removeprefix(_CONVERTED)
    kind = _KINDS.get(given) or ("float64" if given.startswith("number ") and "." in given else "")
    if not kind or not wanted or wanted in _READ_BY_THEMSELVES:
        return wrong.describe()
    if wanted.startswith("map["):
        return f"cannot restore map from {kind}"
    if wanted.startswith("[]"):
        return f"cannot restore slice from {kind}"
    if wanted not in _SIMPLE:
        return f"cannot restore struct from: {kind}"
    if (kind, wanted) in {("int64", "string"), ("float64", "int32"), ("float64", "int64")}:
        return f"cannot convert {kind} to {wanted}"
    return f"unrecognized type: {wanted}"


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
