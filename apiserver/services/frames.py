"""Replies of the gRPC door, written as protobuf without building a message for every object.

The bytes are those that `machinery.pb.resources_pb2` would make (a unit test compares them): a field is its tag, its
length, its bytes. So an event that a hundred watchers get is encoded once, and a list copies every object once.
"""

from __future__ import annotations

from typing import Final

from apiserver.request import ListReply, ObjectReply, SharedBatch, SharedEvent, SharedItems
from machinery.model.requests import EventType
from machinery.model.varints import varint

DOOR: Final = "grpc"
_TYPES: Final = {
    EventType.ADDED: b"\x08\x01",
    EventType.MODIFIED: b"\x08\x02",
    EventType.DELETED: b"\x08\x03",
    EventType.BOOKMARK: b"\x08\x04",
}


def batch(events: SharedBatch) -> bytes:
    """Write a WatchBatch."""
    return events.frame(DOOR, _event)


def object_list(reply: ListReply) -> bytes:
    """Write an ObjectList."""
    parts = [_number(1, reply.revision), reply.items.frame(DOOR, _items)]
    parts += [_bytes(3, reply.continue_.encode()), _number(4, reply.remaining or 0)]
    return b"".join(parts)


def _items(items: SharedItems) -> bytes:
    return b"".join([_message(2, written_object(item.uid, item.revision, item.json)) for item in items])


def object_reply(reply: ObjectReply) -> bytes:
    """Write an Object."""
    return written_object(reply.uid, reply.revision, reply.json)


def written_object(uid: str, revision: int, json: bytes) -> bytes:
    """Write an Object from its parts."""
    return b"".join((_bytes(1, uid.encode()), _number(2, revision), _bytes(3, json)))


def _event(event: SharedEvent) -> bytes:
    """Write a WatchEvent as a field of its batch."""
    return _message(
        1, _TYPES[event.type] + _message(2, written_object(event.uid, event.revision, event.json))
    )


def _number(field: int, value: int) -> bytes:
    return bytes((field << 3,)) + varint(value) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _message(field, value) if value else b""


def _message(field: int, value: bytes) -> bytes:
    return b"".join((bytes((field << 3 | 2,)), varint(len(value)), value))
