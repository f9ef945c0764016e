"""The engine's log stream as lines of the CRI log format, and where a broken-off copy has to go on.

    2026-05-01T12:00:00.123456789Z stdout F a whole line
    2026-05-01T12:00:01.000000000Z stderr P the first 16 KiB of a long one

The engine sends each message with its timestamp in front. Those of the two streams may be out of order by a
little, so a copy goes on `MARGIN_NS` before the last timestamp in the file and leaves out what stands there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from dockershim.core.times import parse_ns

MARGIN_NS: Final = 100_000_000
CHUNK_BYTES: Final = 16 * 1024  # the engine cuts longer lines
STREAMS: Final = {0: b"stdout", 1: b"stdout", 2: b"stderr"}
_STAMP_BYTES: Final = 30  # 2026-05-01T12:00:00.123456789Z
_HEADER_BYTES: Final = 8

Message = tuple[bytes, bytes, bytes]  # stream, timestamp, content (with its line break, if it ends a line)


class Frames:
    """Takes apart the engine's multiplexed stream: [stream, 0, 0, 0, length (4 bytes)] and so many bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Add some bytes and return each whole frame: the number of its stream, and its payload."""
        rest, at = self._rest + data, 0
        while len(rest) - at >= _HEADER_BYTES:
            end = at + _HEADER_BYTES + int.from_bytes(rest[at + 4 : at + 8], "big")
            if len(rest) < end:
                break
            yield rest[at], rest[at + _HEADER_BYTES : end]
            at = end
        self._rest = rest[at:]


class FramedMessages:
    """Messages of a container without a terminal: one frame each."""

    def __init__(self) -> None:
        self._frames = Frames()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add some bytes and return each whole message."""
        for stream, payload in self._frames.feed(data):
            stamp, _, content = payload.partition(b" ")
            yield STREAMS.get(stream, b"stdout"), stamp, content


class RawMessages:
    """Messages of a container with a terminal: only line breaks and the known size of a piece separate them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add some bytes and return each whole message."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _pieces(line + b"\n")


@dataclass(slots=True)
class Position:
    """What a log file holds at its end: the last timestamp, and the messages within the margin before it."""

    last: str = ""
    near: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)  # (stream, timestamp) → how many

    @property
    def since_ns(self) -> int:
        """From when on the engine is asked; 0 is from the beginning."""
        return max(0, parse_ns(self.last) - MARGIN_NS) if self.last else 0

    def is_new(self, message: Message) -> bool:
        """Whether a message is not in the file yet; each that is there is left out once."""
        key = message[:2]
        if self.near[key] <= 0:
            return True
        self.near[key] -= 1
        return False


def format_message(message: Message) -> bytes:
    """Write a message as a line of the CRI log format."""
    stream, stamp, content = message
    whole = content.endswith(b"\n")
    return b"%b %b %b %b\n" % (stamp, stream, b"F" if whole else b"P", content[:-1] if whole else content)


def read_position(lines: Iterable[bytes]) -> Position:
    """Read where a file ends from its lines, the last one first; reads no more of them than needed."""
    position, begin_ns = Position(), 0
    for line in lines:
        stamp, _, rest = line.partition(b" ")
        stream = rest.partition(b" ")[0]
        at_ns = _stamp_ns(stamp)
        if not at_ns:
            continue
        if not position.last:
            position.last, begin_ns = stamp.decode(), at_ns - MARGIN_NS
        elif at_ns < begin_ns - MARGIN_NS:
            break
        elif at_ns > parse_ns(position.last):
            position.last = stamp.decode()
        position.near[stream, stamp] += 1
    return position


def _stamp_ns(stamp: bytes) -> int:
    try:
        return parse_ns(stamp.decode("ascii"))
    except ValueError:
        return 0


def _pieces(line: bytes) -> Iterator[Message]:
    stamp, _, content = line.partition(b" ")
    while len(content) > CHUNK_BYTES + 1 and _is_stamp(content[CHUNK_BYTES : CHUNK_BYTES + _STAMP_BYTES + 1]):
        yield b"stdout", stamp, content[:CHUNK_BYTES]
        stamp, _, content = content[CHUNK_BYTES:].partition(b" ")
    yield b"stdout", stamp, content


def _is_stamp(text: bytes) -> bool:
    return len(text) == _STAMP_BYTES + 1 and text.endswith(b"Z ") and _stamp_ns(text[:-1]) > 0
