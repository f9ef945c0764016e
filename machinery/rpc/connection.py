"""One HTTP/2 connection that carries gRPC calls, written for many small calls.

gRPC's own library costs the apiserver a task and 200 to 400 µs of CPU a call, and it asks etcd once or twice for every
request; this is a quarter of that (docs/adr/0011). What the bytes mean is `machinery.rpc.client_machine`'s business; here
are the socket, the time and those who wait. A call is written in one piece, with others that begin in the same turn of
a busy event loop, and its answer wakes the caller at once.

Every call ends: with the server's status, or as UNAVAILABLE when the connection breaks (deadlines are the caller's,
`machinery.rpc.channel`). A peer that is silent for `DEAD_AFTER_S`, although it was pinged, counts as gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol, cast

import grpc

from machinery.model.clock import Timer
from machinery.process.clock import WALL
from machinery.rpc.client_machine import Http2Client
from machinery.rpc.endpoint import Answered, Ended, Event, Failure, Message
from machinery.rpc.status import Code
from machinery.wire.rpc_errors import rpc_error

PING_AFTER_S: Final = 10.0  # wall seconds of silence
DEAD_AFTER_S: Final = 15.0
_TICK_S: Final = 2.5
_BUSY_FROM: Final = 5  # calls under way, from which on frames are gathered
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class Listener(Protocol):
    """Who is told of a call, in order."""

    def message(self, data: bytes) -> None:
        """Handle a message. The answer of a call that asks one thing is the last that is told of it."""
        ...

    def end(self, error: Exception | None) -> None:
        """Handle the end, once: nothing comes any more. Without an error the status is OK."""
        ...


class Http2Connection(asyncio.Protocol):
    """The client's side of a connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = Http2Client()
        self._transport: asyncio.Transport | None = None
        self._listeners: dict[int, Listener] = {}  # by stream
        self._slots: deque[asyncio.Future[None]] = deque()  # calls that wait for others to end
        self._gathers = False  # whether what this turn of the loop has to write is written at its end
        self._heard_at = WALL.monotonic_wall()
        self._ticker: Timer | None = None
        self.settled: asyncio.Future[None] = self._loop.create_future()  # done when the peer has said hello

    @property
    def is_open(self) -> bool:
        """Whether new calls may begin."""
        return self._client.is_open

    @property
    def has_room(self) -> bool:
        """Whether a call can begin at once."""
        return self._client.has_room

    async def slot(self) -> None:
        """Wait until the peer takes another call.

        Raises:
            AioRpcError: the connection takes none any more (UNAVAILABLE).
        """
        while self.is_open and not self.has_room:
            waiting = self._loop.create_future()
            self._slots.append(waiting)
            await waiting
        if not self.is_open:
            raise _error(Failure(Code.UNAVAILABLE, "the connection is closed"))

    def begin(self, headers: bytes, message: bytes | None, listener: Listener) -> int:
        """Begin a call, right after `slot`, and return its stream; with a message it asks one thing, and no more."""
        stream = self._client.begin(headers, message)
        self._listeners[stream] = listener
        self._write()
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Send a message of a stream that goes on."""
        self._client.send(stream, message)
        if self._client.outgoing:
            self._write()

    def cancel(self, stream: int) -> None:
        """End a call that nobody waits for; it is told nothing any more. Idempotent."""
        if self._listeners.pop(stream, None) is not None:
            self._client.cancel(stream)
            self._write()
            self._look_around()

    def credit(self, stream: int, size: int) -> None:
        """Note that somebody has read so many bytes of messages."""
        self._client.credit(stream, size)
        if self._client.outgoing:
            self._write()

    def close(self, problem: str = "the connection is closed") -> None:
        """End the connection and every call on it. Idempotent."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if not self.settled.done():
            self.settled.set_result(None)
        self._tell(self._client.abort(problem))
        self._wake_slots()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the client's preface and settings."""
        self._transport = cast("asyncio.Transport", transport)
        self._write()
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is left."""
        self.close(f"the connection broke: {exc}" if exc else "the connection was closed by the server")

    def data_received(self, data: bytes) -> None:
        """Feed bytes to the machine, and act on its events."""
        self._heard_at = WALL.monotonic_wall()
        client = self._client
        self._tell(client.receive(data))
        if client.outgoing:
            self._write()
        if self._slots or not client.is_open or not self.settled.done():
            self._look_around()

    def _tell(self, events: Iterable[Event]) -> None:
        listeners = self._listeners
        for event in events:
            if isinstance(event, Answered):
                stream, data = event
                if listener := listeners.pop(stream, None):
                    listener.message(data)
            elif isinstance(event, Message):
                stream, data = event
                if listener := listeners.get(stream):
                    listener.message(data)
            elif isinstance(event, Ended):
                stream, failure = event
                if listener := listeners.pop(stream, None):
                    listener.end(None if failure is None else _error(failure))
            else:
                self.close(event.text)

    def _look_around(self) -> None:
        """Act on the state of the connection: close it, or wake who waits."""
        if self._slots:
            self._wake_slots()
        client = self._client
        if client.is_settled and not self.settled.done():
            self.settled.set_result(None)
        if not client.is_open and not client.under_way:
            self.close("the server went away")

    def _wake_slots(self) -> None:
        while self._slots:
            waiting = self._slots.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def _write(self) -> None:
        """Write frames. In a busy turn they wait for its end: answers come together, and so do the next calls."""
        if self._gathers:
            return
        if len(self._listeners) >= _BUSY_FROM:
            self._gathers = True
            self._loop.call_soon(self._flush)
        elif self._transport is not None:  # nothing is likely to come, and another turn has its price, too
            self._transport.write(self._client.take())

    def _flush(self) -> None:
        self._gathers = False
        if self._transport is not None and self._client.outgoing:
            self._transport.write(self._client.take())

    def _tick(self) -> None:
        """Send a PING to a silent peer, and give up one that has not answered."""
        silent_s = WALL.monotonic_wall() - self._heard_at
        if silent_s >= DEAD_AFTER_S:
            self.close(f"the server has been silent for {silent_s:.0f} s")
            return
        if silent_s >= PING_AFTER_S:
            self._client.ping()
            self._write()
        self._ticker = WALL.call_later_wall(_TICK_S, self._tick)


class AnswerTooLarge(grpc.aio.AioRpcError):  # type: ignore[misc]  # grpc has no types
    """A message is larger than this client takes; it was not read."""

    def __init__(self, details: str) -> None:
        super().__init__(
            grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details
        )


def _error(failure: Failure) -> Exception:
    if failure.is_too_large:
        return AnswerTooLarge(failure.text)
    code = _CODES.get(failure.code, grpc.StatusCode.UNKNOWN)
    error: Exception = rpc_error(code, failure.text)
    return error
