"""The connection around the HTTP/2 client: when it writes, whom it tells, when it gives up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from machinery.process.clock import WALL
from machinery.rpc.connection import Http2Connection
from machinery.rpc.status import Code, Metadata, RpcError
from tests.support.http2_frames import HEAD, OK, frame, message, read_frames
from tests.support.memory_connection import HandClock


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
        """Return what was written up to the end of this turn of the loop."""
        await asyncio.sleep(0)
        data, self.written = self.written, b""
        return read_frames(data)


class StoppedClock(HandClock):
    """The clock of a process that is stopped: when it goes on, everything is late."""

    def go_on_after(self, duration_s: float) -> None:
        """Run what is due, once."""
        self._now += duration_s
        due = [timer for at, _, timer in self._timers if at <= self._now]
        self._timers = [entry for entry in self._timers if entry[0] > self._now]
        for timer in due:
            timer.fire()


@dataclass
class Heard:
    """What a call was told."""

    messages: list[bytes] = field(default_factory=list)
    ends: list[Exception | None] = field(default_factory=list)

    def began(self) -> None:
        pass

    def drained(self) -> None:
        pass

    def message(self, data: bytes) -> None:
        self.messages.append(data)

    def answer(self, data: bytes, trailers: Metadata) -> None:
        self.messages.append(data)

    def end(self, error: RpcError | None, trailers: Metadata) -> None:
        self.ends.append(error)


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def connection(wire: Wire) -> Http2Connection:
    made = Http2Connection(WALL)
    made.connection_made(wire)
    made.data_received(frame(4, 0, 0, b""))
    await wire.frames()
    return made


def call(connection: Http2Connection, content: bytes | None = b"ask") -> Heard:
    heard = Heard()
    connection.begin(b"", content, heard, one_answer=content is not None)
    return heard


async def test_who_called_is_told_messages_and_the_end(connection: Http2Connection, wire: Wire) -> None:
    """Each call its own; the answer of a call that asks one thing is the last that is told of it."""
    first, second = call(connection), call(connection)
    assert [(kind, stream) for kind, _, stream, _ in await wire.frames()] == [(1, 1), (0, 1), (1, 3), (0, 3)]
    whole = frame(1, 4, 3, HEAD) + frame(0, 0, 3, message(b"answer")) + frame(1, 5, 3, OK)
    connection.data_received(whole)
    assert (first, second) == (Heard(), Heard([b"answer"]))


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


async def test_a_failure_is_told_with_the_servers_code(connection: Http2Connection) -> None:
    """Once."""
    heard = call(connection)
    connection.data_received(frame(3, 0, 1, (8).to_bytes(4)))
    (error,) = heard.ends
    assert isinstance(error, RpcError)
    assert error.code is Code.CANCELLED


async def test_a_broken_connection_ends_every_call_once(connection: Http2Connection) -> None:
    """Nobody waits for ever."""
    calls = [call(connection), call(connection, None)]
    connection.connection_lost(ConnectionResetError("reset"))
    connection.close()
    for heard in calls:
        (error,) = heard.ends
        assert isinstance(error, RpcError)
        assert error.code is Code.UNAVAILABLE
    await connection.slot()
    assert not connection.has_room


async def test_a_connection_whose_server_goes_away_closes_after_its_last_call(
    connection: Http2Connection, wire: Wire
) -> None:
    """Until then it carries what the server has taken."""
    first = call(connection)
    connection.data_received(frame(7, 0, 0, (1).to_bytes(4) + bytes(4)))
    assert (first.ends, wire.aborted) == ([], False)
    connection.data_received(frame(0, 0, 1, message(b"late")) + frame(1, 5, 1, OK))
    assert (first, wire.aborted) == (Heard([b"late"]), True)


async def test_a_cancelled_call_is_told_nothing(connection: Http2Connection, wire: Wire) -> None:
    """The server learns that nobody waits; its answer is thrown away."""
    heard = Heard()
    stream = connection.begin(b"", b"ask", heard)
    await wire.frames()
    connection.cancel(stream)
    assert await wire.frames() == [(3, 0, 1, (8).to_bytes(4))]
    connection.data_received(frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, OK))
    assert heard == Heard()


async def test_calls_over_the_limit_wait_for_room(connection: Http2Connection) -> None:
    """They go on when another ends."""
    connection.data_received(frame(4, 0, 0, b"\0\3" + (1).to_bytes(4)))
    call(connection)
    waiting = asyncio.ensure_future(connection.slot())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.data_received(frame(1, 5, 1, OK))
    await asyncio.wait_for(waiting, 15)


async def test_nonsense_ends_the_connection(connection: Http2Connection, wire: Wire) -> None:
    """The calls fail, and the next one connects again."""
    heard = call(connection)
    connection.data_received(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert (wire.aborted, connection.is_open, len(heard.ends)) == (True, False, 1)


async def test_a_silent_server_is_pinged_and_given_up(wire: Wire) -> None:
    """After 10 and 15 s; what it sends begins that anew, whatever it is."""
    clock = HandClock()
    connection = Http2Connection(clock)
    connection.connection_made(wire)
    connection.data_received(frame(4, 0, 0, b""))
    await wire.frames()
    heard = call(connection, None)
    for _ in range(3):
        await clock.advance(9.9)
        assert [kind for kind, _, _, _ in await wire.frames()] in ([], [1])
        await clock.advance(0.2)
        assert (6, 0, 0, bytes(8)) in await wire.frames()
        connection.data_received(frame(6, 1, 0, bytes(8)))
    await clock.advance(14.9)
    assert heard.ends == []
    await clock.advance(2.6)
    (error,) = heard.ends
    assert isinstance(error, RpcError)
    assert (error.code, wire.aborted) == (Code.UNAVAILABLE, True)


async def test_a_process_that_stood_still_does_not_give_up_its_server(wire: Wire) -> None:
    """What came meanwhile has not been read yet: it asks first."""
    clock = StoppedClock()
    connection = Http2Connection(clock)
    connection.connection_made(wire)
    connection.data_received(frame(4, 0, 0, b""))
    heard = call(connection, None)
    clock.go_on_after(60)
    assert (heard.ends, wire.aborted) == ([], False)
    connection.data_received(frame(6, 1, 0, bytes(8)))
    await clock.advance(9)
    assert (heard.ends, wire.aborted) == ([], False)


async def test_a_deadline_ends_a_call_and_tells_the_server(wire: Wire) -> None:
    """With a code of this side's own."""
    clock = HandClock()
    connection = Http2Connection(clock)
    connection.connection_made(wire)
    connection.data_received(frame(4, 0, 0, b""))
    heard = Heard()
    stream = connection.begin(b"", b"ask", heard, within_s=2.0)
    await wire.frames()
    await clock.advance(2.1)
    (error,) = heard.ends
    assert isinstance(error, RpcError)
    assert error.code is Code.DEADLINE_EXCEEDED
    assert await wire.frames() == [(3, 0, stream, (8).to_bytes(4))]
