"""The version 2 OpenAPI document in protobuf, the only form that kubectl reads it in.

The message is `openapi.v2.Document` of https://github.com/google/gnostic (openapiv2/OpenAPIv2.proto). The tables
below say for every key of the JSON document which field it becomes and how it is written; keys that the message
has no field for are left out. Fed by `apiserver.core.openapi.document_v2`. docs/adr/0018 says why it is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack
from typing import Any, Final

import msgspec

from apiserver.core.values import Json
from machinery.model.varints import varint

Writer = Callable[[int, Any], bytes]  # the field's number, its value
Fields = Mapping[str, tuple[int, Writer]]  # by key; _EXTENSION stands for every key that starts with it
_EXTENSION: Final = "x-"
_VARINT, _FIXED64, _LENGTH = 0, 1, 2  # https://protobuf.dev/programming-guides/encoding/#structure
_INT64: Final = (1 << 64) - 1


def encode(document: Json) -> bytes:
    """Write the document as an `openapi.v2.Document`."""
    return _content(document, _DOCUMENT)


def _content(value: Json, fields: Fields) -> bytes:
    return b"".join(_field(key, each, fields) for key, each in value.items())


def _field(key: str, value: Any, fields: Fields) -> bytes:
    if key.startswith(_EXTENSION):
        number, _ = fields[_EXTENSION]
        return _entry(number, key, value, _any)
    if key not in fields:
        return b""
    number, write = fields[key]
    return write(number, value)


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def _chunk(number: int, content: bytes) -> bytes:
    return b"".join((_tag(number, _LENGTH), varint(len(content)), content))


def _entry(number: int, name: str, value: Any, write: Writer) -> bytes:
    """Write one entry of a map: gnostic's maps are lists of messages with a name (1) and a value (2)."""
    return _chunk(number, _string(1, name) + write(2, value))


def _string(number: int, value: str) -> bytes:
    return _chunk(number, value.encode())


def _boolean(number: int, value: bool) -> bytes:  # noqa: FBT001 - a Writer
    return _tag(number, _VARINT) + varint(value)


def _integer(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + varint(value & _INT64)


def _double(number: int, value: float) -> bytes:
    return _tag(number, _FIXED64) + pack("<d", value)


def _any(number: int, value: Any) -> bytes:
    """Write a value of no particular type: as YAML, which JSON is, in field 2."""
    return _chunk(number, _chunk(2, msgspec.json.encode(value)))


def _message(fields: Fields) -> Writer:
    return lambda number, value: _chunk(number, _content(value, fields))


def _each(write: Writer) -> Writer:
    return lambda number, values: b"".join(write(number, value) for value in values)


def _named(write: Writer) -> Writer:
    return lambda number, values: b"".join(_entry(number, key, each, write) for key, each in values.items())


def _within(inner: int, write: Writer) -> Writer:
    """Write a message that has nothing but this one field."""
    return lambda number, value: _chunk(number, write(inner, value))


def _schema(number: int, value: Json) -> bytes:
    return _chunk(number, _content(value, _SCHEMA))


def _types(number: int, value: str | list[str]) -> bytes:
    names = [value] if isinstance(value, str) else value
    return _chunk(number, _each(_string)(1, names))


def _items(number: int, value: Json | list[Json]) -> bytes:
    schemas = [value] if isinstance(value, dict) else value
    return _chunk(number, _each(_schema)(1, schemas))


def _additional_properties(number: int, value: Json | bool) -> bytes:  # noqa: FBT001 - a Writer
    return _chunk(number, _boolean(2, value) if isinstance(value, bool) else _schema(1, value))


def _parameter(number: int, value: Json) -> bytes:
    """Write a ParametersItem: its one field is a Parameter, which tells parameters in the body from others."""
    place = value["in"]
    if place == "body":
        written = _message(_BODY_PARAMETER)(1, value)
    else:
        inner, fields = _PLACES[place]
        written = _chunk(2, _message(fields)(inner, value))
    return _chunk(number, _chunk(1, written))


_BOUNDS: Final[Mapping[str, Writer]] = {
    "maximum": _double,
    "exclusiveMaximum": _boolean,
    "minimum": _double,
    "exclusiveMinimum": _boolean,
    "maxLength": _integer,
    "minLength": _integer,
    "pattern": _string,
    "maxItems": _integer,
    "minItems": _integer,
    "uniqueItems": _boolean,
}


def _bounds(first: int) -> Fields:
    """Return the fields that limit a value; every message has them in this order."""
    return {key: (number, write) for number, (key, write) in enumerate(_BOUNDS.items(), first)}


_SCHEMA: Final[Fields] = {
    "$ref": (1, _string),
    "format": (2, _string),
    "title": (3, _string),
    "description": (4, _string),
    "default": (5, _any),
    "multipleOf": (6, _double),
    **_bounds(7),
    "maxProperties": (17, _integer),
    "minProperties": (18, _integer),
    "required": (19, _each(_string)),
    "enum": (20, _each(_any)),
    "additionalProperties": (21, _additional_properties),
    "type": (22, _types),
    "items": (23, _items),
    "allOf": (24, _each(_schema)),
    "properties": (25, _within(1, _named(_schema))),
    "discriminator": (26, _string),
    "readOnly": (27, _boolean),
    "example": (30, _any),
    _EXTENSION: (31, _any),
}
_BODY_PARAMETER: Final[Fields] = {
    "description": (1, _string),
    "name": (2, _string),
    "in": (3, _string),
    "required": (4, _boolean),
    "schema": (5, _schema),
    _EXTENSION: (6, _any),
}
_ANY_PARAMETER: Final[Fields] = {
    "required": (1, _boolean),
    "in": (2, _string),
    "description": (3, _string),
    "name": (4, _string),
}
_QUERY_PARAMETER: Final[Fields] = {
    **_ANY_PARAMETER,
    "allowEmptyValue": (5, _boolean),
    "type": (6, _string),
    "format": (7, _string),
    "default": (10, _any),
    **_bounds(11),
    "enum": (21, _each(_any)),
    _EXTENSION: (23, _any),
}
_PATH_PARAMETER: Final[Fields] = {
    **_ANY_PARAMETER,
    "type": (5, _string),
    "format": (6, _string),
    "default": (9, _any),
    **_bounds(10),
    "enum": (20, _each(_any)),
    _EXTENSION: (22, _any),
}
_PLACES: Final = {"query": (3, _QUERY_PARAMETER), "path": (4, _PATH_PARAMETER)}
_RESPONSE: Final[Fields] = {
    "description": (1, _string),
    "schema": (2, _within(1, _schema)),
    _EXTENSION: (5, _any),
}
_OPERATION: Final[Fields] = {
    "tags": (1, _each(_string)),
    "summary": (2, _string),
    "description": (3, _string),
    "operationId": (5, _string),
    "produces": (6, _each(_string)),
    "consumes": (7, _each(_string)),
    "parameters": (8, _each(_parameter)),
    "responses": (9, _within(1, _named(_within(1, _message(_RESPONSE))))),
    "schemes": (10, _each(_string)),
    "deprecated": (11, _boolean),
    _EXTENSION: (13, _any),
}
_PATH_ITEM: Final[Fields] = {
    "get": (2, _message(_OPERATION)),
    "put": (3, _message(_OPERATION)),
    "post": (4, _message(_OPERATION)),
    "delete": (5, _message(_OPERATION)),
    "options": (6, _message(_OPERATION)),
    "head": (7, _message(_OPERATION)),
    "patch": (8, _message(_OPERATION)),
    "parameters": (9, _each(_parameter)),
    _EXTENSION: (10, _any),
}
_INFO: Final[Fields] = {
    "title": (1, _string),
    "version": (2, _string),
    "description": (3, _string),
    _EXTENSION: (7, _any),
}
_API_KEY: Final[Fields] = {
    "type": (1, _string),
    "name": (2, _string),
    "in": (3, _string),
    "description": (4, _string),
}
_DOCUMENT: Final[Fields] = {
    "swagger": (1, _string),
    "info": (2, _message(_INFO)),
    "paths": (8, _within(2, _named(_message(_PATH_ITEM)))),
    "definitions": (9, _within(1, _named(_schema))),
    "security": (12, _each(_within(1, _named(_within(1, _each(_string)))))),
    "securityDefinitions": (13, _within(1, _named(_within(2, _message(_API_KEY))))),
    _EXTENSION: (16, _any),
}
