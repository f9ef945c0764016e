"""The published definitions as OpenAPI documents have them, and which of them a document needs.

The package that brings them writes every optional type as ["string", "null"] and lists the values of apiVersion
and kind; both is its own doing and is undone here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from apiserver.core.values import Json

_FOUND_AT: Final = "#/$defs/"
V2: Final = "#/definitions/"
V3: Final = "#/components/schemas/"
Lookup = Callable[[str], Json | None]
GroupVersions = Collection[tuple[str, str]]


def needed(roots: Iterable[str], lookup: Lookup) -> dict[str, Json]:
    """Return the roots that exist and every definition that they refer to, by name."""
    found: dict[str, Json] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        definition = lookup(name)
        if definition is not None:
            found[name] = definition
            waiting += _references(definition)
    return dict(sorted(found.items()))


def published(definition: Json, prefix: str, served: GroupVersions) -> Json:
    """Write a definition for a document; `prefix` (V2 or V3) is where its references point."""
    written: Json = _written(definition, prefix)
    for name in ("apiVersion", "kind"):
        (written.get("properties") or {}).get(name, {}).pop("enum", None)
    kinds = [
        each
        for each in definition.get("x-kubernetes-group-version-kind") or ()
        if (each.get("group", ""), each.get("version", "")) in served
    ]
    written.pop("x-kubernetes-group-version-kind", None)
    return {**written, "x-kubernetes-group-version-kind": kinds} if kinds else written


def _written(schema: Json, prefix: str) -> Json:
    written = {key: _value(key, value, prefix) for key, value in schema.items() if key != "$ref"}
    if prefix == V2 and "oneOf" in written:
        return _string_v2(written)
    reference = schema.get("$ref")
    if reference is None:
        return written
    target = {"$ref": prefix + reference.removeprefix(_FOUND_AT)}
    if not written:
        return target
    return {**written, "allOf": [target]} if prefix == V3 else {**target, **written}


def _string_v2(written: Json) -> Json:
    """Write "a string or a number", which version 2 has no words for, as Kubernetes does: as a string."""
    integer = any("integer" in each.get("type", ()) for each in written["oneOf"])
    rest = {key: value for key, value in written.items() if key != "oneOf"}
    return {**rest, "type": "string", **({"format": "int-or-string"} if integer else {})}


def _value(key: str, value: Any, prefix: str) -> Any:
    match key:
        case "type" if isinstance(value, list):
            return next((name for name in value if name != "null"), "object")
        case "properties":
            return {name: _written(schema, prefix) for name, schema in value.items()}
        case "oneOf":
            return [_written(each, prefix) for each in value]
        case "items" | "additionalProperties" if isinstance(value, dict):
            return _written(value, prefix)
        case "enum" if isinstance(value, list):
            return [each for each in value if each is not None]
    return value


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_FOUND_AT)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
