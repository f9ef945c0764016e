"""Read a client's object against its schema: into the one form in which it is stored.

Nulls and empty optional values go, types are checked, quantities and times take their canonical form. The
result is a new tree that shares no container with what came in, so the caller owns it. The common case, a good
object, is one walk without a path; where something is wrong, a second walk names the field (`strictness`).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from apiserver.core.schema import ListOf, MapOf, Scalar, Schemas, Shape, Struct
from apiserver.core.timestamps import micro_time, time
from apiserver.core.values import Json
from machinery.model import quantity

_INT32: Final = 2**31
_INT64: Final = 2**63


class WrongValue(Exception):  # noqa: N818 - it names what is wrong
    """A value does not fit its field. It gathers the path while the walk unwinds."""

    def __init__(self, problem: str, go_type: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.go_type = go_type  # not "": it is a value of the wrong type
        self.struct = ""  # the innermost Struct that the value is in
        self.fields: list[str] = []  # innermost first, without indexes, as Go writes them
        self.path: list[str] = []  # innermost first, with indexes

    def describe(self) -> str:
        """Return it in Kubernetes' words, with the field."""
        if self.go_type and self.struct:
            fields = ".".join(reversed(self.fields))
            return f"json: {self.problem} into Go struct field {self.struct}.{fields} of type {self.go_type}"
        if self.go_type:
            return f"json: {self.problem} into Go value of type {self.go_type}"
        return f"{''.join(reversed(self.path)).removeprefix('.')}: {self.problem}"


@dataclass(slots=True)
class _Walk:
    """What a walk notices by the way."""

    unknown: bool = False


class Normalized(msgspec.Struct, frozen=True, gc=False):
    """The object as it is stored, and whether it had fields that its schema does not know (dropped from it)."""

    obj: Json
    has_unknown: bool = False


def normalize(schemas: Schemas, definition: str, obj: Any) -> Normalized:
    """Bring an object into the form in which it is stored. Idempotent.

    Raises:
        WrongValue: a value does not fit; `describe()` names the field.
    """
    shape = schemas.struct(definition)
    walk = _Walk()
    result = _struct(shape, obj, walk)
    return Normalized(result, walk.unknown)


def _value(shape: Shape, value: Any, walk: _Walk) -> Any:
    if type(shape) is Scalar:
        if shape is Scalar.STRING and type(value) is str:  # most of what there is
            return value
        return _READERS[shape](value)
    if type(shape) is Struct:
        return _struct(shape, value, walk)
    if type(shape) is ListOf:
        return _list(shape, value, walk)
    return _map(shape, value, walk)  # type: ignore[arg-type] # MapOf is what is left; isinstance costs a third


def _struct(shape: Struct, value: Any, walk: _Walk) -> Json:
    if not isinstance(value, dict):
        raise _mismatch(value, shape)
    fields, left_out = shape.fields, shape.left_out_when_empty
    result = {}
    for name, item in value.items():
        if item is None:
            walk.unknown |= name not in fields
            continue
        inner = fields.get(name)
        if inner is None:
            walk.unknown = True
            continue
        try:
            read = _value(inner, item, walk)
        except WrongValue as wrong:
            wrong.struct = wrong.struct or shape.title
            wrong.fields.append(name)
            wrong.path.append(f".{name}")
            raise
        if read or name not in left_out:
            result[name] = read
    return result


def _list(shape: ListOf, value: Any, walk: _Walk) -> list[Any]:
    if not isinstance(value, list):
        raise _mismatch(value, shape)
    item_shape = shape.item
    result = []
    for index, item in enumerate(value):
        try:
            result.append(_zero(item_shape) if item is None else _value(item_shape, item, walk))
        except WrongValue as wrong:
            wrong.path.append(f"[{index}]")
            raise
    return result


def _map(shape: MapOf, value: Any, walk: _Walk) -> Json:
    if not isinstance(value, dict):
        raise _mismatch(value, shape)
    item_shape = shape.item
    result = {}
    for name, item in value.items():
        try:
            result[name] = _zero(item_shape) if item is None else _value(item_shape, item, walk)
        except WrongValue as wrong:
            wrong.path.append(f".{name}")
            raise
    return result


def _zero(shape: Shape) -> Any:
    """Return what null means inside a list or a map: Go's zero value."""
    if isinstance(shape, ListOf):
        return []
    if isinstance(shape, MapOf | Struct):
        return {}
    return _ZEROS.get(shape)


def _mismatch(value: Any, shape: Shape) -> WrongValue:
    return WrongValue(f"cannot unmarshal {_json_type(value)}", shape.go_type)


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "number"
        case float():
            return f"number {value!r}"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, Scalar.STRING)
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, Scalar.BOOLEAN)
    return value


def _integer(limit: int, scalar: Scalar) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int:
            raise _mismatch(value, scalar)
        if not -limit <= value < limit:
            raise WrongValue(f"cannot unmarshal number {str(value)[:30]}", scalar.go_type)
        return value

    return read


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, Scalar.NUMBER)
    return value


def _int_or_string(value: Any) -> int | str:
    if isinstance(value, str):
        return value
    return _integer(_INT32, Scalar.INT_OR_STRING)(value)


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _mismatch(value, Scalar.QUANTITY)
    try:
        return _canonical(value)
    except ValueError as error:
        raise WrongValue(f"{error} (value: {str(value)[:60]!r})") from error


@lru_cache(maxsize=4096)
def _canonical(value: str | float) -> str:
    return quantity.canonical(value)


def _bytes(value: Any) -> str:
    text = _string(value)
    if "\n" in text or "\r" in text:
        text = text.replace("\n", "").replace("\r", "")
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise WrongValue(f"illegal base64 data: {str(error).lower()}") from error
    return text


def _timestamp(scalar: Scalar, read: Callable[[str], str]) -> Callable[[Any], Any]:
    def canonical(value: Any) -> str:
        if not isinstance(value, str):
            raise _mismatch(value, scalar)
        try:
            return read(value)
        except ValueError as error:
            raise WrongValue(str(error)) from error

    return canonical


_READERS: Final[dict[Scalar, Callable[[Any], Any]]] = {
    Scalar.STRING: _string,
    Scalar.INT32: _integer(_INT32, Scalar.INT32),
    Scalar.INT64: _integer(_INT64, Scalar.INT64),
    Scalar.NUMBER: _number,
    Scalar.BOOLEAN: _boolean,
    Scalar.QUANTITY: _quantity,
    Scalar.INT_OR_STRING: _int_or_string,
    Scalar.TIME: _timestamp(Scalar.TIME, time),
    Scalar.MICRO_TIME: _timestamp(Scalar.MICRO_TIME, micro_time),
    Scalar.BYTES: _bytes,
    Scalar.ANYTHING: lambda value: value,
}
_ZEROS: Final[dict[Scalar, Any]] = {
    Scalar.STRING: "",
    Scalar.BYTES: "",
    Scalar.INT32: 0,
    Scalar.INT64: 0,
    Scalar.NUMBER: 0,
    Scalar.BOOLEAN: False,
    Scalar.QUANTITY: "0",
    Scalar.INT_OR_STRING: 0,
}
