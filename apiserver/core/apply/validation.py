"""What managers and managedFields have to look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.apply.managers import APPLY, FIELDS_TYPE, LONGEST_NAME, UPDATE
from machinery.model.errors import Cause

_LONGEST_SUBRESOURCE: Final = 256


def manager_causes(name: str, path: str, *, required: bool = False) -> list[Cause]:
    """Check the name of a field manager; an apply requires one."""
    if required and not name:
        return [field_errors.required(path, "is required for apply patch")]
    if len(name) <= LONGEST_NAME and name.isascii() and name.isprintable():
        return []
    causes = (
        [field_errors.too_long(path, LONGEST_NAME)]
        if len(name.encode(errors="replace")) > LONGEST_NAME
        else []
    )
    for position, sign in enumerate(name):
        if not sign.isprintable():
            problem = f"invalid character U+{ord(sign):04X} (at position {position})"
            return [*causes, field_errors.invalid(path, name, problem)]
    return causes


def managed_fields_causes(entries: Sequence[Any], path: str = "metadata.managedFields") -> list[Cause]:
    """Check entries of managedFields, as they come out of mutating admission."""
    return [cause for index, entry in enumerate(entries) for cause in _entry(entry, f"{path}[{index}]")]


def _entry(entry: Any, path: str) -> list[Cause]:
    operation, form = entry.get("operation", ""), entry.get("fieldsType", "")
    causes = []
    if operation not in {APPLY, UPDATE}:
        causes.append(field_errors.invalid(f"{path}.operation", operation, "must be `Apply` or `Update`"))
    if form and form != FIELDS_TYPE:
        causes.append(field_errors.invalid(f"{path}.fieldsType", form, f"must be `{FIELDS_TYPE}`"))
    causes += manager_causes(entry.get("manager", ""), f"{path}.manager")
    if len(entry.get("subresource", "")) > _LONGEST_SUBRESOURCE:
        causes.append(field_errors.too_long(f"{path}.subresource", _LONGEST_SUBRESOURCE))
    return causes
