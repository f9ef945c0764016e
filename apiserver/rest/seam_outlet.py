"""The connection below a stream of the REST door, where the stream passes a seam."""

from __future__ import annotations

from collections import deque

from apiserver.rest.streams import Outlet
from machinery.process.tls import Peer
from machinery.wire.stream_passage import StreamPassage


class SeamOutlet:
    """Writes at once what the seam lets pass; what it attends to waits for `drained`."""

    def __init__(self, outlet: Outlet, passage: StreamPassage) -> None:
        self._outlet = outlet
        self._passage = passage
        self._held: deque[bytes] = deque()  # bounded: who writes stops while `writing_paused`

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._outlet.peer

    @property
    def is_open(self) -> bool:
        """Whether what is written goes anywhere."""
        return self._outlet.is_open

    @property
    def writing_paused(self) -> bool:
        """Whether nothing should be written before `drained`."""
        return bool(self._held) or self._outlet.writing_paused

    def write(self, data: bytes) -> None:
        """Write bytes, now or when the seam lets them pass."""
        if not self._held and self._passage.passes():
            self._outlet.write(data)
        else:
            self._held.append(data)

    async def drained(self) -> None:
        """Wait until everything has passed, and the client has taken most of it.

        Raises:
            ApiError: the seam ends the stream.
            ConnectionError: the client has gone.
        """
        while self._held:
            if await self._passage.arrived(self._held[0]):
                self._outlet.write(self._held[0])
            self._held.popleft()
        await self._outlet.drained()
