"""Replies of the gRPC door as bytes: what several callers get is encoded once.

Protobuf messages can be put behind each other: repeated fields add up, others come from whichever has them
(https://protobuf.dev/programming-guides/encoding/#last-one-wins). So an event is encoded as a batch of its own and
batches are joined, and the items of a list are encoded apart from its revision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from apiserver import objects
from apiserver.aside import slices
from apiserver.request import Item, ListReply, ObjectReply, SharedBatch, SharedEvent, SharedItems
from machinery.model.errors import ApiError, TooLarge
from machinery.model.requests import EventType
from machinery.process.clock import WALL
from machinery.wire.resources import messages as pb

DOOR: Final = "grpc"
LARGEST_LIST: Final = (
    4 * 1024 * 1024
)  # bytes of JSON in one message: gRPC clients take no more unless they are told to
_AT_ONCE: Final = 1024 * 1024  # bytes of JSON
_TYPES: Final[dict[EventType, Any]] = {kind: pb.WatchEvent.Type.Value(kind.name) for kind in EventType}


def batch(events: SharedBatch) -> bytes:
    """Write a WatchBatch."""
    return events.frame(DOOR, _event)


async def object_list(reply: ListReply) -> bytes:
    """Write an ObjectList; others have their turn while a long one is written.

    Raises:
        TooLarge: no client would take it in one message.
    """
    if not fits(reply):
        text = f"the list of {len(reply.items)} {reply.kind} objects has {reply.items.size_bytes} bytes of JSON, and one message"
        raise TooLarge(f"{text} at most {LARGEST_LIST}: read it by pages (limit), or with ListInParts")
    return _head(reply) + (reply.items.kept(DOOR) or await _items(reply.items))


def fits(reply: ListReply) -> bool:
    """Whether a list can be one message."""
    return reply.items.size_bytes <= LARGEST_LIST


def list_parts(reply: ListReply) -> Iterator[bytes]:
    """Write a list as several ObjectLists, the first one with what the whole has beside the items."""
    yield _head(reply)
    for some, _ in slices(reply.items, _weight, _AT_ONCE):
        yield _part(some)


def deleted(reply: ListReply) -> ListReply:
    """Return what is answered to who deleted a collection: what was in it, unless that is too large."""
    return reply if fits(reply) else replace(reply, items=SharedItems(()))


def _head(reply: ListReply) -> bytes:
    page: dict[str, Any] = {"continue": reply.continue_}
    return _written(pb.ObjectList(revision=reply.revision, remaining_item_count=reply.remaining or 0, **page))


def object_reply(reply: ObjectReply) -> bytes:
    """Write an Object."""
    return _written(pb.Object(uid=reply.uid, revision=reply.revision, json=reply.json))


def outcomes(replies: Sequence[ObjectReply | ApiError]) -> bytes:
    """Write an ObjectList: of each request the object, or the Status that refuses it."""
    return _written(pb.ObjectList(items=[_outcome(reply) for reply in replies]))


def _outcome(reply: ObjectReply | ApiError) -> pb.Object:
    if isinstance(reply, ApiError):
        return pb.Object(json=objects.to_json(reply.to_status()))
    return pb.Object(uid=reply.uid, revision=reply.revision, json=reply.json)


async def _items(items: SharedItems) -> bytes:
    parts: list[bytes] = []
    for some, _ in slices(items, _weight, _AT_ONCE):
        if parts:
            await WALL.sleep_wall(0)
        parts.append(_part(some))
    frame = b"".join(parts)
    if items.repeats(DOOR):
        items.keep(DOOR, frame, len(frame))
    return frame


def _part(items: Sequence[Item]) -> bytes:
    written = [pb.Object(uid=item.uid, revision=item.revision, json=item.json) for item in items]
    return _written(pb.ObjectList(items=written))


def _weight(item: Item) -> int:
    return len(item.json)


def _event(event: SharedEvent) -> bytes:
    """Write a WatchBatch of one event."""
    about = pb.Object(uid=event.uid, revision=event.revision, json=event.json)
    return _written(pb.WatchBatch(events=[pb.WatchEvent(type=_TYPES[event.type], object=about)]))


def _written(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
