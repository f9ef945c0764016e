"""Fields that a schema does not know are dropped, except where it preserves them.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
`prune` makes a new tree as far as the schema reaches; what is preserved below is the value itself. Idempotent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apiserver.core.custom.structural import META_FIELDS, Structural
from machinery.model.k8s.meta_v1 import ObjectMeta

_OBJECT_META: Final = frozenset({*ObjectMeta.__struct_fields__, "managedFields"})  # which the type leaves out


def prune(value: Any, schema: Structural | None) -> Any:
    """Return a value without the fields that its schema does not know.

    `apiVersion` and `kind` of a resource stay as they are, also of one inside another; its `metadata` has the fields that
    all objects have.
    """
    if schema is None:
        return _without_fields(value)
    if isinstance(value, dict):
        return _pruned_object(value, schema)
    if isinstance(value, list):
        if schema.preserves and schema.items is None:
            return value
        items = schema.pruned_items
        return [prune(each, items) if isinstance(each, dict | list) else each for each in value]
    return value


def unknown_fields(value: Any, schema: Structural | None, path: str = "") -> Iterator[str]:
    """Yield the path of every field that `prune` drops, in the order of the document."""
    if isinstance(value, dict):
        for name, item in value.items():
            inner = f"{path}.{name}" if path else name
            if schema is not None and schema.is_resource and name in META_FIELDS:
                if name == "metadata" and isinstance(item, dict):
                    yield from (f"{inner}.{each}" for each in item if each not in _OBJECT_META)
                continue
            known = schema is not None and (name in schema.properties or schema.has_additional)
            if not known and not (schema is not None and schema.preserves):
                yield inner
            elif known and schema is not None:
                yield from unknown_fields(item, _field_schema(schema, name), inner)
    elif isinstance(value, list) and not (schema is not None and schema.preserves and schema.items is None):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from unknown_fields(item, schema.pruned_items if schema else None, f"{path}[{index}]")


def _pruned_object(value: dict[str, Any], schema: Structural) -> dict[str, Any]:
    properties, is_map = schema.properties, schema.has_additional
    result = {}
    for name, item in value.items():
        if schema.is_resource and name == "metadata" and isinstance(item, dict):
            result[name] = {key: each for key, each in item.items() if key in _OBJECT_META}
        elif schema.is_resource and name in META_FIELDS:
            result[name] = item
        elif name in properties or is_map:
            result[name] = prune(item, _field_schema(schema, name)) if isinstance(item, dict | list) else item
        elif schema.preserves:
            result[name] = item
    return result


def _field_schema(schema: Structural, name: str) -> Structural | None:
    found: Structural | None = schema.properties.get(name, schema.additional)
    return found


def _without_fields(value: Any) -> Any:
    """Empty every object, also in lists of lists; with a stack of its own, since no schema bounds their depth."""
    holder = [value]
    waiting = [holder]
    while waiting:
        items = waiting.pop()
        for index, item in enumerate(items):
            if isinstance(item, dict):
                items[index] = {}
            elif isinstance(item, list):
                items[index] = copied = list(item)
                waiting.append(copied)
    return holder[0]
