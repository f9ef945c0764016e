"""The client's end of a SPDY/3.1 connection, written plainly from the specification, and independent of the server.

It writes whatever it is told to, right or wrong, and reads what a server sends into tuples. Its dictionary is the only thing
that it shares with the server; that it is the right one is seen by its checksum, and by kubectl.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from machinery.spdy.header_block import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
DATA = 0  # no type of the specification's: what a frame that is no control frame is called here
FIN, UNIDIRECTIONAL = 1, 2


class Frame(NamedTuple):
    """A frame that a server has sent: of a control frame the numbers in it, of others the stream and the data."""

    kind: int
    flags: int
    numbers: tuple[int, ...]
    data: bytes = b""
    headers: dict[str, str] | None = None


class SpdyPeer:
    """One connection."""

    def __init__(self, dictionary: bytes = DICTIONARY) -> None:
        self._deflate = zlib.compressobj(zdict=dictionary)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._rest = b""

    def open(self, stream: int, flags: int = 0, **headers: str) -> bytes:
        """Open a stream."""
        return self.syn_stream(stream, plain_block(headers), flags)

    def syn_stream(self, stream: int, block: bytes, flags: int = 0) -> bytes:
        """Open a stream with a block of headers that is not compressed yet."""
        return control(SYN_STREAM, u32(stream) + u32(0) + b"\0\0" + self.compress(block), flags)

    def headers(self, kind: int, stream: int, flags: int = 0, **headers: str) -> bytes:
        """Send a SYN_REPLY or HEADERS."""
        return control(kind, u32(stream) + self.compress(plain_block(headers)), flags)

    def compress(self, block: bytes) -> bytes:
        """Compress a block of headers, as the next one of the connection."""
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def read(self, data: bytes) -> list[Frame]:
        """Return the frames in what a server has sent."""
        self._rest += data
        frames = []
        while len(self._rest) >= 8:
            end = 8 + int.from_bytes(self._rest[5:8])
            if len(self._rest) < end:
                break
            frame, self._rest = self._rest[:end], self._rest[end:]
            frames.append(self._parse(frame))
        return frames

    def _parse(self, frame: bytes) -> Frame:
        head, flags, payload = int.from_bytes(frame[:4]), frame[4], frame[8:]
        if not head & 0x80000000:
            return Frame(DATA, flags, (head,), payload)
        assert head >> 16 == 0x8003
        kind = head & 0xFFFF
        if kind == SYN_REPLY:
            return Frame(kind, flags, (int.from_bytes(payload[:4]),), headers=self._headers(payload[4:]))
        numbers = tuple(int.from_bytes(payload[at : at + 4]) for at in range(0, len(payload), 4))
        return Frame(kind, flags, numbers)

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block)
        texts, at = [], 4
        while at < len(plain):
            size = int.from_bytes(plain[at : at + 4])
            texts.append(plain[at + 4 : at + 4 + size].decode())
            at += 4 + size
        assert len(texts) == 2 * int.from_bytes(plain[:4])
        return dict(zip(texts[::2], texts[1::2], strict=True))


def u32(number: int) -> bytes:
    """Write a number as four bytes."""
    return number.to_bytes(4)


def plain_block(headers: dict[str, str]) -> bytes:
    """Write headers, not compressed."""
    texts = [text.encode() for field in headers.items() for text in field]
    return u32(len(headers)) + b"".join(u32(len(text)) + text for text in texts)


def control(kind: int, payload: bytes, flags: int = 0, version: int = 3) -> bytes:
    """Write a control frame."""
    return u32(0x80000000 | version << 16 | kind) + bytes((flags,)) + len(payload).to_bytes(3) + payload


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    """Write a DATA frame."""
    return u32(stream) + bytes((flags,)) + len(payload).to_bytes(3) + payload
