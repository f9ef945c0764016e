"""A connection taken over from the Docker engine, behind a seam."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from dockershim.engine_connection import Hijacked
from machinery.wire.stream_passage import StreamPassage


@dataclass(slots=True)
class SeamHijacked(Hijacked):
    """A connection that was kept after a request; what is read from it and written to it passes the seam."""

    passage: StreamPassage

    async def read(self) -> bytes:
        """Return some output; b"" at its end.

        Raises:
            ApiError: the connection broke (Unavailable), or what the seam puts in its place.
        """
        return await self.passage.read(partial(Hijacked.read, self))

    async def write(self, data: bytes) -> None:
        """Write input.

        Raises:
            ApiError: the seam ends the stream.
        """
        await self.passage.write(data, partial(Hijacked.write, self))

    def close(self) -> None:
        """Close at once."""
        self.passage.end()
        Hijacked.close(self)
