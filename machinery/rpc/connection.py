"""One HTTP/2 connection that carries gRPC calls to a server, written for many small calls.

What the bytes mean is `machinery.rpc.client_machine`'s business; here are the socket, the time and those who wait. A call
is written in one piece, with others that begin in the same turn of a busy event loop, and its answer wakes the caller at
once: no call has a task or a timer of its own.

Every call ends: with the server's status, with DEADLINE_EXCEEDED, or as UNAVAILABLE when the connection breaks. A peer that
is silent for `PING_AFTER_S` is pinged, and counts as gone when it is for `ANSWER_S` more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol, cast

from machinery.model.clock import Clock, Timer
from machinery.rpc.client_machine import Http2Client
from machinery.rpc.deadlines import Deadlines
from machinery.rpc.events import Answered, Began, Broken, Ended, Event, Message
from machinery.rpc.status import Code, Metadata, RpcError

PING_AFTER_S: Final = 10.0  # wall seconds of silence, where the server does not ask for more
ANSWER_S: Final = 5.0  # in which one that is there answers
PING_AGAIN_S: Final = 2.5
_SHORTEST_S: Final = 0.05  # between two looks
_BUSY_FROM: Final = 5  # calls under way, from which on frames are gathered


class Listener(Protocol):
    """Who is told of a call, in order."""

    def began(self) -> None:
        """Note that the server has begun to answer, in a stream."""
        ...

    def message(self, data: bytes) -> None:
        """Handle a message of a stream."""
        ...

    def drained(self) -> None:
        """Note that all is sent that `send` could not send at once."""
        ...

    def answer(self, data: bytes, trailers: Metadata) -> None:
        """Handle the answer of a call that has one: nothing comes any more."""
        ...

    def end(self, error: RpcError | None, trailers: Metadata) -> None:
        """Handle the end, once: nothing comes any more. Without an error the status is OK."""
        ...


class Http2Connection(asyncio.Protocol):
    """The client's side of a connection."""

    def __init__(self, clock: Clock, ping_after_s: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._ping_after_s = ping_after_s or PING_AFTER_S
        self._client = Http2Client()
        self._transport: asyncio.Transport | None = None
        self._listeners: dict[int, Listener] = {}  # by stream
        self._deadlines = Deadlines(clock, self._listeners, self._expire)
        self._slots: deque[asyncio.Future[None]] = deque()  # calls that wait for others to end
        self._gathers = False  # whether what this turn of the loop has to write is written at its end
        self._heard_at = clock.monotonic_wall()
        self._has_pinged = False  # whether it was silent already at the last look
        self._ticker: Timer | None = None
        self.problem = "the connection is closed"  # why, once it is
        self.settled: asyncio.Future[None] = self._loop.create_future()  # done when the peer has said hello

    @property
    def is_open(self) -> bool:
        """Whether new calls may begin."""
        return self._client.is_open

    @property
    def has_room(self) -> bool:
        """Whether a call can begin at once."""
        return self._client.has_room

    @property
    def next_ping_after_s(self) -> float:
        """The wall seconds of silence that the next connection to this server should wait before it pings.

        Servers of grpc-go and others end a connection on which they hear too many pings without a call.
        """
        return self._ping_after_s * (2 if self._client.is_asked_for_calm else 1)

    @property
    def is_closed(self) -> bool:
        """Whether the connection is over, and every call on it."""
        return self._transport is None

    async def slot(self) -> None:
        """Wait until the peer takes another call, or none any more."""
        while self.is_open and not self.has_room:
            waiting = self._loop.create_future()
            self._slots.append(waiting)
            await waiting

    def begin(
        self,
        headers: bytes,
        message: bytes | None,
        listener: Listener,
        *,
        one_answer: bool = True,
        within_s: float | None = None,
    ) -> int:
        """Begin a call where there is room, and return its stream; with a message it asks one thing, and no more.

        After `within_s` wall seconds it ends with DEADLINE_EXCEEDED.
        """
        stream = self._client.begin(headers, message, one_answer=one_answer)
        self._listeners[stream] = listener
        if within_s is not None:
            self._deadlines.add(stream, within_s)
        self._write()
        return stream

    def send(self, stream: int, message: bytes) -> bool:
        """Send a message of a stream that goes on; False where its listener hears later that it is `drained`."""
        is_sent = self._client.send(stream, message)
        if self._client.outgoing:
            self._write()
        return is_sent

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
        self._deadlines.close()
        if self._transport is not None:
            self.problem = problem
            self._transport.abort()
            self._transport = None
        self._tell(self._client.abort(problem))
        if not self.settled.done():
            self.settled.set_result(None)
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
        self._heard_at = self._clock.monotonic_wall()
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
                stream, data, trailers = event
                if listener := listeners.pop(stream, None):
                    listener.answer(data, trailers)
            elif isinstance(event, Message):
                stream, data = event
                if listener := listeners.get(stream):
                    listener.message(data)
            elif isinstance(event, Ended):
                stream, error, trailers = event
                if listener := listeners.pop(stream, None):
                    listener.end(error, trailers)
            elif isinstance(event, Broken):
                self.close(event.text)
            elif listener := listeners.get(event.stream):
                listener.began() if isinstance(event, Began) else listener.drained()

    def _expire(self, stream: int) -> None:
        """End a call whose deadline has passed; the server learns that nobody waits."""
        listener = self._listeners[stream]
        self.cancel(stream)
        listener.end(RpcError(Code.DEADLINE_EXCEEDED, "no answer in time"), ())

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
        """Send a PING to a silent peer, and give up one that answers none.

        Between two looks there is a turn of the loop: what came while this process itself stood still has been read.
        """
        silent_s = self._clock.monotonic_wall() - self._heard_at
        if silent_s >= self._ping_after_s + ANSWER_S and self._has_pinged:
            self.close(f"the server has been silent for {silent_s:.0f} s")
            return
        if silent_s >= self._ping_after_s:
            self._client.ping()
            self._write()
        self._has_pinged = silent_s >= self._ping_after_s
        after_s = max(_SHORTEST_S, PING_AGAIN_S if self._has_pinged else self._ping_after_s - silent_s)
        self._ticker = self._clock.call_later_wall(after_s, self._tick)
