"""Objects as protobuf messages, written from their JSON: what a write has left as it was is not read again.

Most writes change a little: a status, and with it one entry of managedFields. So an object's spec and those entries are
remembered as they were written, by the bytes of their JSON; and the fields that an entry names stay JSON, which they are in
a message, too. The other parts are decoded, and written by `protobuf_writer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias, TypedDict

import msgspec

from apiserver.rest.protobuf_messages import META
from apiserver.rest.protobuf_writer import (
    Write,
    field_writers,
    fields_writer,
    message_field,
    message_writer,
    sized_field,
)

WriteJson: TypeAlias = Callable[[bytes], bytes]
BUDGET: Final = 4 * 1024 * 1024  # bytes of JSON and of messages that are remembered together
_METADATA, _MANAGED_FIELDS = 1, 17  # numbers of fields: of every object; of its metadata
_LARGEST: Final = 64 * 1024  # bytes of JSON of a part that is remembered


class Remembered:
    """Parts of objects as they were written; all are forgotten where there is no room for one more."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = self._left = budget
        self._found: dict[tuple[WriteJson, bytes], bytes] = {}

    def writer(self, write: WriteJson) -> Callable[[msgspec.Raw], bytes]:
        """Return what writes a part as `write` does."""

        def found_or_written(part: msgspec.Raw) -> bytes:
            key = (write, bytes(part))
            return self._found.get(key) or self._keep(key, write(key[1]))

        return found_or_written

    def _keep(self, key: tuple[WriteJson, bytes], made: bytes) -> bytes:
        size = len(key[1]) + len(made)
        if size <= _LARGEST:
            if size > self._left:
                self._found.clear()
                self._left = self._budget
            self._found[key] = made
            self._left -= size
        return made


_remembered: Final = Remembered()


@cache
def object_writer(name: str) -> WriteJson:
    """Return the function that writes an object, from its JSON, as a message.

    It raises msgspec.DecodeError, TypeError, ValueError, AttributeError or struct.error where a value is not what its field
    says.

    Raises:
        KeyError: there is no message of that name.
    """
    own = field_writers(name)
    if own is None:
        return _from_json(message_writer(name), Any)
    fields: dict[str, Write] = dict(own)
    types: dict[str, Any] = dict.fromkeys(own, Any)
    if own.get("metadata") is message_field(_METADATA, f"{META}.ObjectMeta"):
        fields["metadata"], types["metadata"] = _metadata()
    if "spec" in own:
        fields["spec"], types["spec"] = _remembered.writer(_from_json(own["spec"], Any)), msgspec.Raw
    return _from_json(fields_writer(fields), _object_type(types))


@cache
def _metadata() -> tuple[Write, Any]:
    """Return what writes an object's metadata, and the type as which it is decoded for that."""
    own = field_writers(f"{META}.ObjectMeta") or {}
    entry = _remembered.writer(_entry_writer())
    write = fields_writer({**own, "managedFields": lambda entries: b"".join(map(entry, entries))})
    decoded = _object_type({**dict.fromkeys(own, Any), "managedFields": list[msgspec.Raw] | None})
    field = sized_field(_METADATA)
    return (lambda metadata: field(write(metadata))), decoded | None


def _entry_writer() -> WriteJson:
    own = field_writers(f"{META}.ManagedFieldsEntry") or {}
    write = _from_json(fields_writer(own), _object_type({**dict.fromkeys(own, Any), "fieldsV1": msgspec.Raw}))
    field = sized_field(_MANAGED_FIELDS)
    return lambda json: field(write(json))


def _object_type(fields: Mapping[str, Any]) -> Any:
    """Return the type of a dict with these keys, in any order; there may be others in JSON, which are passed over."""
    make: Any = TypedDict
    return make("Object", fields, total=False)


def _from_json(write: Write, type_: Any) -> WriteJson:
    decode = msgspec.json.Decoder(type_).decode

    def written(json: bytes) -> bytes:
        value = decode(json)
        return b"" if value is None else write(value)

    return written
