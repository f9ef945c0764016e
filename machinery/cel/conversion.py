"""JSON as the values of a schema's types, and how lists of a schema compare and join.

Timestamps, durations and bytes are strings in JSON, and a double may be written as an integer. A value is converted where an
expression reaches it, so that what it does not look at costs nothing. Lists that are sets or maps by
`x-kubernetes-list-type` are equal in any order, and are joined by replacing what is there already.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, TypeAlias

from machinery.cel.errors import EvaluationError
from machinery.cel.types import Kind, Type
from machinery.cel.values import Value, equal, parse_duration, parse_timestamp

Reader: TypeAlias = Callable[[Value], Value]


def _double(value: Value) -> Value:
    return float(value) if type(value) is int else value


def _int(value: Value) -> Value:
    return int(value) if type(value) is float and value.is_integer() else value


def _timestamp(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    return parse_timestamp(f"{value}T00:00:00Z" if len(value) == 10 else value)


def _duration(value: Value) -> Value:
    return parse_duration(value) if isinstance(value, str) else value


def _bytes(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise EvaluationError("invalid base64 in a value of format byte") from None


_READERS: Final[dict[Kind, Reader]] = {
    Kind.DOUBLE: _double,
    Kind.INT: _int,
    Kind.TIMESTAMP: _timestamp,
    Kind.DURATION: _duration,
    Kind.BYTES: _bytes,
}


def reader_of(declared: Type) -> Reader | None:
    """Return what makes the value of a type from JSON; None where JSON's is the value."""
    if declared.kind in _READERS:
        return _READERS[declared.kind]
    if declared.kind not in {Kind.LIST, Kind.MAP}:
        return None
    inner = reader_of(declared.element)
    if inner is None or declared.element.kind is Kind.INT:
        return None  # integers of a list are integers already, except for 1.0, which equals 1
    if declared.kind is Kind.LIST:
        return lambda value: [inner(one) for one in value] if isinstance(value, list) else value
    return lambda value: (
        {key: inner(one) for key, one in value.items()} if isinstance(value, Mapping) else value
    )


def has_own_equality(declared: Type) -> bool:
    """Whether a type has lists in it that do not compare element by element."""
    if declared.kind is Kind.LIST and declared.list_kind != "atomic":
        return True
    if declared.kind in {Kind.LIST, Kind.MAP, Kind.OPTIONAL}:
        return has_own_equality(declared.element)
    return any(has_own_equality(field.type) for field in declared.fields.values())


def equality_of(declared: Type) -> Callable[[Value, Value], bool]:
    """Return how values of a type compare."""
    return (lambda one, other: _equal(declared, one, other)) if has_own_equality(declared) else equal


def _equal(declared: Type, one: Value, other: Value) -> bool:
    if declared.kind is Kind.LIST and isinstance(one, list) and isinstance(other, list):
        return _equal_lists(declared, one, other)
    if declared.kind in {Kind.OBJECT, Kind.MAP} and isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            _equal(_member(declared, key), value, other[key]) for key, value in one.items()
        )
    return equal(one, other)


def _member(declared: Type, key: Any) -> Type:
    if declared.kind is Kind.MAP:
        return declared.element
    found = next((field.type for field in declared.fields.values() if field.name == key), None)
    return Type(Kind.DYN) if found is None else found


def _equal_lists(declared: Type, one: list[Value], other: list[Value]) -> bool:
    if len(one) != len(other):
        return False
    if declared.list_kind == "set":
        return {_identity(value) for value in one} == {_identity(value) for value in other}
    if declared.list_kind == "map":
        theirs = {_keys(declared, value): value for value in other}
        return all(
            (key := _keys(declared, value)) in theirs and _equal(declared.element, value, theirs[key])
            for value in one
        )
    return all(_equal(declared.element, value, theirs) for value, theirs in zip(one, other, strict=True))


def _keys(declared: Type, value: Value) -> tuple[Value, ...]:
    if not isinstance(value, Mapping):
        return (repr(value),)
    return tuple(repr(value.get(key)) for key in declared.map_keys)


def joined_as(declared: Type) -> Callable[[list[Value], list[Value]], list[Value]] | None:
    """Return how lists of a type are joined by `+`; None where one is put behind the other."""
    if declared.kind is not Kind.LIST or declared.list_kind == "atomic":
        return None
    if declared.list_kind == "set":
        return _united
    return lambda one, other: _merged(declared, one, other)


def _united(one: list[Value], other: list[Value]) -> list[Value]:
    """Return the elements of the first, and those of the second that are not among them."""
    known = {_identity(value) for value in one}
    return [*one, *(value for value in other if _identity(value) not in known)]


def _identity(value: Value) -> Hashable:
    """Return what is the same for equal elements of a set: numbers of all types are, a bool is no number."""
    if isinstance(value, (list, Mapping)):
        return repr(value)
    return (type(value) is bool, value)


def _merged(declared: Type, one: list[Value], other: list[Value]) -> list[Value]:
    """Return elements by their keys: those of the second in the places of the first, new ones at the end."""
    found = {_keys(declared, value): value for value in one}
    found.update((_keys(declared, value), value) for value in other)
    return list(found.values())
