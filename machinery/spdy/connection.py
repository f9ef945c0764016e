"""A SPDY/3.1 connection with a client, over anything that carries bytes, and an object for each of its streams.

What nobody has read yet of all streams is bounded: above `MOST_UNREAD` nothing more is read from the client, until somebody
reads. So one stream that is not read can hold up the others, as in every server that leaves flow control to TCP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol, assert_never

from machinery.spdy.protocol import (
    CANCEL,
    Broken,
    Ended,
    Event,
    Opened,
    Received,
    Reset,
    SpdyServer,
)

MOST_UNREAD: Final = 1024 * 1024  # bytes that have come and nobody has read, of all streams
_MOST_UNSENT: Final = 1024 * 1024  # bytes of answers to frames that a client may leave unread


class Wire(Protocol):
    """What carries the bytes of a connection."""

    @property
    def unsent(self) -> int:
        """How many bytes wait for the other end to take them."""
        ...

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            OSError: the connection broke.
        """
        ...

    def post(self, data: bytes) -> None:
        """Write without waiting; on a connection that is over, do nothing."""
        ...

    async def drain(self) -> None:
        """Wait while the other end does not read.

        Raises:
            OSError: the connection broke.
        """
        ...


class SpdyStream:
    """One stream that was accepted."""

    def __init__(self, connection: SpdyConnection, id_: int, headers: dict[str, str]) -> None:
        self.id = id_
        self.headers = headers
        self.is_reset = False  # whether it is over in both directions, before its time
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._has_ended = False
        self._news = asyncio.Event()

    async def read(self) -> bytes:
        """Return some bytes; b"" when the client sends no more.

        Raises:
            ConnectionResetError: the stream was reset, or the connection ended.
        """
        while not self._pieces:
            if self.is_reset:
                raise ConnectionResetError(f"stream {self.id} was reset")
            if self._has_ended:
                return b""
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._connection.note_read(self.id, len(piece))
        return piece

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the client does not read.

        Raises:
            ConnectionResetError: the stream was reset, or the connection ended.
        """
        if self.is_reset:
            raise ConnectionResetError(f"stream {self.id} was reset")
        await self._connection.send(self.id, data)

    def finish(self) -> None:
        """Say that nothing more is sent. Idempotent."""
        self._connection.finish(self.id)

    def reset(self, status: int = CANCEL) -> None:
        """End the stream in both directions. Idempotent."""
        self._connection.reset(self.id, status)
        self.end()

    def feed(self, data: bytes) -> None:
        """Keep bytes until somebody reads them."""
        self._pieces.append(data)
        self._news.set()

    def feed_end(self) -> None:
        """Note that the client sends no more."""
        self._has_ended = True
        self._news.set()

    def end(self) -> None:
        """Note that the stream is over; what nobody has read of it is dropped."""
        self.is_reset = True
        self._connection.note_read(self.id, sum(map(len, self._pieces)))
        self._pieces.clear()
        self._news.set()


Judge = Callable[[SpdyStream], int]
"""Decides about a stream that the client opens: 0 accepts it, a status of `machinery.spdy.protocol` refuses it."""


class SpdyConnection:
    """The server's end of a connection."""

    def __init__(self, wire: Wire, judge: Judge) -> None:
        self.problem = ""  # what the client did wrong, if that has ended the connection
        self._wire = wire
        self._judge = judge
        self._protocol = SpdyServer()
        self._streams: dict[int, SpdyStream] = {}
        self._unread = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    @asynccontextmanager
    async def carried(self) -> AsyncIterator[asyncio.Task[None]]:
        """Carry the streams while inside; the task is done when the connection has ended, and every stream with it."""
        carrying = asyncio.ensure_future(self._carry())
        try:
            yield carrying
        finally:
            carrying.cancel()
            await asyncio.wait({carrying})

    async def send(self, stream_id: int, data: bytes) -> None:
        """Send bytes on a stream; waits while the client does not read.

        Raises:
            ConnectionResetError: the connection ended.
        """
        self._protocol.send(stream_id, data)
        self._flush()
        try:
            await self._wire.drain()
        except OSError as error:
            raise ConnectionResetError(f"the client is gone: {error}") from error

    def finish(self, stream_id: int) -> None:
        """Say that nothing more is sent on a stream. Idempotent."""
        self._protocol.finish(stream_id)
        self._forget_if_over(stream_id)
        self._flush()

    def finish_all(self) -> None:
        """Say that nothing more is sent on any stream, and that none can be opened: the client closes the connection then."""
        for stream_id in list(self._streams):
            self._protocol.finish(stream_id)
        self._protocol.go_away()
        self._flush()

    def reset(self, stream_id: int, status: int) -> None:
        """End a stream in both directions. Idempotent."""
        self._protocol.reset(stream_id, status)
        self._streams.pop(stream_id, None)
        self._flush()

    def note_read(self, stream_id: int, size: int) -> None:
        """Note that so many bytes of a stream are read, or dropped."""
        self._unread -= size
        if self._unread <= MOST_UNREAD:
            self._has_room.set()
        self._protocol.credit(stream_id, size)
        self._flush()

    async def _carry(self) -> None:
        try:
            with suppress(OSError):  # the client is gone
                while not self.problem and (data := await self._wire.read()):
                    for event in self._protocol.receive(data):
                        self._take(event)
                    self._flush()
                    if self._unread > MOST_UNREAD:
                        self._has_room.clear()
                    if self._wire.unsent > _MOST_UNSENT:
                        await self._wire.drain()
                    await self._has_room.wait()
        finally:
            for stream in list(self._streams.values()):
                stream.end()
            self._streams.clear()

    def _take(self, event: Event) -> None:
        match event:
            case Opened(stream_id, headers):
                self._open(SpdyStream(self, stream_id, headers))
            case Received(stream_id, data):
                self._unread += len(data)
                if stream := self._streams.get(stream_id):
                    stream.feed(data)
                else:  # it was refused meanwhile
                    self.note_read(stream_id, len(data))
            case Ended(stream_id):
                if stream := self._streams.get(stream_id):
                    stream.feed_end()
                    self._forget_if_over(stream_id)
            case Reset(stream_id, _):
                if stream := self._streams.pop(stream_id, None):
                    stream.end()
            case Broken(text):
                self.problem = text
            case _:
                assert_never(event)

    def _open(self, stream: SpdyStream) -> None:
        self._streams[stream.id] = stream
        if status := self._judge(stream):
            stream.reset(status)
        else:
            self._protocol.accept(stream.id)
            self._forget_if_over(stream.id)

    def _forget_if_over(self, stream_id: int) -> None:
        """Drop a stream that neither side sends on any more; what has come of it can still be read."""
        if not self._protocol.has(stream_id):
            self._streams.pop(stream_id, None)

    def _flush(self) -> None:
        if data := self._protocol.take():
            self._wire.post(data)
