"""The gRPC door's bytes are those of the protobuf library."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.request import ListReply, ObjectReply, SharedBatch, SharedEvent, SharedItems
from apiserver.services import frames
from machinery.model.errors import TooLarge
from machinery.model.requests import EventType
from machinery.wire.resources import messages as pb
from tests.support.examples import examples

_REPLIES = st.builds(
    ObjectReply, json=st.binary(max_size=300), uid=st.text(max_size=40), revision=st.integers(0, 2**63 - 1)
)


def _object(reply: ObjectReply) -> pb.Object:
    return pb.Object(uid=reply.uid, revision=reply.revision, json=reply.json)


@examples(100)
@given(reply=_REPLIES)
def test_an_object_is_written_as_the_library_writes_it(reply: ObjectReply) -> None:
    """Byte for byte."""
    assert frames.object_reply(reply) == _object(reply).SerializeToString()


@examples(100)
@given(items=st.lists(_REPLIES, max_size=4), revision=st.integers(0, 2**63 - 1), more=st.text(max_size=20))
def test_a_list_is_read_as_it_was_meant(items: list[ObjectReply], revision: int, more: str) -> None:
    """Every item, the revision, the token and the rest."""
    reply = ListReply("v1", "Pod", SharedItems(items), revision, more, 3)
    read = pb.ObjectList.FromString(asyncio.run(frames.object_list(reply)))
    wanted = pb.ObjectList(
        revision=revision, items=map(_object, items), remaining_item_count=3, **{"continue": more}
    )
    assert read == wanted


def test_a_long_list_is_read_as_it_was_meant() -> None:
    """It is written in parts, with turns for others between them."""
    items = [ObjectReply(b"%d" % number * 500_000, f"uid-{number}", number) for number in range(1, 8)]
    shared = SharedItems(items)
    for _ in range(3):  # the second time it is kept, unless it is too large for that
        read = pb.ObjectList.FromString(asyncio.run(frames.object_list(ListReply("v1", "Pod", shared, 9))))
        assert list(read.items) == list(map(_object, items))


def test_a_list_that_is_too_large_for_one_message_comes_in_parts() -> None:
    """Together they are what it was meant as; who asks for it in one is told what to do."""
    items = [ObjectReply(b"%d" % number * 700_000, f"uid-{number}", number) for number in range(1, 8)]
    reply = ListReply("v1", "Pod", SharedItems(items), 9, "more", 3)
    with pytest.raises(
        TooLarge, match=r"the list of 7 Pod objects has 4900000 bytes of JSON, .* read it by pages"
    ):
        asyncio.run(frames.object_list(reply))
    parts = list(frames.list_parts(reply))
    read = pb.ObjectList.FromString(b"".join(parts))
    assert (list(read.items), read.revision, read.remaining_item_count) == (list(map(_object, items)), 9, 3)
    assert max(map(len, parts)) < frames.LARGEST_LIST
    assert frames.deleted(reply).items[:] == ()
    assert frames.deleted(reply).revision == 9


@examples(100)
@given(reply=_REPLIES, kind=st.sampled_from(list(EventType)))
def test_a_batch_is_read_as_it_was_meant(reply: ObjectReply, kind: EventType) -> None:
    """Events keep their order and type; each is encoded once, however many watchers get it."""
    event = SharedEvent(kind, reply.json, reply.uid, reply.revision)
    read = pb.WatchBatch.FromString(frames.batch(SharedBatch([event, event])))
    assert [(pb.WatchEvent.Type.Name(each.type), each.object) for each in read.events] == [
        (kind.name, _object(reply))
    ] * 2
    assert event.frame(frames.DOOR, lambda _event: b"never") == frames.batch(SharedBatch([event]))
