"""Defaults have to be values that their own schema takes, without fields that it would prune."""

from __future__ import annotations

from typing import Any

from apiserver.core import field_errors
from apiserver.core.custom.lists import check_lists
from apiserver.core.custom.pruning import prune
from apiserver.core.custom.structural import META_FIELDS, Structural
from apiserver.core.custom.values import check_value, equal
from apiserver.core.values import Json
from machinery.model.errors import Cause


def check_defaults(schema: Json, path: str) -> list[Cause]:
    """Find what is wrong with the defaults of a structural schema. Maps have none for their values."""
    return _check(schema, path, is_resource=True, in_metadata=False)


def _check(schema: Json, path: str, *, is_resource: bool, in_metadata: bool) -> list[Cause]:
    is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
    in_metadata = in_metadata and not is_resource
    found: list[Cause] = []
    if schema.get("default") is not None:
        found += _default_causes(
            schema["default"], Structural(schema), f"{path}.default", in_metadata=in_metadata
        )
    if isinstance(schema.get("items"), dict):
        found += _check(schema["items"], f"{path}.items", is_resource=False, in_metadata=in_metadata)
    for name, inner in (schema.get("properties") or {}).items():
        inside = in_metadata or (is_resource and name in META_FIELDS)
        found += _check(inner, f"{path}.properties[{name}]", is_resource=False, in_metadata=inside)
    return found


def _default_causes(value: Any, schema: Structural, path: str, *, in_metadata: bool) -> list[Cause]:
    found: list[Cause] = []
    if not in_metadata and not equal(prune(value, schema), value):
        found.append(field_errors.invalid(path, value, "must not have unknown fields"))
    return [*found, *(check_value(value, schema, path) or check_lists(value, schema, path))]
