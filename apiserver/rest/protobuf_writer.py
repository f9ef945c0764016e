"""Objects as Kubernetes' protobuf messages, written from their JSON: the other direction of `protobuf_body`.

For every message there is one function that writes it, put together once from the descriptions of its fields. It walks
over the fields that an object has, not over those that it could have, and makes no message in between. A field that is
not described is left out: a client that reads protobuf has no place for it.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from apiserver.rest.protobuf_messages import EXTENSIONS, INLINED, META, RUNTIME, described_messages
from machinery.model.varints import varint

Write: TypeAlias = Callable[[Any], bytes]
_Part: TypeAlias = tuple[frozenset[str], Write]  # a message, and the names of fields that stand in its place

_VARINT, _FIXED64, _SIZED = 0, 1, 2  # wire types
_DOUBLE, _BOOL, _STRING, _MESSAGE, _BYTES = 1, 8, 9, 11, 12  # types in descriptions
_REPEATED: Final = 3  # a label there
_WIRE_TYPES: Final = {_DOUBLE: _FIXED64, _STRING: _SIZED, _MESSAGE: _SIZED, _BYTES: _SIZED}
_SHORT: Final = 0x80  # sizes below are one byte
_LONGEST: Final = 64  # characters of a text that is remembered
_MOST: Final = 512  # texts of a field
_TWO_TO_64: Final = 1 << 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400

_writers: dict[str, Write] = {}
_fields: dict[str, Mapping[str, Write]] = {}  # of messages all of whose fields are fields in JSON


def message_writer(name: str) -> Write:
    """Return the function that writes an object, decoded from JSON, as a message.

    It raises TypeError, ValueError, AttributeError or struct.error where a value is not what its field says.

    Raises:
        KeyError: there is no message of that name.
    """
    found = _writers.get(name)
    if found is None:
        compiler = _Compiler(described_messages())
        found = compiler.writer(name)
        _writers.update(compiler.made)
        _fields.update(compiler.fields)
    return found


def field_writers(name: str) -> Mapping[str, Write] | None:
    """Return the functions that write the fields of a message, by their names in JSON; None where it has others there.

    Raises:
        KeyError: there is no message of that name.
    """
    message_writer(name)
    return _fields.get(name)


def fields_writer(fields: Mapping[str, Write]) -> Write:
    """Return the function that writes an object whose fields these write."""
    return _message(fields)


def message_field(number: int, name: str) -> Write:
    """Return the function that writes a message of that name as the field of that number; the one that messages have for it.

    Raises:
        KeyError: there is no message of that name.
    """
    return _within(_tag(number, _SIZED), message_writer(name))


def sized_field(number: int) -> Callable[[bytes], bytes]:
    """Return the function that writes bytes, or a message, as the field of that number."""
    return _sized(_tag(number, _SIZED))


class _Compiler:
    """Puts writers together, each from those of the messages that it is made of."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._described = described
        self.made: dict[str, Write] = {**_SPECIAL, **_writers}
        self.fields: dict[str, Mapping[str, Write]] = {}

    def writer(self, name: str) -> Write:
        if name not in self.made:
            message = self._described[name]
            fields: dict[str, Write] = {}
            parts: list[_Part] = []
            self.made[name] = self._walk(name, fields, parts)
            for field in message.field:  # one may be of this message's own type
                if _is_inlined(field):
                    parts.append((self._names_in(field), self._one(field)))
                else:
                    fields[_json_name(field)] = self._field(message, field)
            if not parts and name not in _CHOICES:
                self.fields[name] = fields
        return self.made[name]

    def _walk(self, name: str, fields: Mapping[str, Write], parts: list[_Part]) -> Write:
        """Return what writes a message by its fields, which are put together later."""
        if choose := _CHOICES.get(name):
            return choose(fields)
        is_plain = not any(map(_is_inlined, self._described[name].field))
        return _message(fields) if is_plain else _with_parts(fields, parts)

    def _names_in(self, inlined: Any) -> frozenset[str]:
        """Return the names of the fields that stand in the place of one."""
        found: set[str] = set()
        for field in self._described[inlined.type_name[1:]].field:
            found |= self._names_in(field) if _is_inlined(field) else {_json_name(field)}
        return frozenset(found)

    def _field(self, message: Any, field: Any) -> Write:
        entry = _map_entry(message, field)
        if entry is not None:
            key, value = map(self._one, entry.field)
            if entry.field[1].type == _STRING:  # what people write there is seldom said twice
                value = _string(_tag_of(entry.field[1]))
            return _map(_sized(_tag_of(field)), key, value)
        one = self._one(field)
        return _each(one) if field.label == _REPEATED else one

    def _one(self, field: Any) -> Write:
        tag = _tag_of(field)
        if field.type == _MESSAGE:
            of_message = _within(tag, self.writer(field.type_name[1:]))
            return _remembered(of_message) if field.type_name[1:] in _TIMES else of_message
        return _SCALARS.get(field.type, _integer)(tag)


def _is_inlined(field: Any) -> bool:
    return field.name in INLINED and field.type == _MESSAGE


def _json_name(field: Any) -> str:
    name: str = field.json_name or field.name
    return name


def _map_entry(message: Any, field: Any) -> Any:
    """Return the message of a map's entries, its key first; None where the field is no map."""
    name = field.type_name.rpartition(".")[2]
    return next((each for each in message.nested_type if each.name == name), None)


def _tag_of(field: Any) -> bytes:
    return _tag(field.number, _WIRE_TYPES.get(field.type, _VARINT))


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


@cache
def _heads(tag: bytes) -> tuple[bytes, ...]:
    """Return a tag with each of the short sizes behind it."""
    return tuple(tag + bytes((size,)) for size in range(_SHORT))


def _sized(tag: bytes) -> Callable[[bytes], bytes]:
    heads = _heads(tag)

    def write(data: bytes) -> bytes:
        size = len(data)
        return heads[size] + data if size < _SHORT else tag + varint(size) + data

    return write


def _message(fields: Mapping[str, Write]) -> Write:
    find = fields.get

    def write(obj: Mapping[str, Any]) -> bytes:
        return b"".join(
            [field(value) for name, value in obj.items() if value is not None and (field := find(name))]
        )

    return write


def _with_parts(fields: Mapping[str, Write], parts: list[_Part]) -> Write:
    """Write a message some of whose fields are, in JSON, given by their own fields."""
    own = _message(fields)

    def write(obj: Mapping[str, Any]) -> bytes:
        written = own(obj)
        for names, part in parts:
            if given := {name: value for name, value in obj.items() if name in names}:
                written += part(given)
        return written

    return write


@cache
def _within(tag: bytes, message: Write) -> Write:
    heads = _heads(tag)

    def write(obj: Any) -> bytes:
        data = message(obj)
        size = len(data)
        return heads[size] + data if size < _SHORT else tag + varint(size) + data

    return write


def _each(one: Write) -> Write:
    return lambda values: b"".join([one(value) for value in values])


def _map(entry: Callable[[bytes], bytes], key: Write, value: Write) -> Write:
    return lambda pairs: b"".join([entry(key(name) + value(each)) for name, each in pairs.items()])


class _Known(dict[str, bytes]):
    """The texts of a field as they are written: most are said again and again, as names of conditions are."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def __missing__(self, text: str) -> bytes:
        made = self._write(text)
        if len(text) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[text] = made
        return made


def _remembered(write: Write) -> Write:
    return _Known(write).__getitem__


def _text(tag: bytes) -> Write:
    return _remembered(_string(tag))


def _string(tag: bytes) -> Write:
    heads = _heads(tag)

    def write(text: str) -> bytes:
        data = text.encode()
        size = len(data)
        return heads[size] + data if size < _SHORT else tag + varint(size) + data

    return write


def _bytes(tag: bytes) -> Write:
    sized = _sized(tag)
    return lambda text: sized(a2b_base64(text, strict_mode=True))


def _boolean(tag: bytes) -> Write:
    found: Any = {True: tag + b"\x01", False: tag + b"\x00"}
    write: Write = found.get  # of what is neither it writes None, which no message takes
    return write


def _integer(tag: bytes) -> Write:
    heads = _heads(tag)
    return lambda number: heads[number] if 0 <= number < _SHORT else tag + varint(number % _TWO_TO_64)


def _double(tag: bytes) -> Write:
    return lambda number: tag + struct.pack("<d", number)


_SCALARS: Final[Mapping[int, Callable[[bytes], Write]]] = {
    _DOUBLE: _double,
    _BOOL: _boolean,
    _STRING: _text,
    _BYTES: _bytes,
}


@lru_cache(maxsize=1024)
def _time(text: str) -> bytes:
    """Write a time; its fraction, which JSON does not have, is left out as Kubernetes does."""
    return _seconds(_since_epoch(text)[0])


@lru_cache(maxsize=1024)
def _micro_time(text: str) -> bytes:
    seconds, nanoseconds = _since_epoch(text)
    return _seconds(seconds) + _nanoseconds(nanoseconds)


def _since_epoch(text: str) -> tuple[int, int]:
    since = datetime.fromisoformat(text) - _EPOCH
    return since.days * _DAY_S + since.seconds, since.microseconds * 1000


_seconds: Final = _integer(_tag(1, _VARINT))
_nanoseconds: Final = _integer(_tag(2, _VARINT))
_first: Final = _string(_tag(1, _SIZED))
_first_bytes: Final = _sized(_tag(1, _SIZED))
_TEXT: Final = _tag(1, _VARINT) + b"\x01"  # what an IntOrString is
_int_value: Final = _integer(_tag(2, _VARINT))
_text_value: Final = _string(_tag(3, _SIZED))


def _int_or_string(value: int | str) -> bytes:
    return _TEXT + _text_value(value) if isinstance(value, str) else _int_value(value)


def _quantity(value: float | str) -> bytes:
    return _first(str(value))


def _raw(value: Any) -> bytes:
    """Write what stays JSON."""
    return _first_bytes(msgspec.json.encode(value))


def _schema_or(other: str, type_: type) -> Callable[[Mapping[str, Write]], Write]:
    """Return what makes the writer of a message that in JSON is a schema, or a value of another type."""

    def choose(fields: Mapping[str, Write]) -> Write:
        return lambda value: fields[other if isinstance(value, type_) else "schema"](value)

    return choose


def _schema_or_bool(fields: Mapping[str, Write]) -> Write:
    def write(value: Any) -> bytes:
        if isinstance(value, bool):
            return fields["allows"](value)
        return fields["allows"](True) + fields["schema"](value)  # noqa: FBT003 - as Kubernetes reads a schema

    return write


_CHOICES: Final[Mapping[str, Callable[[Mapping[str, Write]], Write]]] = {
    f"{EXTENSIONS}.JSONSchemaPropsOrArray": _schema_or("jSONSchemas", list),
    f"{EXTENSIONS}.JSONSchemaPropsOrBool": _schema_or_bool,
    f"{EXTENSIONS}.JSONSchemaPropsOrStringArray": _schema_or("property", list),
}

_TIMES: Final = frozenset({f"{META}.Time", f"{META}.MicroTime"})
_items: Final = _each(_first)
_SPECIAL: Final[dict[str, Write]] = {
    f"{META}.Time": _time,
    f"{META}.MicroTime": _micro_time,
    f"{META}.FieldsV1": _raw,
    f"{RUNTIME}.RawExtension": _raw,
    f"{EXTENSIONS}.JSON": _raw,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    f"{META}.Verbs": _items,
    "k8s.io.api.authentication.v1.ExtraValue": _items,
    "k8s.io.api.authorization.v1.ExtraValue": _items,
    "k8s.io.api.certificates.v1.ExtraValue": _items,
}
