"""Types from OpenAPI schemas: those of CustomResourceDefinitions ("structural") and the published ones.

What has no type is not there for expressions; names that are no identifiers are escaped (`__dash__`). Bounds are what fits
into a request of 3 MiB where the schema has none: estimates of cost count by them.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from machinery.cel.types import Field, Kind, Type

Schema: TypeAlias = Mapping[str, Any]

REQUEST_BYTES: Final = 3 * 1024 * 1024
_LONGEST_TIME: Final = 32
_DATE_BYTES: Final = 12
_DATE_TIME_BYTES: Final = 21
_DURATION_BYTES: Final = 3
_WORDS: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_ESCAPED: Final = re.compile(r"__|[-./]")
_NAME: Final = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*", re.ASCII)
_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_TEXT: Final[Schema] = {"type": "string"}
_ROOT: Final[Schema] = {
    "kind": _TEXT,
    "apiVersion": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}


_SIMPLE: Final[Mapping[str, Type]] = {
    "boolean": Type(Kind.BOOL, max_elements=0, min_size=4),
    "number": Type(Kind.DOUBLE, max_elements=0),
    "integer": Type(Kind.INT, max_elements=0),
}


def escape(name: str) -> str | None:
    """Return the identifier that a property goes by; None if it can have none."""
    if name in _WORDS:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], name)


def unescape(name: str) -> str:
    """Return the property that an identifier names."""
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _WORDS:
        return name[2:-2]
    back = {escaped: plain for plain, escaped in _ESCAPES.items()}
    return re.sub("|".join(map(re.escape, back)), lambda found: back[found[0]], name)


def type_from_schema(schema: Schema, *, root: bool = False, name: str = "selfType") -> Type | None:
    """Return the type that a schema describes; None if it is of none that expressions can see.

    `root` is the schema of a whole object, whose kind and name are always there. `name` is what messages call it.
    """
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Type(Kind.DYN, max_elements=REQUEST_BYTES - 2 if longest is None else _characters(longest))
    if root or schema.get("x-kubernetes-embedded-resource"):
        schema = _with_root(schema)
    match schema.get("type"):
        case "array":
            return _list(schema, name)
        case "object":
            of_any_key = isinstance(schema.get("additionalProperties"), Mapping)
            return _map(schema, name) if of_any_key else _object(schema, name)
        case "string":
            return _string(schema)
        case str() as simple:
            return _SIMPLE.get(simple)
    return None


def _characters(longest: int) -> int:
    return max(longest, 0) * 4  # bytes of a character, at most


def _with_root(schema: Schema) -> Schema:
    """Return the schema of an object with the properties that all have."""
    declared = schema.get("properties", {})
    metadata = declared.get("metadata", {}).get("properties", {})
    kept = {"name", "generateName"} <= metadata.keys()
    extra = {key: value for key, value in _ROOT.items() if key != "metadata" or not kept}
    return {**schema, "type": "object", "properties": {**declared, **extra}}


def _list(schema: Schema, name: str) -> Type | None:
    element = type_from_schema(schema.get("items") or {}, name=f"{name}.@idx")
    if element is None:
        return None
    most = schema.get("maxItems")
    return Type(
        Kind.LIST,
        parameters=(element,),
        max_elements=(REQUEST_BYTES - 2) // (element.min_size + 1) if most is None else max(most, 0),
        min_size=2,
        list_kind=schema.get("x-kubernetes-list-type", "atomic"),
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
    )


def _map(schema: Schema, name: str) -> Type | None:
    value = type_from_schema(schema["additionalProperties"], name=f"{name}.@elem")
    if value is None:
        return None
    most = schema.get("maxProperties")
    return Type(
        Kind.MAP,
        parameters=(Type(Kind.STRING, max_elements=0, min_size=2), value),
        max_elements=(REQUEST_BYTES - 2) // (value.min_size + 6) if most is None else max(most, 0),
        min_size=2,
    )


def _object(schema: Schema, name: str) -> Type:
    fields: dict[str, Field] = {}
    size = 2
    required = frozenset(schema.get("required") or ())
    for key, inner in (schema.get("properties") or {}).items():
        identifier = escape(key)
        found = type_from_schema(inner, name=f"{name}.{identifier or key}")
        if found is None:
            continue
        if identifier is not None:
            fields[identifier] = Field(key, found)
        if key in required and "default" not in inner:
            size += len(key) + found.min_size + 4
    return Type(Kind.OBJECT, name, fields=fields, max_elements=0, min_size=size, closed=True)


def _string(schema: Schema) -> Type:
    longest = schema.get("maxLength")
    match schema.get("format"):
        case "byte":
            most = REQUEST_BYTES - 2 if longest is None else max(longest, 0)
            return Type(Kind.BYTES, max_elements=most, min_size=2)
        case "duration":
            return Type(Kind.DURATION, max_elements=_LONGEST_TIME, min_size=_DURATION_BYTES)
        case "date":
            return Type(Kind.TIMESTAMP, max_elements=_DATE_BYTES, min_size=_DATE_BYTES)
        case "date-time":
            return Type(Kind.TIMESTAMP, max_elements=_LONGEST_TIME, min_size=_DATE_TIME_BYTES)
    if longest is not None:
        return Type(Kind.STRING, max_elements=_characters(longest), min_size=2)
    choices = [len(one.encode()) for one in schema.get("enum") or () if isinstance(one, str)]
    return Type(Kind.STRING, max_elements=max(choices) if choices else REQUEST_BYTES - 2, min_size=2)
