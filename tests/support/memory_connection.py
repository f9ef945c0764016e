"""A client of the REST door without a network: the door's real connection, aiohttp's side included, on a transport in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from heapq import heappop
from socket import AF_UNIX
from typing import Any

from httptools import HttpParserUpgrade, HttpResponseParser

from apiserver.rest.connection import Connection
from apiserver.rest.listener import Listener
from machinery.process.tls import ANONYMOUS, Peer
from tests.support.virtual_clock import HeapClock

_CONTINUE = 100
_STEPS = 10  # of the event loop, until what was due has been acted on
_SOON_S = 0.1  # an answer that begins and does not end for so long is a stream


class HandClock(HeapClock):
    """A clock that goes on when it is told to; for those who wait for nothing but the other side of a socket."""

    async def advance(self, duration_s: float) -> None:
        """Advance the time, and run what is due meanwhile."""
        end = self._now + duration_s
        while self._timers and self._timers[0][0] <= end:
            self._now, _, timer = heappop(self._timers)
            timer.fire()
            for _ in range(_STEPS):
                await asyncio.sleep(0)
        self._now = end


class KnownConnection(Connection):
    """A connection of somebody who needs no certificate to be known."""

    def __init__(self, listener: Listener, peer: Peer) -> None:
        super().__init__(listener)
        self._known_peer = peer

    @property
    def peer(self) -> Peer:
        return self._known_peer


class _Socket:
    family = AF_UNIX  # as little as there can be asked of it

    def setsockopt(self, *_: object) -> None:
        """Do nothing."""


class MemoryTransport(asyncio.Transport):
    """What a connection writes into; the client takes everything at once."""

    def __init__(self, protocol: asyncio.Protocol, taken: Callable[[bytes], None]) -> None:
        super().__init__()
        self._protocol = protocol
        self._taken = taken
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self.may_send = asyncio.Event()
        self.may_send.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _Socket() if name == "socket" else default

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        raise NotImplementedError

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closing:
            self._taken(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.may_send.set()
            self._taken(b"")
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        if not self._is_closing:
            self.may_send.clear()

    def resume_reading(self) -> None:
        self.may_send.set()

    def is_reading(self) -> bool:
        return self.may_send.is_set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: there is no buffer."""

    def get_write_buffer_size(self) -> int:
        return 0


class MemoryClient:
    """Sends bytes to a door, and counts what comes back."""

    def __init__(self, listener: Listener, peer: Peer = ANONYMOUS) -> None:
        self.statuses: list[int] = []  # of the answers whose heads are whole, except for "100 Continue"
        self.is_upgraded = False
        self._connection = KnownConnection(listener, peer)
        self._transport = MemoryTransport(self._connection, self._took)
        self._parser: Any = HttpResponseParser(self)
        self._ended = 0
        self._is_last = False  # whether an answer has said that no other one follows
        self._changed = asyncio.Event()
        self._connection.connection_made(self._transport)

    @property
    def is_closed(self) -> bool:
        """Whether the door has closed the connection."""
        return self._transport.is_closing()

    @property
    def is_streaming(self) -> bool:
        """Whether the last answer has begun, and goes on."""
        return self.is_upgraded or self._ended < len(self.statuses)

    async def send(self, data: bytes, *, piece: int = 64 * 1024) -> None:
        """Send bytes in pieces, as long as the door takes them."""
        for begin in range(0, len(data), piece):
            await self._transport.may_send.wait()
            if self.is_closed:
                return
            self._connection.data_received(data[begin : begin + piece])
            await asyncio.sleep(0)

    async def answered(self, wanted: int, *, patience_s: float = 60.0) -> None:
        """Return when so many answers have begun, the last of them is a stream, or the door has closed the connection.

        Also when it has said that it will, and when nothing has come for so many wall seconds.
        """
        while len(self.statuses) < wanted and not self.is_closed and not self._is_last:
            self._changed.clear()
            try:
                async with asyncio.timeout(_SOON_S if self.is_streaming else patience_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    def leave(self) -> None:
        """Go away."""
        self._transport.abort()

    # What the parser calls.

    def on_headers_complete(self) -> None:
        """Count a head."""
        status = self._parser.get_status_code()
        if status != _CONTINUE:
            self.statuses.append(status)

    def on_message_complete(self) -> None:
        """Count an answer."""
        if self._parser.get_status_code() != _CONTINUE:
            self._ended += 1
            self._is_last = not self._parser.should_keep_alive()

    def _took(self, data: bytes) -> None:
        """Read what the door sends; nothing where it closes the connection."""
        if data and not self.is_upgraded:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade:
                self.is_upgraded = True
        self._changed.set()
