"""metav1.Condition in a status: one of each type, with a reason and a time.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_STATUSES: Final = frozenset({"False", "True", "Unknown"})
_LONGEST_REASON: Final = 1024
_LONGEST_MESSAGE: Final = 32 * 1024
_REASON: Final = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_TEXT: Final = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    f"'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '{_REASON}')"
)


def condition_causes(conditions: list[Json], path: str) -> list[Cause]:
    """Check the conditions of a status."""
    repeated = set(field_errors.repeated(each.get("type", "") for each in conditions))
    found: list[Cause] = []
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        if index in repeated:
            found.append(field_errors.duplicate(f"{where}.type", condition.get("type", "")))
        found += _one_causes(condition, where)
    return found


def _one_causes(condition: Json, path: str) -> list[Cause]:
    type_, generation = condition.get("type", ""), condition.get("observedGeneration", 0)
    found = field_errors.each_invalid(f"{path}.type", type_, names.label_key_errors(type_))
    found += field_errors.one_of(f"{path}.status", condition.get("status", ""), _STATUSES)
    if generation < 0:
        text = "must be greater than or equal to zero"
        found.append(field_errors.invalid(f"{path}.observedGeneration", generation, text))
    if not condition.get("lastTransitionTime"):
        found.append(field_errors.required(f"{path}.lastTransitionTime", "must be set"))
    found += _reason_causes(condition.get("reason", ""), f"{path}.reason")
    if len(condition.get("message", "").encode()) > _LONGEST_MESSAGE:
        found.append(field_errors.too_long(f"{path}.message", _LONGEST_MESSAGE))
    return found


def _reason_causes(reason: str, path: str) -> list[Cause]:
    if not reason:
        return [field_errors.required(path, "must be set")]
    if len(reason.encode()) > _LONGEST_REASON:
        return [field_errors.too_long(path, _LONGEST_REASON)]
    if re.fullmatch(_REASON, reason, re.ASCII):
        return []
    return [field_errors.invalid(path, reason, _REASON_TEXT)]
