"""A connection of an HTTP server that was upgraded, as bytes: to speak something else on it than HTTP and WebSocket.

Its events go to a `ByteCarrier` from then on, whose `carry` returns the `ByteStream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

READ_BYTES: Final = 64 * 1024


class ByteCarrier(asyncio.StreamReaderProtocol):
    """Takes the events of the transport while the connection is carried as bytes."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=READ_BYTES)
        super().__init__(self.reader)
        self.is_lost = False
        self.on_lost: Callable[[Exception | None], None] | None = None  # called, too, when it is over

    def carry(self, transport: asyncio.Transport) -> ByteStream:
        """Begin to take the events; return the connection's bytes."""
        self.connection_made(transport)
        return ByteStream(transport, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        self.is_lost = True
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost(exc)


class ByteStream:
    """The bytes of an upgraded connection (a `machinery.spdy.connection.Wire`)."""

    def __init__(self, transport: asyncio.Transport, carrier: ByteCarrier) -> None:
        self._transport = transport
        self._reader = carrier.reader
        self._writer = asyncio.StreamWriter(transport, carrier, carrier.reader, asyncio.get_running_loop())

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
        return await self._reader.read(READ_BYTES)

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

    def close(self) -> None:
        """Close the connection when what was written is sent."""
        self._transport.close()
