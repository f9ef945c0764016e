"""Kubernetes' protobuf messages as what JSON has in their place, by functions that are put together once for every message.

What is unusual in a message they leave to `protobuf_body`, which walks field by field and says where it is.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from apiserver.rest.protobuf_messages import is_inlined

Read: TypeAlias = Callable[[Any], Any]
_Field: TypeAlias = tuple[str, Read | None]
"""The name in JSON, "" of an inlined field; and what reads the value, None of a value that is the same there."""


class Unusual(Exception):  # noqa: N818 - no error yet: the careful walk finds out
    """A message has fields that are not described, or a string that is no UTF-8."""


class Readers:
    """The functions, each made when it is first needed; `special` are those of messages that are no objects in JSON."""

    def __init__(self, special: Mapping[str, Read]) -> None:
        self._made: dict[str, Read] = dict(special)

    def read(self, message: Any) -> Any:
        """Return what JSON has in a message's place. What is not described is gone from the message afterwards.

        Raises:
            Unusual: it has to be read field by field.
        """
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() != size:
            raise Unusual
        return self._reader(message.DESCRIPTOR)(message)

    def _reader(self, descriptor: Any) -> Read:
        name = descriptor.full_name
        if name not in self._made:
            fields: dict[int, _Field] = {}
            self._made[name] = _message(fields)
            for field in descriptor.fields:  # one may be of this message's own type
                fields[field.number] = ("" if is_inlined(field) else field.json_name), self._field(field)
        return self._made[name]

    def _field(self, field: Any) -> Read | None:
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            return _map(self._one(message.fields_by_name["value"]))
        one = self._one(field)
        return _each(one) if field.is_repeated else one

    def _one(self, field: Any) -> Read | None:
        if field.message_type is not None:
            return self._reader(field.message_type)
        return _base64 if field.type == field.TYPE_BYTES else None


def _message(fields: Mapping[int, _Field]) -> Read:
    def read(message: Any) -> Any:
        obj: dict[str, Any] = {}
        for field, value in message.ListFields():
            name, of_value = fields[field.number]
            if of_value is None:
                obj[name] = _plain(value) if type(value) is bytes else value
            elif name:
                obj[name] = of_value(value)
            else:
                obj |= of_value(value)
        return obj

    return read


def _each(one: Read | None) -> Read:
    read: Final = one or _plain
    return lambda values: [read(value) for value in values]


def _map(one: Read | None) -> Read:
    read: Final = one or _plain
    return lambda pairs: {_plain(key): read(value) for key, value in pairs.items()}


def _plain(value: Any) -> Any:
    """Return a value that is the same in JSON; the library gives the bytes of a string that is no UTF-8."""
    if type(value) is bytes:
        raise Unusual
    return value


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
