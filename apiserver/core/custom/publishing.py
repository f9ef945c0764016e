"""The schema of a version as OpenAPI documents have it: with metadata, and the group, version and kind.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#publish-validation-schema-in-openapi
Version 2 has no words for some of it: there alternatives, `nullable` and what follows from them are left out.
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.values import Json

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REF: Final = "#/$defs/"
_API_VERSION: Final = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    "schemas to the latest internal value, and may reject unrecognized values. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND: Final = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    "endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_METADATA: Final = (
    "Standard object's metadata. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_LEFT_OUT_V2: Final = frozenset({"anyOf", "oneOf", "not", "allOf", "nullable", "x-kubernetes-validations"})
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


def definition_name(group: str, version: str, kind: str) -> str:
    """Return the name of a definition: com.example.v1.CronTab."""
    return ".".join([*reversed(group.split(".")), version, kind])


def published_schema(schema: Json | None, group: str, version: str, kind: str, *, v2: bool = False) -> Json:
    """Return the definition of a kind; references are in the form of the published schemas (`#/$defs/…`)."""
    if not schema or (v2 and schema.get(_PRESERVE)):
        written: Json = {"type": "object"}
    else:
        written = _written(schema, v2=v2)
        given = written.get("properties") or {}
        written["properties"] = {**given, **_type_fields(), "metadata": _metadata_field()}
    names = {"group": group, "kind": kind, "version": version}
    return {**written, "x-kubernetes-group-version-kind": [names]}


def _type_fields() -> Json:
    return {
        "apiVersion": {"type": "string", "description": _API_VERSION},
        "kind": {"type": "string", "description": _KIND},
    }


def _metadata_field() -> Json:
    return {"$ref": _REF + _META, "description": _METADATA}


def _written(schema: Json, *, v2: bool) -> Json:
    written = {
        key: _value(key, value, v2=v2) for key, value in schema.items() if not (v2 and key in _LEFT_OUT_V2)
    }
    if v2:
        _weaken(schema, written)
    if schema.get("x-kubernetes-embedded-resource") and not (v2 and schema.get(_PRESERVE)):
        given = written.get("properties") or {}
        written["properties"] = {**given, **_type_fields(), "metadata": _metadata_field()}
    return written


def _value(key: str, value: Any, *, v2: bool) -> Any:
    match key:
        case "properties":
            return {name: _written(inner, v2=v2) for name, inner in value.items()}
        case "allOf" | "anyOf" | "oneOf":
            return [_written(inner, v2=v2) for inner in value]
        case "items" | "additionalProperties" | "not" if isinstance(value, dict):
            return _written(value, v2=v2)
    return value


def _weaken(schema: Json, written: Json) -> None:
    """Drop what kubectl would take for more than it is: what may be null or anything has no type in version 2."""
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string") or schema.get(_PRESERVE):
        for name in ("type", "items", "properties", "additionalProperties", "required"):
            written.pop(name, None)
    if schema.get("nullable"):
        written.pop("default", None)
