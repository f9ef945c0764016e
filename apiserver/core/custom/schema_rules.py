"""What a version's schema may say: the words and paths of the 422 of a CustomResourceDefinition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from apiserver.core import field_errors
from apiserver.core.custom import fieldpath, structure
from apiserver.core.custom.defaults_check import check_defaults
from apiserver.core.custom.schema_types import malformed
from apiserver.core.custom.structural import META_FIELDS, MOST_NESTED, is_nested_deeper
from apiserver.core.values import Json
from machinery.model.errors import Cause


class CheckRules(Protocol):
    """Finds what is wrong with the expressions of a schema that is structural."""

    def __call__(self, schema: Json, path: str, /, *, known: bool = False) -> list[Cause]:
        """Check a schema; one that is `known` was stored before, and each of its expressions may cost what it costs."""
        ...


_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_AT_ROOT_OF_STATUS: Final = {  # Go's names are what the message lists
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength", "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems",
    "minItems": "MinItems", "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs", "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}  # fmt: skip
_NOT_SUPPORTED: Final = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


@dataclass(frozen=True, slots=True)
class _Place:
    """What holds where a schema stands."""

    no_defaults: str = ""  # why defaults are forbidden here; "": they are not
    in_metadata: bool = False


def no_rules(_schema: Json, _path: str, *, known: bool = False) -> list[Cause]:  # noqa: ARG001 - a `CheckRules`
    """Find nothing wrong with expressions: none are checked."""
    return []


def check_schema(
    schema: Json, path: str, *, has_status: bool, check_rules: CheckRules = no_rules, known: bool = False
) -> list[Cause]:
    """Find what is wrong with the schema of a version; `path` is that of openAPIV3Schema, `known`: it was stored so before."""
    if is_nested_deeper(schema, 2 * MOST_NESTED):
        text = f"must not be nested more than {MOST_NESTED} schemas deep"
        return [field_errors.invalid(path, "", text)]
    if why := malformed(schema):
        return [field_errors.invalid(path, "", why)]
    found = _root_causes(schema, path, has_status=has_status)
    unreadable = structure.unreadable(schema)
    structural = [] if unreadable else structure.violations(schema, path)
    found += structural
    if not unreadable and not structural:
        found += check_defaults(schema, path)
    found += _schema_causes(schema, path, _Place(), is_root=True)
    if unreadable and not found:
        found.append(field_errors.invalid(path, "", unreadable))
    return found or check_rules(schema, path, known=known)


def _root_causes(schema: Json, path: str, *, has_status: bool) -> list[Cause]:
    found: list[Cause] = []
    said = [name for name, value in schema.items() if value not in (None, False, "", [], {})]
    if has_status and "type" in said and schema["type"] != "object":
        text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        found.append(field_errors.invalid(f"{path}.type", schema["type"], text))
    elif has_status and any(name not in _AT_ROOT_OF_STATUS for name in said):
        allowed = " ".join(_AT_ROOT_OF_STATUS.values())
        text = f"only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
        found.append(field_errors.invalid(path, schema, text))
    if schema.get("nullable"):
        found.append(field_errors.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return found


def _schema_causes(schema: Json, path: str, place: _Place, *, is_root: bool = False) -> list[Cause]:
    found = _own_causes(schema, path, place)
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(field_errors.forbidden(f"{path}.uniqueItems", text))
    found += _additional_causes(schema, path, place)
    for name, inner in (schema.get("properties") or {}).items():
        inside = place
        if (is_root or schema.get("x-kubernetes-embedded-resource")) and name in META_FIELDS:
            reason = f"in top-level {name}" if is_root else place.no_defaults
            inside = replace(place, in_metadata=True, no_defaults=reason)
        found += _schema_causes(inner, f"{path}.properties[{name}]", inside)
    if isinstance(schema.get("not"), dict):
        found += _schema_causes(schema["not"], f"{path}.not", place)
    for name in ("allOf", "oneOf", "anyOf"):
        for index, inner in enumerate(schema.get(name) or ()):
            found += _schema_causes(inner, f"{path}.{name}[{index}]", place)
    for name, inner in (schema.get("definitions") or {}).items():
        found += _schema_causes(inner, f"{path}.definitions[{name}]", place)
    items = schema.get("items")
    if isinstance(items, dict):
        found += _schema_causes(items, f"{path}.items", place)
    found += _extension_causes(schema, path)
    return [*found, *_rule_causes(schema, path)]


def _additional_causes(schema: Json, path: str, place: _Place) -> list[Cause]:
    found: list[Cause] = []
    additional = schema.get("additionalProperties")
    if additional is None:
        return found
    if schema.get("properties") and additional is not True:
        text = "additionalProperties and properties are mutual exclusive"
        found.append(field_errors.forbidden(f"{path}.additionalProperties", text))
    if isinstance(additional, dict):
        reason = "inside additionalProperties applying to object metadata"
        inside = replace(place, no_defaults=reason) if place.in_metadata else place
        found += _schema_causes(additional, f"{path}.additionalProperties", inside)
    return found


def _own_causes(schema: Json, path: str, place: _Place) -> list[Cause]:
    found: list[Cause] = []
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        found.append(field_errors.not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and place.no_defaults:
        found.append(field_errors.forbidden(f"{path}.default", f"must not be set {place.no_defaults}"))
    found += [
        field_errors.forbidden(f"{path}.{name}", f"{name} is not supported")
        for name in _NOT_SUPPORTED
        if schema.get(name) or (name in {"additionalItems", "dependencies"} and schema.get(name) is not None)
    ]
    if kind == "null":
        text = "type cannot be set to null, use nullable as an alternative"
        found.append(field_errors.forbidden(f"{path}.type", text))
    if isinstance(schema.get("items"), list):
        text = "items must be a schema object and not an array"
        found.append(field_errors.forbidden(f"{path}.items", text))
    if place.in_metadata and schema.get("x-kubernetes-embedded-resource"):
        text = "must not be used inside of resource meta"
        found.append(field_errors.forbidden(f"{path}.x-kubernetes-embedded-resource", text))
    return found


def _extension_causes(schema: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    kind, list_type = schema.get("type") or "", schema.get("x-kubernetes-list-type")
    map_type, keys = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-map-keys") or []
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        found.append(field_errors.invalid(where, False, "must be true or undefined"))  # noqa: FBT003 - the value
    if map_type is not None and kind != "object":
        found.append(_for_type(path, kind, "must be object if x-kubernetes-map-type is specified"))
    if map_type not in {None, "atomic", "granular"}:
        found.append(_unsupported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    if list_type is not None and kind != "array":
        found.append(_for_type(path, kind, "must be array if x-kubernetes-list-type is specified"))
    elif list_type == "set":
        found += _set_item_causes(schema.get("items"), path)
    if list_type not in {None, "atomic", "set", "map"}:
        found.append(_unsupported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "set", "map")))
    if keys and list_type != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        found.append(structure_type(f"{path}.x-kubernetes-list-type", list_type or "", text))
    if list_type == "map":
        found += _map_causes(schema, keys, path)
    return [*found, *_item_causes(schema, list_type, keys, path)]


def structure_type(path: str, value: str, text: str) -> Cause:
    """Miss a value, or refuse the one that is there."""
    return field_errors.invalid(path, value, text) if value else field_errors.required(path, text)


def _for_type(path: str, kind: str, text: str) -> Cause:
    return structure_type(f"{path}.type", kind, text)


def _unsupported(path: str, value: Any, supported: tuple[str, ...]) -> Cause:
    named = ", ".join(field_errors.quoted(each) for each in supported)
    return Cause(
        path,
        f"Unsupported value: {field_errors.quoted(value)}: supported values: {named}",
        "FieldValueNotSupported",
    )


def _set_item_causes(items: Any, path: str) -> list[Cause]:
    if not isinstance(items, dict):
        return []
    text = "must be atomic as item of a list with x-kubernetes-list-type=set"
    list_type = items.get("x-kubernetes-list-type")
    if items.get("type") == "array" and list_type not in {None, "atomic"}:
        return [field_errors.invalid(f"{path}.items.x-kubernetes-list-type", list_type, text)]
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        return [field_errors.invalid(f"{path}.items.x-kubernetes-map-type", list_type, text)]
    return []


def _map_causes(schema: Json, keys: list[str], path: str) -> list[Cause]:
    found: list[Cause] = []
    items = schema.get("items")
    where = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        found.append(field_errors.required(where, "must not be empty if x-kubernetes-list-type is map"))
    if items is None:
        text = "must have a schema if x-kubernetes-list-type is map"
        return [*found, field_errors.required(f"{path}.items", text)]
    if not isinstance(items, dict):
        text = "must only have a single schema if x-kubernetes-list-type is map"
        return [*found, field_errors.invalid(f"{path}.items", items, text)]
    kind = items.get("type") or ""
    if kind != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        return [*found, field_errors.invalid(f"{path}.items.type", kind, text)]
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            found.append(field_errors.invalid(where, keys, "entries must all be names of item properties"))
        elif properties[key].get("type") in {"array", "object"}:
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            found.append(field_errors.invalid(f"{path}.items.properties[{key}].type", kind, text))
        if key in keys[:index]:
            found.append(field_errors.invalid(where, keys, "must not contain duplicate entries"))
    return found


def _item_causes(schema: Json, list_type: Any, keys: list[str], path: str) -> list[Cause]:
    items = schema.get("items")
    if list_type not in {"set", "map"} or not isinstance(items, dict):
        return []
    found: list[Cause] = []
    if items.get("nullable"):
        text = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        found.append(field_errors.forbidden(f"{path}.items.nullable", text))
    required, properties = set(items.get("required") or ()), items.get("properties") or {}
    for key in keys if list_type == "map" else ():
        inner = properties.get(key)
        if inner is None:
            continue
        where = f"{path}.items.properties[{key}]"
        if key not in required and inner.get("default") is None:
            text = "so it must have a default or be a required property"
            text = f"this property is in x-kubernetes-list-map-keys, {text}"
            found.append(field_errors.required(f"{where}.default", text))
        if inner.get("nullable"):
            text = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            found.append(field_errors.forbidden(f"{where}.nullable", text))
    return found


def _rule_causes(schema: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{path}.x-kubernetes-validations[{index}]"
        found += _message_causes(rule, where)
        reason = rule.get("reason")
        if reason is not None and reason not in _REASONS:
            found.append(field_errors.not_supported(f"{where}.reason", reason, _REASONS))
        pointed = rule.get("fieldPath") or ""
        if pointed and not pointed.strip():
            found.append(
                field_errors.invalid(
                    f"{where}.fieldPath", pointed, "fieldPath must be non-empty if specified"
                )
            )
        if _has_breaks(pointed):
            found.append(
                field_errors.invalid(f"{where}.fieldPath", pointed, "fieldPath must not contain line breaks")
            )
        if pointed and not structure.unreadable(schema) and fieldpath.resolve(pointed, schema)[1]:
            found.append(
                field_errors.invalid(f"{where}.fieldPath", pointed, "fieldPath must be a valid path")
            )
    return found


def _message_causes(rule: Json, where: str) -> list[Cause]:
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    found: list[Cause] = []
    if not text:
        found.append(field_errors.required(f"{where}.rule", "rule is not specified"))
    elif message and not message.strip():
        found.append(
            field_errors.invalid(f"{where}.message", message, "message must be non-empty if specified")
        )
    elif _has_breaks(message.strip()):
        found.append(
            field_errors.invalid(f"{where}.message", message, "message must not contain line breaks")
        )
    elif _has_breaks(text) and not message.strip():
        told = "message must be specified if rule contains line breaks"
        found.append(field_errors.required(f"{where}.message", told))
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        told = "messageExpression must be non-empty if specified"
        found.append(field_errors.required(f"{where}.messageExpression", told))
    return found


def _has_breaks(text: str) -> bool:
    return "\n" in text or "\r" in text
