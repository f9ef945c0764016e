"""Lists that are sets or maps have no two equal items, or items of equal keys (x-kubernetes-list-type)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apiserver.core import field_errors
from apiserver.core.custom.structural import Structural, canonical
from apiserver.core.custom.values import item_key
from machinery.model.errors import Cause


def check_lists(value: Any, schema: Structural | None, path: str = "") -> list[Cause]:
    """Find items that are there twice, in every set and map below a value."""
    found: list[Cause] = []
    if schema is None:
        return found
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(item, dict | list):
                continue
            if name in schema.properties:
                found += check_lists(item, schema.properties[name], f"{path}.{name}" if path else name)
            elif schema.additional is not None:
                found += check_lists(item, schema.additional, f"{path}[{name}]")
    elif isinstance(value, list):
        found += _check_list(value, schema, path)
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                found += check_lists(item, schema.items, f"{path}[{index}]")
    return found


def _check_list(value: list[Any], schema: Structural, path: str) -> list[Cause]:
    if schema.list_type == "set":
        return [
            field_errors.duplicate(f"{path}[{index}]", value[index])
            for index in _second(canonical(item) for item in value)
        ]
    if schema.list_type != "map":
        return []
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            text = "must be an object for an array of list-type map"
            return [field_errors.invalid(f"{path}[{index}]", item, text)]
    keys = schema.map_keys
    return [
        field_errors.duplicate(f"{path}[{index}]", _key_of(value[index], keys))
        for index in _second(item_key(item, keys) for item in value)
    ]


def _key_of(item: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {name: item[name] for name in keys if name in (item or {})}


def _second(keys: Iterable[bytes]) -> list[int]:
    """Return where a key comes for the second time; the third is not told again."""
    counts: dict[bytes, int] = {}
    found = []
    for index, key in enumerate(keys):
        counts[key] = counts.get(key, 0) + 1
        if counts[key] == 2:
            found.append(index)
    return found
