r"""Answers in Kubernetes' protobuf form: objects, lists, events of watches.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding

    object  "k8s\0" Unknown{1: its type, 2: the message, 3: "", 4: ""}
    list    "k8s\0" Unknown{1: its type, 2: List{1: ListMeta, 2: message, 2: message, …}, 3: "", 4: ""}
    event   WatchEvent{1: type, 2: RawExtension{1: object}}, in a stream behind four bytes of length

A message is the second field of an Unknown as well as of a list. So it is written once as that field (`Element`), for
whoever gets the object of that revision: alone, in a list, in an event.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from apiserver.aside import aside, slices
from apiserver.request import Item, ListReply, SharedEvent
from apiserver.rest import envelopes
from apiserver.rest.negotiation import META_V1, META_V1BETA1
from apiserver.rest.protobuf_messages import MAGIC, MEDIA_TYPE, META, message_names, message_of
from apiserver.rest.protobuf_parts import object_writer
from apiserver.rest.protobuf_writer import message_writer, sized_field
from machinery.model.errors import ApiError, NotAcceptable
from machinery.model.kinds import KindNames
from machinery.model.varints import varint

STREAM_TYPE: Final = f"{MEDIA_TYPE};stream=watch"
LIST_TAIL: Final = b"\x1a\x00\x22\x00"
"""What follows a message: its encoding and its media type, both empty."""
BUDGET: Final = 64 * 1024 * 1024  # bytes of JSON and protobuf that are remembered together
_ANSWERS: Final = 32  # writes whose answers are remembered, for as long as their events take
_LIGHT: Final = 8  # bytes of JSON that are written as protobuf as fast as one is read and checked
_METADATA: Final = (META_V1, "PartialObjectMetadata")
_FIRST_TAG: Final = b"\x0a"
_HEAD: Final = re.compile(rb'\{"apiVersion":"([A-Za-z0-9./-]*)","kind":"([A-Za-z0-9]*)"[,}]')
_first: Final = sized_field(1)
_second: Final = sized_field(2)


class Element(NamedTuple):
    """An object: its type, as the first field of an Unknown, and its message, as the second."""

    type_meta: bytes
    message: bytes


class Elements:
    """The latest objects that were written, by the bytes of their JSON, which the watch cache shares with all readers.

    So nothing is kept where nobody asks for it, and no more than `budget` bytes of it.
    """

    def __init__(self, *, is_metadata: bool = False, budget: int = BUDGET) -> None:
        self._write = metadata_element if is_metadata else element
        self._left = budget
        self._found: dict[bytes, Element] = {}
        self._answered: dict[bytes, Element] = {}  # of the latest writes, whose events are about to come

    def get(self, json: bytes) -> Element:
        """Return an object, written now or before.

        Raises:
            NotAcceptable: it cannot be written as protobuf.
        """
        found = self._found.get(json)
        if found is not None:
            return found
        made = self._answered.pop(json) if json in self._answered else self._write(json)
        return self._keep(json, made)

    def get_written(self, json: bytes) -> Element:
        """Return an object as a write is answered with it: the watch cache has, or will have, the same bytes once more.

        Raises:
            NotAcceptable: it cannot be written as protobuf.
        """
        found = self._found.get(json) or self._answered.get(json)
        if found is None:
            found = self._answered[json] = self._write(json)
            if len(self._answered) > _ANSWERS:
                del self._answered[next(iter(self._answered))]
        return found

    async def messages(self, items: Sequence[Item], *, keep: bool) -> list[bytes]:
        """Return the messages of a list's items, and keep them; others have their turn while many are written.

        Raises:
            NotAcceptable: one cannot be written as protobuf.
        """
        find = self._found.get
        found = [find(item.json) for item in items]
        if all(found):
            return [each.message for each in found if each]
        missing = [item.json for item, each in zip(items, found, strict=True) if each is None]
        written: list[Element] = []
        for some, weight in slices(missing, _weight):
            written += await aside(weight, self._written, some)
        if keep:
            for json, each in zip(missing, written, strict=True):
                self._keep(json, each)
        latest = iter(written)
        return [(each or next(latest)).message for each in found]

    def _written(self, some: Sequence[bytes]) -> list[Element]:
        return [self._write(json) for json in some]

    def _keep(self, json: bytes, made: Element) -> Element:
        """Remember an object; the oldest are forgotten where there is no room."""
        if json not in self._found:
            self._found[json] = made
            self._left -= len(json) + len(made.message)
            while self._left < 0:
                oldest = next(iter(self._found))
                self._left += len(oldest) + len(self._found.pop(oldest).message)
        return made


def has_message(kind: KindNames) -> bool:
    """Whether the objects of a kind can be written as protobuf."""
    return message_of(kind.api_version, kind.kind) in message_names()


def element(json: bytes) -> Element:
    """Write an object.

    Raises:
        NotAcceptable: its type has no message, or it has a value that does not fit there.
    """
    api_version, kind = _type_of(json)
    return _element(api_version, kind, json)


def metadata_element(json: bytes) -> Element:
    """Write what an object has in common with others, as PartialObjectMetadata; a Status as it is.

    Raises:
        NotAcceptable: it has a value that does not fit there.
    """
    _, kind = _type_of(json)
    return element(json) if kind == "Status" else _element(*_METADATA, json)


class _Type(msgspec.Struct, frozen=True, gc=False):
    """What an object says of its type."""

    kind: str
    apiVersion: str = ""


_decode_type: Final = msgspec.json.Decoder(_Type).decode


def _type_of(json: bytes) -> tuple[str, str]:
    """Return apiVersion and kind, with which most objects begin."""
    if head := _HEAD.match(json):
        return head[1].decode(), head[2].decode()
    found = _decode_type(json)
    return found.apiVersion, found.kind


def _element(api_version: str, kind: str, json: bytes) -> Element:
    name = message_of(api_version, kind)
    try:
        message = object_writer(name)(json)
    except KeyError as error:
        raise NotAcceptable(
            f"{kind} of {api_version} has no protobuf form: ask for application/json"
        ) from error
    except (TypeError, ValueError, AttributeError, struct.error, msgspec.DecodeError) as error:
        raise NotAcceptable(
            f"{kind} {_name(json)} has a value that its protobuf form cannot have ({error}): ask for application/json"
        ) from error
    return Element(_type_meta(api_version, kind), _second(message))


def _name(json: bytes) -> str:
    meta = msgspec.json.decode(json).get("metadata")
    return repr(meta.get("name", "")) if isinstance(meta, dict) else ""


@lru_cache(maxsize=512)
def _type_meta(api_version: str, kind: str) -> bytes:
    return _first(_first(api_version.encode()) + _second(kind.encode()))


def object_body(made: Element) -> bytes:
    """Write the answer of an object."""
    return b"".join((MAGIC, made.type_meta, made.message, LIST_TAIL))


def in_version(made: Element, meta_version: str) -> Element:
    """Return what an object has in common with others in a version of meta.k8s.io; anything else as it is."""
    if meta_version == META_V1 or made.type_meta != _type_meta(*_METADATA):
        return made
    return Element(_type_meta(meta_version, _METADATA[1]), made.message)


def status_body(error: ApiError) -> bytes:
    """Write the answer of a request that failed."""
    return object_body(element(msgspec.json.encode(error.to_status())))


def list_head(reply: ListReply, size: int) -> bytes:
    """Write what stands before the messages of a list, which have so many bytes."""
    return _list_head(reply.api_version, f"{reply.kind}List", reply, size)


def metadata_list_head(reply: ListReply, size: int) -> bytes:
    """Do as `list_head` does, of a list of what objects have in common."""
    return _list_head(_METADATA[0], f"{_METADATA[1]}List", reply, size)


def beta_list_body(reply: ListReply, messages: Sequence[bytes]) -> bytes:
    """Write a list of what objects have in common in meta.k8s.io/v1beta1, whose two fields are the other way round."""
    meta = _second(message_writer(f"{META}.ListMeta")(envelopes.list_meta(reply)))
    items = [_FIRST_TAG + message[1:] for message in messages]
    head = _second_head(sum(map(len, items)) + len(meta))
    type_meta = _type_meta(META_V1BETA1, f"{_METADATA[1]}List")
    return b"".join((MAGIC, type_meta, head, *items, meta, LIST_TAIL))


def _list_head(api_version: str, kind: str, reply: ListReply, size: int) -> bytes:
    meta = _first(message_writer(f"{META}.ListMeta")(envelopes.list_meta(reply)))
    return b"".join((MAGIC, _type_meta(api_version, kind), _second_head(len(meta) + size), meta))


def _second_head(size: int) -> bytes:
    """Write a tag and a size, which many pieces follow."""
    return b"\x12" + varint(size)


def event_message(event: SharedEvent, made: Element) -> bytes:
    """Write an event of a watch."""
    return _event(event.type.value, object_body(made))


def error_message(error: ApiError) -> bytes:
    """Write the event that ends a watch which failed."""
    return _event("ERROR", status_body(error))


def delimited(message: bytes) -> bytes:
    """Write an event where others follow it: behind its length."""
    return len(message).to_bytes(4, "big") + message


def _event(type_: str, obj: bytes) -> bytes:
    return _first(type_.encode()) + _second(_first(obj))


def _weight(json: bytes) -> int:
    return len(json) // _LIGHT
