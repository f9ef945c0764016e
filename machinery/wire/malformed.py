"""Requests that are no messages of their type: who sent them is told so, and which field it is where it is one.

gRPC itself would answer UNKNOWN or INTERNAL to what a deserializer raises, as if the server were at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from machinery.model.errors import BadRequest

_LENGTH_DELIMITED: Final = 2  # the wire type of strings and messages


@dataclass(frozen=True, slots=True)
class Malformed:
    """What stands in a handler for a request that cannot be read."""

    error: BadRequest


def reader_of(type_: Descriptor) -> Callable[[bytes], Any]:
    """Return what reads messages of a type, and gives `Malformed` in the place of one that cannot be read."""
    read_message = GetMessageClass(type_).FromString

    def read(data: bytes) -> Any:
        try:
            return read_message(data)
        except DecodeError:
            return Malformed(BadRequest(problem(data, type_)))

    return read


def problem(data: bytes, type_: Descriptor) -> str:
    """Return what is wrong with bytes that are no message of a type."""
    if field := next(_not_utf8(data, type_), ""):
        return f"{field}: the string is not valid UTF-8"
    return f"the request is not a {type_.full_name}"


def _not_utf8(data: bytes, type_: Descriptor) -> Iterator[str]:
    """Yield the paths of the strings that are not UTF-8; none where the bytes are no message at all."""
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.unknown_fields import UnknownFieldSet

    try:
        fields: Any = UnknownFieldSet(Empty.FromString(data))
    except DecodeError:
        return
    for each in fields:
        field = type_.fields_by_number.get(each.field_number)
        if field is None or each.wire_type != _LENGTH_DELIMITED:
            continue
        if field.message_type is not None:
            yield from (f"{field.name}.{inner}" for inner in _not_utf8(each.data, field.message_type))
        elif field.type == FieldDescriptor.TYPE_STRING and not _is_utf8(each.data):
            yield field.name


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
