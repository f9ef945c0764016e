"""The fields by which custom resources can be selected, as a definition names them (`selectableFields`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiserver.core.rules import metadata_fields, name_field
from apiserver.core.values import Json


def fields_of(selectable: list[Json], *, namespaced: bool) -> Callable[[Json], dict[str, str]]:
    """Return what gives every field label of an object and its value; "" where it is not there."""
    common = metadata_fields if namespaced else name_field
    paths = [(each["jsonPath"].removeprefix("."), each["jsonPath"].split(".")[1:]) for each in selectable]
    if not paths:
        return common

    def fields(obj: Json) -> dict[str, str]:
        return {**common(obj), **{label: _text(_at(obj, names)) for label, names in paths}}

    return fields


def _at(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""
