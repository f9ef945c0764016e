"""An HTTP connection that is taken over from aiohttp, to speak something else on it than HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

_READ_BYTES: Final = 64 * 1024


class _Protocol(asyncio.StreamReaderProtocol):
    """Takes the events of the transport while the connection is ours."""

    is_lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        self.is_lost = True
        super().connection_lost(exc)


class Upgraded:
    """The bytes of an upgraded connection (a `machinery.spdy.connection.Wire`)."""

    def __init__(
        self, transport: asyncio.Transport, protocol: _Protocol, reader: asyncio.StreamReader
    ) -> None:
        self._transport = transport
        self._reader = reader
        self._writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())

    @property
    def socket(self) -> Any:
        """The connection's socket, to look at."""
        return self._transport.get_extra_info("socket")

    @property
    def unsent(self) -> int:
        """How many bytes wait for the other end to take them."""
        return self._transport.get_write_buffer_size()

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            OSError: the connection broke.
        """
        return await self._reader.read(_READ_BYTES)

    def post(self, data: bytes) -> None:
        """Write without waiting; on a connection that is over, do nothing."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the other end does not read.

        Raises:
            OSError: the connection broke.
        """
        await self._writer.drain()


@asynccontextmanager
async def upgraded(request: web.Request, headers: Mapping[str, str]) -> AsyncIterator[Upgraded]:
    """Answer 101 with some headers, and have the connection while inside; then it is closed.

    aiohttp takes the connection back to notice its end; what its handler returns then goes nowhere.

    Raises:
        ConnectionResetError: the client has left.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has left")
    before = transport.get_protocol()
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    protocol = _Protocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    head = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers.items())]
    transport.write("\r\n".join((*head, "", "")).encode())
    try:
        yield Upgraded(transport, protocol, reader)
    finally:
        transport.set_protocol(before)
        transport.close()
        if protocol.is_lost:
            before.connection_lost(None)
