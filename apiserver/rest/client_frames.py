"""What comes over a WebSocket, up to the first frame that is not masked.

aiohttp takes frames of clients that are not masked. A server has to end the connection then (RFC 6455, 5.1), as Go's
does, so the connection looks at the heads of frames before it passes them on; their payloads it skips.

    byte 0        final?, kind
    byte 1        masked?, length: itself below 126, else in the next 2 (126) or 8 (127) bytes
    then          the mask, 4 bytes; the payload
"""

from __future__ import annotations

from typing import Final

_MASKED: Final = 0x80
_LENGTHS: Final = {126: 2, 127: 8}  # bytes
_MASK: Final = 4  # bytes


class ClientFrames:
    """Follows the frames of one client, however they are cut."""

    __slots__ = ("_head", "_payload")

    def __init__(self) -> None:
        self._head = b""  # of a frame that has begun
        self._payload = 0  # bytes that are still to come of the frame before

    def masked(self, data: bytes) -> int:
        """Return how many of these bytes are of masked frames: all of them, unless another one begins there."""
        place = 0
        while place < len(data):
            if self._payload:
                step = min(self._payload, len(data) - place)
                self._payload -= step
                place += step
                continue
            if self._head and not data[place] & _MASKED and len(self._head) == 1:
                return max(0, place - 1)
            self._head += data[place : place + 1]
            place += 1
            self._end_head()
        return place

    def _end_head(self) -> None:
        """Read a head that is whole."""
        if len(self._head) < 2:
            return
        short = self._head[1] & ~_MASKED
        size = _LENGTHS.get(short, 0)
        if len(self._head) == 2 + size + _MASK:
            self._payload = int.from_bytes(self._head[2 : 2 + size]) if size else short
            self._head = b""
