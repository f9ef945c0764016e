"""SPDY's streams as objects: what is read, what waits, and what ends with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from machinery.spdy.connection import MOST_UNREAD, SpdyConnection, SpdyStream
from machinery.spdy.protocol import CANCEL, REFUSED_STREAM
from tests.support.memory_wire import MemoryWire
from tests.support.spdy_peer import (
    DATA,
    FIN,
    GOAWAY,
    PING,
    RST_STREAM,
    SYN_REPLY,
    WINDOW_UPDATE,
    Frame,
    SpdyPeer,
    control,
    data,
    u32,
)


class Talk:
    """A connection, its client, and the streams that were accepted."""

    def __init__(self) -> None:
        self.wire = MemoryWire()
        self.peer = SpdyPeer()
        self.streams: dict[int, SpdyStream] = {}
        self.connection = SpdyConnection(self.wire, self._judge)

    def _judge(self, stream: SpdyStream) -> int:
        if stream.headers.get("kind") == "unwanted":
            return REFUSED_STREAM
        self.streams[stream.id] = stream
        return 0

    async def open(self, id_: int, flags: int = 0) -> SpdyStream:
        """Have the client open a stream."""
        await self.wire.feed(self.peer.open(id_, flags))
        assert self.heard() == [Frame(SYN_REPLY, 0, (id_,), headers={})]
        return self.streams[id_]

    def heard(self) -> list[Frame]:
        """Read what the client was sent."""
        return self.peer.read(self.wire.take())


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    talk = Talk()
    async with talk.connection.carried():
        yield talk


async def test_streams_are_read_to_their_end_and_written(talk: Talk):
    """Each by itself."""
    first, second = await talk.open(1), await talk.open(3)
    await talk.wire.feed(data(3, b"two") + data(1, b"one") + data(1, b"", FIN))
    assert [await first.read(), await first.read(), await second.read()] == [b"one", b"", b"two"]
    await second.write(b"answer")
    first.finish()
    assert talk.heard() == [Frame(DATA, 0, (3,), b"answer"), Frame(DATA, FIN, (1,))]


async def test_what_came_before_the_end_of_a_stream_can_be_read_after_both_have_ended_it(talk: Talk):
    """It is forgotten, and its reader has it still."""
    stream = await talk.open(1)
    stream.finish()
    await talk.wire.feed(data(1, b"last", FIN))
    assert [await stream.read(), await stream.read()] == [b"last", b""]
    assert not talk.connection._streams


async def test_a_stream_that_is_not_wanted_is_refused(talk: Talk):
    """With what the client has sent on it already, which counts nowhere."""
    await talk.wire.feed(talk.peer.open(1, kind="unwanted") + data(1, bytes(40_000)))
    frames = [frame for frame in talk.heard() if frame.kind != WINDOW_UPDATE]
    assert frames == [Frame(RST_STREAM, 0, (1, REFUSED_STREAM))]
    assert talk.connection._unread == 0


async def test_a_reset_wakes_who_reads_and_who_writes(talk: Talk):
    """What was not read is dropped."""
    stream = await talk.open(1)
    await talk.wire.feed(data(1, b"dropped") + control(RST_STREAM, u32(1) + u32(CANCEL)))
    with pytest.raises(ConnectionResetError):
        await stream.read()
    with pytest.raises(ConnectionResetError):
        await stream.write(b"x")
    reading = asyncio.ensure_future((await talk.open(3)).read())
    await talk.wire.settle()
    talk.streams[3].reset()
    with pytest.raises(ConnectionResetError):
        await reading
    assert Frame(RST_STREAM, 0, (3, CANCEL)) in talk.heard()


async def test_all_streams_end_with_the_connection(talk: Talk):
    """Whoever waits for one is told."""
    stream = await talk.open(1)
    reading = asyncio.ensure_future(stream.read())
    await talk.wire.end()
    with pytest.raises(ConnectionResetError):
        await reading
    with pytest.raises(ConnectionResetError):
        await stream.write(b"x")


async def test_nothing_more_is_taken_while_nobody_reads(talk: Talk):
    """Whatever stream it came on; reading some of it lets the client go on."""
    stream, other = await talk.open(1), await talk.open(3)
    piece = bytes(64 * 1024)
    for _ in range(MOST_UNREAD // len(piece)):
        await talk.wire.feed(data(1, piece))
    before = talk.wire.reads
    await talk.wire.feed(data(1, piece))
    await talk.wire.feed(data(3, b"behind"))
    assert talk.wire.reads == before
    assert await stream.read() == piece
    assert await other.read() == b"behind"


async def test_a_stream_that_is_dropped_makes_room(talk: Talk):
    """What nobody has read of it holds up nobody."""
    stream, other = await talk.open(1), await talk.open(3)
    await talk.wire.feed(data(1, bytes(MOST_UNREAD + 1)))
    await talk.wire.feed(data(3, b"behind"))
    stream.reset()
    assert await other.read() == b"behind"


async def test_what_a_client_does_wrong_ends_the_connection():
    """It is told, and so is the owner."""
    talk = Talk()
    async with talk.connection.carried() as carrying:
        await talk.open(1)
        await talk.wire.feed(control(PING, b""))
        await carrying
    assert "PING" in talk.connection.problem
    assert talk.heard() == [Frame(GOAWAY, 0, (1, 1))]
    assert talk.streams[1].is_reset


async def test_a_goodbye_ends_what_we_send_and_lets_the_client_close(talk: Talk):
    """Each stream, then the connection."""
    for id_ in (1, 3):
        await talk.open(id_)
    talk.connection.finish_all()
    assert talk.heard() == [Frame(DATA, FIN, (1,)), Frame(DATA, FIN, (3,)), Frame(GOAWAY, 0, (3, 0))]


async def test_pings_that_are_not_read_are_not_answered_without_end():
    """Who sends and never reads is read no more."""
    talk = Talk()
    talk.wire.unsent = 2 * 1024 * 1024
    blocked = asyncio.Event()

    async def drain() -> None:
        await blocked.wait()

    talk.wire.drain = drain  # type: ignore[method-assign] # a client that does not read
    async with talk.connection.carried():
        await talk.wire.feed(control(PING, u32(1)))
        reads = talk.wire.reads
        await talk.wire.feed(control(PING, u32(3)))
        assert talk.wire.reads == reads
        blocked.set()
        await talk.wire.settle()
    assert [frame.numbers for frame in talk.heard()] == [(1,), (3,)]
