"""How answers are written: lists around items that nobody decodes, frames of watches, pages of metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from apiserver.request import ListReply, SharedEvent
from apiserver.rest.negotiation import META_V1
from machinery.model.errors import ApiError
from machinery.model.requests import EventType

LIST_TAIL: Final = b"]}"
_PARTIAL: Final = b'{"kind":"PartialObjectMetadata","apiVersion":"%b","metadata":%b}'


class _Marked(msgspec.Struct):
    metadata: msgspec.Raw


def list_head(reply: ListReply) -> bytes:
    """Write what stands before the items of a list."""
    return _head(f"{reply.kind}List", reply.api_version, reply)


def item_writer(reply: ListReply) -> Callable[[bytes], bytes]:
    """Return what writes an object into a list: where the list says what its items are, they do not say it again."""
    if reply.items_say_kind:
        return bytes
    head = _item_head(reply)
    length = len(head)

    def written(obj: bytes) -> bytes:
        return b"{" + obj[length:] if obj.startswith(head) else obj

    return written


def items_inside(reply: ListReply) -> tuple[bytes, list[bytes | memoryview]]:
    """Return what stands before each item of a list, and the items without that, of which nothing is copied."""
    if reply.items_say_kind:
        return b"", [item.json for item in reply.items]
    head = _item_head(reply)
    length = len(head)
    return b"{", [
        memoryview(item.json)[length if item.json.startswith(head) else 1 :] for item in reply.items
    ]


def _item_head(reply: ListReply) -> bytes:
    return b'{"apiVersion":"%b","kind":"%b",' % (reply.api_version.encode(), reply.kind.encode())


def metadata_list_head(reply: ListReply, api_version: str = META_V1) -> bytes:
    """Write what stands before the items of a list of what objects have in common."""
    return _head("PartialObjectMetadataList", api_version, reply)


def metadata_json(obj: bytes, api_version: str = META_V1) -> bytes:
    """Write what an object has in common with others."""
    return _PARTIAL % (api_version.encode(), bytes(msgspec.json.decode(obj, type=_Marked).metadata))


def list_meta(reply: ListReply) -> dict[str, Any]:
    """Return the metadata of a list."""
    meta: dict[str, Any] = {"resourceVersion": str(reply.revision)} if reply.revision else {}
    if reply.continue_:
        meta["continue"] = reply.continue_
    if reply.remaining:
        meta["remainingItemCount"] = reply.remaining
    return meta


def frame(type_: EventType | str, obj: bytes) -> bytes:
    """Write an event of a watch."""
    name = type_.value if isinstance(type_, EventType) else type_
    return b'{"type":"%b","object":%b}\n' % (name.encode(), obj)


def event_frame(event: SharedEvent) -> bytes:
    """Write an event with the whole object."""
    return frame(event.type, event.json)


def metadata_frame(event: SharedEvent, api_version: str = META_V1) -> bytes:
    """Write an event with what objects have in common."""
    return frame(event.type, metadata_json(event.json, api_version))


def error_frame(error: ApiError) -> bytes:
    """Write the event that ends a watch which failed."""
    return frame("ERROR", msgspec.json.encode(error.to_status()))


def _head(kind: str, api_version: str, reply: ListReply) -> bytes:
    return b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        kind.encode(),
        api_version.encode(),
        msgspec.json.encode(list_meta(reply)),
    )
