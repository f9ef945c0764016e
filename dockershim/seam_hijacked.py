"""A connection taken over from the Docker engine, behind a seam."""

from __future__ import annotations

from dataclasses import dataclass

from dockershim.engine_connection import Hijacked
from machinery.wire.conversation import END, StreamPassage


@dataclass(slots=True)
class SeamHijacked(Hijacked):
    """A connection that was kept after a request; what is read from it and written to it passes the seam."""

    passage: StreamPassage

    async def read(self) -> bytes:
        """Return some output; b"" at its end.

        Raises:
            ApiError: the connection broke (Unavailable), or what the seam puts in its place.
        """

        async def read() -> bytes:
            return await Hijacked.read(self) or END

        data = await self.passage.read(read)
        return b"" if data is END else data

    async def write(self, data: bytes) -> None:
        """Write input."""
        if await self.passage.write(data):
            await Hijacked.write(self, data)

    def close(self) -> None:
        """Close at once."""
        self.passage.end()
        Hijacked.close(self)
