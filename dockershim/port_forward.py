"""Port-forward over SPDY: connections of a client to ports of a sandbox.

For each connection the client opens two streams, one for data and one for errors, with the port and an id of the request
as headers. What it sends on the first goes to the port and back; the second gets a text if that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from dockershim.core.stream_protocols import parse_port
from dockershim.spdy_client import CREATION_S
from machinery.model.clock import Clock, Timer
from machinery.model.errors import ApiError
from machinery.spdy.connection import SpdyConnection, SpdyStream, Wire
from machinery.spdy.protocol import REFUSED_STREAM

_READ_BYTES: Final = 32 * 1024
_TYPES: Final = ("data", "error")
Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial: TypeAlias = Callable[[int], Awaitable[Connection]]
"""Connects to a port of the sandbox; raises OSError or ApiError."""


class _PortError(Exception):
    """The connection to the sandbox's port broke."""


@dataclass(slots=True)
class _Pair:
    """The streams of one connection that are there."""

    timer: Timer
    streams: dict[str, SpdyStream] = field(default_factory=dict)


class PortForwarding:
    """The connections of one client."""

    def __init__(self, sandbox_id: str, dial: Dial, clock: Clock) -> None:
        self._sandbox_id = sandbox_id
        self._dial = dial
        self._clock = clock
        self._pairs: dict[str, _Pair] = {}  # that wait for their second stream, by the request's id
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, wire: Wire) -> str:
        """Forward until the client leaves; return what it did wrong, "" if nothing."""
        connection = SpdyConnection(wire, self._judge)
        try:
            async with self._tasks, connection.carried() as carrying:
                await asyncio.wait({carrying})
                for task in self._running:
                    task.cancel()
        finally:
            for pair in self._pairs.values():
                pair.timer.cancel()
        return connection.problem

    def _judge(self, stream: SpdyStream) -> int:
        kind, port = stream.headers.get("streamtype", ""), parse_port(stream.headers.get("port", ""))
        if kind not in _TYPES or not port:
            return REFUSED_STREAM
        request = stream.headers.get("requestid", "") or _request_of(stream.id, kind)
        if (pair := self._pairs.get(request)) is None:
            timer = self._clock.call_later_wall(CREATION_S, self._give_up, request)
            pair = self._pairs[request] = _Pair(timer)
        if kind in pair.streams:
            return REFUSED_STREAM
        pair.streams[kind] = stream
        if len(pair.streams) == len(_TYPES):
            self._pairs.pop(request).timer.cancel()
            data, error = (pair.streams[each] for each in _TYPES)
            task = self._tasks.create_task(self._forward(data, error))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return 0

    def _give_up(self, request: str) -> None:
        """Reset the stream of a request whose other stream has not come."""
        for stream in self._pairs.pop(request).streams.values():
            stream.reset()

    async def _forward(self, data: SpdyStream, error: SpdyStream) -> None:
        port = parse_port(data.headers["port"])
        try:
            problem = await self._connect(data, port)
            if problem:
                await error.write(forward_error(port, self._sandbox_id, problem))
        except ConnectionResetError:  # the client has left
            return
        finally:
            data.finish()
            error.finish()

    async def _connect(self, data: SpdyStream, port: int) -> str:
        """Carry one connection to its end; return what went wrong on the sandbox's side, "" if nothing."""
        try:
            reader, writer = await self._dial(port)
        except (OSError, ApiError) as problem:
            return str(problem)
        carrying = {asyncio.ensure_future(_send(data, writer)), asyncio.ensure_future(_receive(reader, data))}
        try:
            done, _ = await asyncio.wait(carrying, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except _PortError as problem:
            return str(problem)
        finally:
            writer.transport.abort()
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)
        return ""


def forward_error(port: int, sandbox_id: str, problem: str) -> bytes:
    """Return what a client is told when its connection to a port fails, in upstream's words."""
    return f"error forwarding port {port} to pod {sandbox_id}, uid : {problem}".encode()


def _request_of(stream_id: int, kind: str) -> str:
    """Return an id for a request of an old client, which opens the error stream just before the one for data."""
    return f"stream {stream_id if kind == 'error' else stream_id - 2}"


async def _send(data: SpdyStream, writer: asyncio.StreamWriter) -> None:
    """Carry what a client sends to the sandbox, and then the end of it."""
    while piece := await data.read():
        try:
            writer.write(piece)
            await writer.drain()
        except OSError as error:
            raise _PortError(f"writing to the port failed: {error}") from error
    if writer.can_write_eof() and not writer.transport.is_closing():
        writer.write_eof()


async def _receive(reader: asyncio.StreamReader, data: SpdyStream) -> None:
    """Carry what the sandbox sends to a client, and then the end of it."""
    while True:
        try:
            piece = await reader.read(_READ_BYTES)
        except OSError as error:
            raise _PortError(f"reading from the port failed: {error}") from error
        if not piece:
            data.finish()
            return
        await data.write(piece)
