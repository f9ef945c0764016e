"""Whether a schema is structural: what has to hold before objects are pruned and defaulted by it.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
The violations are those of the condition NonStructuralSchema and of the 422 of a definition. They work on the
JSONSchemaProps as it is; absent, false, "" and empty are the same to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model.errors import Cause
from machinery.model.patterns import compile_pattern

_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_UNSUPPORTED: Final = (
    "id",
    "$schema",
    "$ref",
    "patternProperties",
    "dependencies",
    "additionalItems",
    "definitions",
)
_FORBIDDEN_INSIDE: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_UNDEFINED: Final = frozenset(
    {"additionalProperties", "default", "externalDocs"}
)  # there also when they are empty


def unreadable(schema: Json) -> str:
    """Return why a schema cannot be read at all, or "": it uses what no CustomResourceDefinition may."""
    for each in subschemas(schema):
        for name in _UNSUPPORTED:
            if each.get(name) or (name == "additionalItems" and name in each):
                return f"OpenAPIV3Schema '{name.removeprefix('$') if name == '$schema' else name}' is not supported"
        if isinstance(each.get("items"), list):
            return "OpenAPIV3Schema 'items' must be a schema, but is an array"
        if each.get("x-kubernetes-preserve-unknown-fields") is False:
            return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    return ""


def subschemas(schema: Json) -> Iterator[Json]:
    """Yield a schema and every schema inside it, without recursion."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += [inner for inner in _inner(each) if isinstance(inner, dict)]


def _inner(schema: Json) -> Iterator[Any]:
    for name in ("properties", "patternProperties", "definitions", "dependencies"):
        yield from (schema.get(name) or {}).values()
    for name in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(name) or ()
    for name in ("not", "additionalProperties", "additionalItems"):
        yield schema.get(name)
    items = schema.get("items")
    yield from items if isinstance(items, list) else (items,)


def violations(schema: Json, path: str) -> list[Cause]:
    """Find what keeps a schema from being structural, sorted by its text."""
    found = [*_invariants(schema, _ROOT, path), *_incomplete(schema, schema, path, path)]
    return sorted(found, key=lambda cause: f"{cause.field}: {cause.message}")


def _invariants(schema: Json, level: str, path: str) -> list[Cause]:
    found: list[Cause] = []
    items, properties = schema.get("items"), schema.get("properties") or {}
    if schema.get("type") == "array" and not isinstance(items, dict):
        found.append(field_errors.required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        found += _invariants(items, _ITEM, f"{path}.items")
    for name, inner in properties.items():
        found += _invariants(inner, _FIELD, f"{path}.properties[{name}]")
    if "additionalProperties" in schema:
        if level == _ROOT:
            found.append(
                field_errors.forbidden(f"{path}.additionalProperties", "must not be used at the root")
            )
        if isinstance(schema["additionalProperties"], dict):
            found += _invariants(schema["additionalProperties"], _FIELD, f"{path}.additionalProperties")
    found += _extension_causes(schema, path)
    found += _validation_causes(schema, path, *_int_or_string(schema))
    found += _type_causes(schema, level, path)
    return [*found, *_metadata_causes(schema, level, path)]


def _extension_causes(schema: Json, path: str) -> list[Cause]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    return [
        field_errors.invalid(
            f"{path}.{name}", schema[name], "must be false if x-kubernetes-int-or-string is true"
        )
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(name)
    ]


def _type_causes(schema: Json, level: str, path: str) -> list[Cause]:
    kind, found = schema.get("type") or "", []
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if embedded and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        found.append(_missing_or_wrong(f"{path}.type", kind, text))
    elif not kind and not free:
        found.append(field_errors.required(f"{path}.type", f"must not be empty {level}"))
    if embedded and "additionalProperties" in schema:
        text = "must not be used if x-kubernetes-embedded-resource is set"
        found.append(field_errors.forbidden(f"{path}.additionalProperties", text))
    if level == _ROOT and kind and kind != "object":
        found.append(field_errors.invalid(f"{path}.type", kind, "must be object at the root"))
    return found


def _missing_or_wrong(path: str, value: str, text: str) -> Cause:
    return field_errors.invalid(path, value, text) if value else field_errors.required(path, text)


def _metadata_causes(schema: Json, level: str, path: str) -> list[Cause]:
    found: list[Cause] = []
    properties = schema.get("properties") or {}
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if level == _ROOT or embedded:
        for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
            inner = properties.get(name)
            if inner is not None and inner.get("type") != kind:
                where = f"{path}.properties[{name}].type"
                found.append(field_errors.invalid(where, inner.get("type") or "", f"must be {kind}"))
    if level == _ROOT and "metadata" in properties and not _says_only_names(properties["metadata"]):
        text = (
            "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )
        found.append(field_errors.forbidden(f"{path}.properties[metadata]", text))
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not properties:
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true "
            "without x-kubernetes-preserve-unknown-fields"
        )
        found.append(field_errors.required(f"{path}.properties", text))
    return found


def _says_only_names(schema: Json) -> bool:
    said = {name for name, value in schema.items() if _is_said(value)}
    named = set(schema.get("properties") or {})
    return said <= {"type", "default", "properties"} and named <= {"name", "generateName"}


def _is_said(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def _int_or_string(schema: Json) -> tuple[bool, bool]:
    """Return whether anyOf, and whether that of the first of allOf, is the one that goes with int-or-string."""
    first: Json = next(iter(schema.get("allOf") or ()), {})
    return schema.get("anyOf") == _INT_OR_STRING, first.get("anyOf") == _INT_OR_STRING


def _validation_causes(schema: Json, path: str, skip_any: bool, skip_first_any: bool) -> list[Cause]:  # noqa: FBT001 - two exceptions of one rule
    found: list[Cause] = []
    for name in ("anyOf", "allOf", "oneOf"):
        for index, inner in enumerate(schema.get(name) or ()):
            if name == "anyOf" and skip_any:
                continue
            skips = name == "allOf" and index == 0 and skip_first_any
            found += _nested_causes(inner, f"{path}.{name}[{index}]", skip_any=skips)
    if isinstance(schema.get("not"), dict):
        found += _nested_causes(schema["not"], f"{path}.not")
    if pattern := schema.get("pattern"):
        try:
            compile_pattern(pattern)
        except ValueError as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            found.append(field_errors.invalid(f"{path}.pattern", pattern, text))
    return found


def _nested_causes(schema: Json, path: str, *, skip_any: bool = False) -> list[Cause]:
    found = _validation_causes(schema, path, skip_any, False)  # noqa: FBT003 - the second exception is at the top
    if isinstance(schema.get("items"), dict):
        found += _nested_causes(schema["items"], f"{path}.items")
    properties = schema.get("properties") or {}
    for name, inner in properties.items():
        found += _nested_causes(inner, f"{path}.properties[{name}]")
    for name, text in _FORBIDDEN_INSIDE:
        value = schema.get(name)
        if (value is not None) if name in _UNDEFINED else _is_said(value):
            found.append(field_errors.forbidden(f"{path}.{name}", text))
    if "metadata" in properties:
        text = "must not be specified in a nested context"
        found.append(field_errors.forbidden(f"{path}.properties[metadata]", text))
    return found


def _incomplete(inner: Json, schema: Json | None, schema_path: str, inner_path: str) -> list[Cause]:
    """Find fields that are checked inside alternatives without standing in the schema itself.

    Kubernetes looks for them from the root only: alternatives of a field may name what the field does not.
    """
    found: list[Cause] = []
    if isinstance(inner.get("not"), dict):
        found += _missing(inner["not"], schema, schema_path, f"{inner_path}.not")
    for name in ("allOf", "anyOf", "oneOf"):
        for index, each in enumerate(inner.get(name) or ()):
            found += _missing(each, schema, schema_path, f"{inner_path}.{name}[{index}]")
    return found


def _missing(inner: Json, schema: Any, schema_path: str, inner_path: str) -> list[Cause]:
    if not isinstance(schema, dict):
        return [field_errors.required(schema_path, f"because it is defined in {inner_path}")]
    found = _incomplete(inner, schema, schema_path, inner_path)
    if isinstance(inner.get("items"), dict):
        found += _missing(inner["items"], schema.get("items"), f"{schema_path}.items", f"{inner_path}.items")
    known = schema.get("properties") or {}
    for name, each in (inner.get("properties") or {}).items():
        found += _missing(
            each, known.get(name), f"{schema_path}.properties[{name}]", f"{inner_path}.properties[{name}]"
        )
    return found
