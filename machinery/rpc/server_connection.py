"""One connection of a gRPC server: the socket of a `machinery.rpc.server_machine`, and the calls on it.

What is written in one turn of a busy event loop is written together. A client that does not read has nothing written to it
until it does: what waits is counted (`held`), and bounded by the server whose connection it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol, cast

from machinery.model.clock import Clock
from machinery.rpc.deadlines import Deadlines
from machinery.rpc.events import Broken, Drained, Message
from machinery.rpc.request_heads import Head
from machinery.rpc.server_call import ServerCall
from machinery.rpc.server_machine import Asked, Finished, Http2Server, Left, Opened, ServerEvent
from machinery.rpc.service import Method
from machinery.rpc.status import Code

TICK_S: Final = 2.5  # wall seconds between two looks at a connection
_HELLO_TICKS: Final = 4  # for the client's first frames, once it has shaken hands
_PING_TICKS: Final = 4  # of silence
_DEAD_TICKS: Final = 6
_STALLED_TICKS: Final = 24  # that a client may leave everything unread in its socket
_BUSY_FROM: Final = 4  # calls under way, from which on what is written is gathered
_LITTLE: Final = 64 * 1024  # bytes that a connection may hold without being looked at


class Host(Protocol):
    """What a connection needs of the server whose it is."""

    methods: Mapping[str, Method]
    asks_one: Mapping[str, bool]
    largest_message: int
    clock: Clock

    def opened(self, connection: ServerConnection) -> None:
        """Count a connection in."""
        ...

    def closed(self, connection: ServerConnection) -> None:
        """Count a connection out. Idempotent."""
        ...

    def holds(self, connection: ServerConnection, size: int) -> None:
        """Note how many bytes are kept for a client."""
        ...


class ServerConnection(asyncio.Protocol):
    """One client."""

    def __init__(self, host: Host) -> None:
        self.certificate = b""
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._machine = Http2Server(host.asks_one, host.largest_message)
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, ServerCall] = {}  # whose handlers run
        self._deadlines = Deadlines(host.clock, self._calls, self._expire)
        self._waiting: dict[int, asyncio.Future[None]] = {}  # handlers that wait for their client to read
        self._gathers = False  # whether what this turn of the loop has to write is written at its end
        self._is_paused = False  # whether the client leaves its socket unread
        self._is_closing = False  # whether nothing is read any more
        self._is_heavy = False  # whether the server has been told that it holds much
        self._unweighed = 0  # bytes that have come, or could not go, since what is held was counted
        self._heard = False  # since the last tick
        self._silent = self._stalled = self._age = 0  # ticks

    @property
    def address(self) -> str:
        """The client's address; "" on a unix socket, and once the client has gone."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def is_idle(self) -> bool:
        """Whether no handler runs, and nothing is left to be sent."""
        return not self._calls and not self._machine.under_way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the server's settings."""
        self._transport = cast("asyncio.Transport", transport)
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self.certificate = tls.getpeercert(binary_form=True) or b""
        self._host.opened(self)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Feed bytes to the machine, and act on its events."""
        if self._is_closing:
            return
        self._heard = True
        machine = self._machine
        for event in machine.receive(data):
            self._act(event)
        if machine.outgoing:
            self._write()
        self._unweighed += len(data)
        if self._unweighed > _LITTLE:
            self._weigh()
        if not machine.is_open and self.is_idle:
            self.close()

    def pause_writing(self) -> None:
        """Write nothing more until the client reads."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._is_paused, self._stalled = False, 0
        self._flush()
        for stream in list(self._waiting):
            self._rouse(stream)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Cancel the handlers: nobody waits for them."""
        self._transport = None
        self._machine.is_open = False
        self._deadlines.close()
        self._host.closed(self)
        self.cancel_calls()

    def _act(self, event: ServerEvent) -> None:
        if isinstance(event, Asked):
            self._begin(event.stream, event.head, event.data)
        elif isinstance(event, Opened):
            self._begin(event.stream, event.head, b"")
        elif isinstance(event, Broken):
            self.close()
            self.cancel_calls()
        elif isinstance(event, Drained):
            self._rouse(event.stream)
        elif call := self._calls.get(event.stream):
            self._tell(call, event)

    def _tell(self, call: ServerCall, event: Message | Finished | Left) -> None:
        if isinstance(event, Left):
            self._leave(call)
        elif call.requests is None:
            return
        elif isinstance(event, Message):
            call.requests.add(event.data)
        else:
            call.requests.finish()

    def _begin(self, stream: int, head: Head, data: bytes) -> None:
        call = ServerCall(self, stream, head, self._host.methods[head.path])
        self._calls[stream] = call
        if head.timeout_s is not None:
            self._deadlines.add(stream, head.timeout_s)
        call.task = self._loop.create_task(call.serve(data))

    def _expire(self, stream: int) -> None:
        call = self._calls[stream]
        if not call.has_left:
            self._machine.fail(stream, Code.DEADLINE_EXCEEDED, "the deadline is over")
            self._leave(call)
            self._write()

    def _leave(self, call: ServerCall) -> None:
        if not call.has_left:
            call.has_left = True
            self._machine.lingering += 1
            if call.task is not None:
                call.task.cancel()

    # What calls do (`machinery.rpc.server_call.CallConnection`).

    def answer(self, stream: int, message: bytes, ending: bytes) -> None:
        """Answer a call with one message, and end it."""
        self._machine.answer(stream, message, ending)
        self._write()
        if len(message) > _LITTLE:
            self._weigh()

    def begin(self, stream: int) -> None:
        """Send the head of the answer. Idempotent."""
        self._machine.begin(stream)
        self._write()

    def send(self, stream: int, message: bytes) -> bool:
        """Send a message; False where the client is slow, and more would have to be kept."""
        has_room = self._machine.send(stream, message)
        self._write()
        if has_room and not self._is_paused:
            return True
        self._unweighed += len(message)
        if self._unweighed > _LITTLE:
            self._weigh()
        return False

    async def room(self, stream: int) -> None:
        """Wait until the client has taken what it was sent."""
        try:
            while self._is_paused or self._machine.waits(stream):
                self._waiting[stream] = waiting = self._loop.create_future()
                await waiting
        finally:
            self._waiting.pop(stream, None)

    def end(self, stream: int, ending: bytes) -> None:
        """End a call."""
        self._machine.end(stream, ending)
        self._write()

    def credit(self, stream: int, size: int) -> None:
        """Note that so many bytes of requests have been read."""
        self._machine.credit(stream, size)
        if self._machine.outgoing:
            self._write()

    def over(self, call: ServerCall) -> None:
        """Note that a call's handler has ended."""
        del self._calls[call.stream]
        if call.has_left:
            self._machine.lingering -= 1
        if not self._machine.is_open and self.is_idle:
            self.close()

    # What the server does.

    def tick(self) -> None:
        """Look at the time that has gone by: a silent client is pinged, and given up."""
        self._machine.calm()
        self._age += 1
        self._silent = 0 if self._heard else self._silent + 1
        self._stalled = self._stalled + 1 if self._is_paused else 0
        self._heard = False
        is_late = not self._machine.is_settled and self._age > _HELLO_TICKS
        if is_late or self._silent >= _DEAD_TICKS or self._stalled >= _STALLED_TICKS:
            self.abort()
        elif self._silent >= _PING_TICKS:
            self._machine.ping()
            self._write()
        if self._unweighed or self._is_heavy:
            self._weigh()

    def go_away(self) -> None:
        """Begin no new calls, and close when those under way are over."""
        self._machine.go_away()
        self._flush()
        if self.is_idle:
            self.close()

    def cancel_calls(self) -> None:
        """Cancel the handlers that still run."""
        for call in list(self._calls.values()):
            self._leave(call)

    def close(self) -> None:
        """Write what is left, and close. Idempotent."""
        self._machine.is_open = False
        self._is_closing = True
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

    def _weigh(self) -> None:
        self._unweighed = 0
        waiting = sum(map(len, self._machine.outgoing)) if self._is_paused else 0
        held = self._machine.held + waiting
        if self._is_heavy or held > _LITTLE:
            self._is_heavy = held > _LITTLE
            self._host.holds(self, held if self._is_heavy else 0)

    def _rouse(self, stream: int) -> None:
        if (waiting := self._waiting.get(stream)) and not waiting.done():
            waiting.set_result(None)

    def _write(self) -> None:
        """Write frames; in a busy turn at its end."""
        if self._gathers:
            return
        if len(self._calls) >= _BUSY_FROM:
            self._gathers = True
            self._loop.call_soon(self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        self._gathers = False
        while self._transport is not None and not self._is_paused:
            data = self._machine.take_part()
            if not data:
                return
            self._transport.write(data)
