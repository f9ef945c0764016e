"""A client of exec or attach that speaks SPDY: a stream for each of error, stdin, stdout, stderr and resize.

The client opens the streams, as many as the request has asked for, each with its type as a header; then the session begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from dockershim.command_sessions import Client, Process, say_error
from dockershim.core.stream_protocols import STREAM_TYPES, SizeReader, encode_outcome
from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded
from machinery.process.byte_stream import ByteStream
from machinery.spdy.connection import SpdyConnection, SpdyStream
from machinery.spdy.protocol import REFUSED_STREAM

CREATION_S: Final = 30.0  # wall seconds in which a client has to open its streams, as upstream
GOODBYE_S: Final = 5.0  # wall seconds that a client has to read the rest and to close the connection


class _Gathering:
    """The streams that a client opens for a session."""

    def __init__(self, types: frozenset[str]) -> None:
        self.streams: dict[str, SpdyStream] = {}
        self.complete = asyncio.Event()
        self._types = types

    @property
    def missing(self) -> list[str]:
        """The types of the streams that have not come."""
        return sorted(self._types - self.streams.keys())

    def judge(self, stream: SpdyStream) -> int:
        """Decide about a stream: each type that was asked for, once."""
        kind = stream.headers.get("streamtype", "")
        if kind not in self._types or kind in self.streams:
            return REFUSED_STREAM
        self.streams[kind] = stream
        if self.streams.keys() == self._types:
            self.complete.set()
        return 0


class SpdyClient:
    """Implements `Client` over the streams of one connection; a stream that the client has not opened takes nothing."""

    def __init__(
        self, wire: ByteStream, carrying: asyncio.Task[None], streams: Mapping[str, SpdyStream], protocol: str
    ) -> None:
        self._wire = wire
        self._carrying = carrying  # done when the client has left
        self._streams = streams
        self._protocol = protocol

    @property
    def socket(self) -> Any:
        """The socket of its connection."""
        return self._wire.socket

    async def feed(self, process: Process) -> None:
        """Carry what the client sends into a process until it leaves."""
        async with asyncio.TaskGroup() as tasks:
            feeding = [
                tasks.create_task(feed(self._streams[kind], process))
                for kind, feed in (("stdin", _feed_stdin), ("resize", _feed_sizes))
                if kind in self._streams
            ]
            await asyncio.wait({self._carrying})
            for task in feeding:
                task.cancel()

    async def write(self, stream: int, data: bytes) -> None:
        """Send what a process has written to a stream.

        Raises:
            ConnectionError: the client has left.
        """
        if (target := self._streams.get(STREAM_TYPES[stream])) and not target.is_reset:
            await target.write(data)
        elif self._carrying.done():
            raise ConnectionResetError("the client has left")

    async def finish(self, status: Mapping[str, Any]) -> None:
        """Say by a Status how it ended.

        Raises:
            ConnectionError: the client has left.
        """
        if (target := self._streams.get("error")) and (text := encode_outcome(status, self._protocol)):
            await target.write(text)


async def serve_command(
    wire: ByteStream,
    protocol: str,
    types: frozenset[str],
    session: Callable[[Client], Awaitable[None]],
    clock: Clock,
) -> str:
    """Run a session for a client that opens streams of these types; return what the client did wrong, "" if nothing.

    Raises:
        ConnectionError: the client left before there was a session.
    """
    gathering = _Gathering(types)
    connection = SpdyConnection(wire, gathering.judge)
    async with connection.carried() as carrying:
        client = SpdyClient(wire, carrying, gathering.streams, protocol)
        try:
            await _gathered(gathering, carrying, clock)
        except DeadlineExceeded as error:
            await say_error(client, error)
        else:
            await session(client)
        connection.finish_all()
        await wait_closed(carrying, clock)
    return connection.problem


async def wait_closed(carrying: asyncio.Task[None], clock: Clock) -> None:
    """Wait for a client to close a connection on which all is said; what it has not read would be lost."""
    try:
        async with clock.timeout_wall(GOODBYE_S):
            await asyncio.wait({carrying})
    except TimeoutError:
        return


async def _gathered(gathering: _Gathering, carrying: asyncio.Task[None], clock: Clock) -> None:
    complete = asyncio.ensure_future(gathering.complete.wait())
    try:
        async with clock.timeout_wall(CREATION_S):
            await asyncio.wait({complete, carrying}, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError as error:
        text = f"timed out waiting for client to create streams: {', '.join(gathering.missing)}"
        raise DeadlineExceeded(text) from error
    finally:
        complete.cancel()
    if not gathering.complete.is_set():
        raise ConnectionResetError("the client left before it had opened its streams")


async def _feed_stdin(stream: SpdyStream, process: Process) -> None:
    try:
        while data := await stream.read():
            await process.write(data)
    except ConnectionResetError:  # the stream, or all of the connection
        pass
    process.end_input()


async def _feed_sizes(stream: SpdyStream, process: Process) -> None:
    sizes = SizeReader()
    try:
        while data := await stream.read():
            for size in sizes.feed(data):
                await process.resize(size)
    except ConnectionResetError:
        return
