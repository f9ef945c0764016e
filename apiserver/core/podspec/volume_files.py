"""The rules of the files that a node writes into a volume: names, modes, what they show."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.env import FILE_FIELDS, field_causes, resource_field_causes
from apiserver.core.podspec.paths import own_file_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_MODE_TEXT: Final = "must be a number between 0 and 0777 (octal), both inclusive"


def mode_causes(part: Json, field: str, path: str) -> list[Cause]:
    """Check a file's mode, where there is one."""
    mode = part.get(field)
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [field_errors.invalid(f"{path}.{field}", mode, _MODE_TEXT)]


def key_file_causes(source: Json, path: str) -> list[Cause]:
    """Check which keys of a ConfigMap or Secret become which files."""
    found: list[Cause] = []
    for index, item in enumerate(source.get("items") or []):
        where, place = f"{path}.items[{index}]", item.get("path", "")
        if not item.get("key"):
            found.append(field_errors.required(f"{where}.key"))
        found += (
            own_file_causes(f"{where}.path", place) if place else [field_errors.required(f"{where}.path")]
        )
        found += mode_causes(item, "mode", where)
    return found


def downward_file_causes(item: Json, path: str) -> list[Cause]:
    """Check a file that shows a field of the pod."""
    place = item.get("path", "")
    found = own_file_causes(f"{path}.path", place) if place else [field_errors.required(f"{path}.path")]
    if "fieldRef" in item:
        found += field_causes(item["fieldRef"], f"{path}.fieldRef", FILE_FIELDS)
        if "resourceFieldRef" in item:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            found.append(field_errors.invalid(path, "resource", text))
    elif "resourceFieldRef" in item:
        found += resource_field_causes(item["resourceFieldRef"], f"{path}.resourceFieldRef", in_file=True)
    else:
        found.append(field_errors.required(path, "one of fieldRef and resourceFieldRef is required"))
    return found + mode_causes(item, "mode", path)
