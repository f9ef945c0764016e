"""The HTTP/2 client's rules, without a network: frames in, frames out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import grpc
import pytest

from apiserver.storage.hpack import write_block
from apiserver.storage.http2 import Http2Connection

OK = write_block([("grpc-status", "0")])
HEAD = b"\x88" + write_block([("content-type", "application/grpc")])


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.pieces = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        self.pieces += 1

    def abort(self) -> None:
        self.aborted = True

    async def frames(self) -> list[tuple[int, int, int, bytes]]:
        """Take what was written up to the end of this turn of the loop, as (type, flags, stream, payload)."""
        await asyncio.sleep(0)
        data, self.written = self.written.removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), b""
        found = []
        while data:
            size = int.from_bytes(data[:3])
            found.append((data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
            data = data[9 + size :]
        return found


@dataclass
class Heard:
    """What a call was told."""

    messages: list[bytes] = field(default_factory=list)
    ends: list[Exception | None] = field(default_factory=list)


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def connection(wire: Wire) -> Http2Connection:
    made = Http2Connection()
    made.connection_made(wire)
    made.data_received(frame(4, 0, 0, b""))
    await wire.frames()
    return made


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def message(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4) + content


def call(connection: Http2Connection, content: bytes | None = b"ask") -> Heard:
    heard = Heard()
    connection.begin(b"", content, heard.messages.append, heard.ends.append)
    return heard


async def test_an_answer_is_told_however_it_is_cut(connection: Http2Connection) -> None:
    """Bytes may come one by one; the message and the end are told once."""
    heard = call(connection)
    whole = frame(1, 4, 1, HEAD) + frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, OK)
    for byte in whole:
        connection.data_received(bytes((byte,)))
    assert (heard.messages, heard.ends) == ([b"answer"], [None])


async def test_a_call_is_headers_and_one_message(connection: Http2Connection, wire: Wire) -> None:
    """Both are written at once, and nothing follows them."""
    call(connection)
    assert await wire.frames() == [(1, 4, 1, b""), (0, 1, 1, message(b"ask"))]


async def test_many_calls_of_one_turn_are_written_in_one_piece(
    connection: Http2Connection, wire: Wire
) -> None:
    """A record and a call of the kernel cost more than a call's frames; few calls are written at once."""
    before = wire.pieces
    for number in range(1, 5):
        call(connection)
        assert wire.pieces == before + number
    await wire.frames()
    for _ in range(3):
        call(connection)
    connection.data_received(frame(6, 0, 0, b"12345678"))
    assert wire.pieces == before + 4
    found = [(kind, stream) for kind, _, stream, _ in await wire.frames()]
    assert found == [(1, 9), (0, 9), (1, 11), (0, 11), (1, 13), (0, 13), (6, 0)]
    assert wire.pieces == before + 5


async def test_a_status_becomes_an_error(connection: Http2Connection) -> None:
    """Code and text are etcd's."""
    heard = call(connection)
    block = b"\x88" + write_block([("grpc-status", "11"), ("grpc-message", "revision%20gone")])
    connection.data_received(frame(1, 5, 1, block))
    (error,) = heard.ends
    assert isinstance(error, grpc.aio.AioRpcError)
    assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "revision gone")


async def test_no_more_is_sent_than_the_peer_takes(connection: Http2Connection, wire: Wire) -> None:
    """What is over the window waits for more room, of the stream and of the connection."""
    call(connection, b"x" * 100_000)
    sent = sum(len(payload) for kind, _, _, payload in await wire.frames() if kind == 0)
    assert sent == 65_535
    connection.data_received(frame(8, 0, 1, (100_000).to_bytes(4)))
    assert await wire.frames() == []
    connection.data_received(frame(8, 0, 0, (100_000).to_bytes(4)))
    rest = [(flags, payload) for kind, flags, _, payload in await wire.frames() if kind == 0]
    assert sent + sum(len(payload) for _, payload in rest) == 100_005
    assert [flags for flags, _ in rest][-1] == 1
    assert all(len(payload) <= 16_384 for _, payload in rest)


async def test_a_broken_connection_ends_every_call_once(connection: Http2Connection) -> None:
    """Nobody waits for ever."""
    calls = [call(connection), call(connection, None)]
    connection.connection_lost(ConnectionResetError("reset"))
    connection.close()
    for heard in calls:
        (error,) = heard.ends
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError):
        await connection.slot()


async def test_a_server_that_goes_away_finishes_what_it_has(connection: Http2Connection) -> None:
    """Calls that it has not seen fail, earlier ones go on, new ones do not begin."""
    first, second = call(connection), call(connection)
    connection.data_received(frame(7, 0, 0, (1).to_bytes(4) + bytes(4)))
    assert (first.ends, len(second.ends), connection.is_open) == ([], 1, False)
    connection.data_received(frame(0, 0, 1, message(b"late")) + frame(1, 5, 1, OK))
    assert (first.messages, first.ends) == ([b"late"], [None])


async def test_a_cancelled_call_is_told_nothing(connection: Http2Connection, wire: Wire) -> None:
    """The server learns that nobody waits; its answer is thrown away."""
    heard = Heard()
    stream = connection.begin(b"", b"ask", heard.messages.append, heard.ends.append)
    await wire.frames()
    connection.cancel(stream)
    assert await wire.frames() == [(3, 0, 1, (8).to_bytes(4))]
    connection.data_received(frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, OK))
    assert heard == Heard()


async def test_calls_over_the_limit_wait_for_room(connection: Http2Connection) -> None:
    """The peer says how many calls it takes at a time."""
    connection.data_received(frame(4, 0, 0, b"\0\3" + (1).to_bytes(4)))
    call(connection)
    waiting = asyncio.ensure_future(connection.slot())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.data_received(frame(1, 5, 1, OK))
    await asyncio.wait_for(waiting, 1)


async def test_pings_are_answered(connection: Http2Connection, wire: Wire) -> None:
    """With their own eight bytes."""
    connection.data_received(frame(6, 0, 0, b"12345678"))
    assert await wire.frames() == [(6, 1, 0, b"12345678")]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame(1, 4, 1, b"\xbe"),
        frame(9, 4, 1, b"\x88"),
        frame(1, 0, 1, b"\x88") + frame(6, 0, 0, bytes(8)),
        frame(0, 0, 1, b"\1" + bytes(4)),
        frame(0, 8, 1, b""),
        frame(4, 0, 0, b"\0"),
    ],
)
async def test_nonsense_ends_the_connection(connection: Http2Connection, wire: Wire, nonsense: bytes) -> None:
    """Nothing is guessed: the calls fail, and the next one connects again."""
    heard = call(connection)
    connection.data_received(nonsense)
    assert (wire.aborted, connection.is_open, len(heard.ends)) == (True, False, 1)
