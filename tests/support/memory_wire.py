"""The bytes of a connection in memory, for who speaks SPDY over it: the test is the other end."""

from __future__ import annotations

import asyncio

_STEPS = 20  # of the event loop, until what has come has been acted on


class MemoryWire:
    """A `machinery.spdy.connection.Wire`; it takes everything at once."""

    unsent = 0

    def __init__(self) -> None:
        self.written = b""
        self.reads = 0  # how often somebody has read
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._has_ended = False

    async def read(self) -> bytes:
        """Return what the test has fed."""
        self.reads += 1
        return await self._incoming.get()

    def post(self, data: bytes) -> None:
        """Keep what is written."""
        self.written += data

    async def drain(self) -> None:
        """Do nothing, or say that the other end is gone."""
        if self._has_ended:
            raise ConnectionResetError("gone")

    async def feed(self, data: bytes) -> None:
        """Have something come in, and let it be acted on."""
        self._incoming.put_nowait(data)
        await self.settle()

    async def end(self) -> None:
        """End the connection at the other end."""
        self._has_ended = True
        await self.feed(b"")

    async def settle(self) -> None:
        """Run the event loop until all is done that can be done now."""
        for _ in range(_STEPS):
            await asyncio.sleep(0)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        written, self.written = self.written, b""
        return written
