"""Defaults of a schema, filled into a value: when it is written, and when it is read.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting
A null where the schema allows none takes the default, or goes where there is no default. Idempotent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from apiserver.core.custom.structural import Structural


def fill_defaults(value: Any, schema: Structural | None) -> None:
    """Fill a value, which the caller owns, in place."""
    if schema is None:
        return
    if isinstance(value, dict):
        _fill_object(value, schema)
    elif isinstance(value, list):
        _fill_list(value, schema.items)


def drop_nulls(value: Any, schema: Structural | None) -> None:
    """Drop nulls of fields that allow none and have no default, in place: `fill_defaults` then meets no other."""
    if schema is None:
        return
    if isinstance(value, dict):
        for name in [name for name, item in value.items() if item is None and _drops(schema, name)]:
            del value[name]
        for name, item in value.items():
            if isinstance(item, dict | list):
                drop_nulls(item, _schema_of(schema, name))
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                drop_nulls(item, schema.items)


def _drops(schema: Structural, name: str) -> bool:
    inner = _schema_of(schema, name)
    return inner is not None and not inner.nullable and inner.default is None


def _fill_object(value: dict[str, Any], schema: Structural) -> None:
    for name, inner in schema.defaulted:
        if inner.default is not None and (name not in value or (value[name] is None and not inner.nullable)):
            value[name] = msgspec.json.decode(inner.default)
    for name, item in value.items():
        if isinstance(item, dict | list):
            fill_defaults(item, _schema_of(schema, name))


def _fill_list(value: list[Any], items: Structural | None) -> None:
    if items is None:
        return
    for index, item in enumerate(value):
        if item is None and not items.nullable and items.default is not None:
            value[index] = item = msgspec.json.decode(items.default)  # noqa: PLW2901 - what is filled further
        fill_defaults(item, items)


def _schema_of(schema: Structural, name: str) -> Structural | None:
    found: Structural | None = schema.properties.get(name, schema.additional)
    return found
