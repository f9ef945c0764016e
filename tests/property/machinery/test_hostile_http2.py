"""Whatever bytes a client sends: the HTTP/2 server answers or breaks, keeps little, and takes a time in proportion."""

from __future__ import annotations

from random import Random

import pytest

from machinery.rpc.events import Broken
from machinery.rpc.hpack import write_block
from machinery.rpc.request_heads import LARGEST_BLOCK
from machinery.rpc.server_machine import (
    MOST_STREAMS,
    Asked,
    Finished,
    Http2Server,
    Left,
    Message,
    Opened,
    good_trailers,
)
from tests.support.examples import first_seeds
from tests.support.http2_frames import PREFACE, frame, message

LARGEST = 50_000
_PATHS = ("/s/Ask", "/s/GoOn", "/s/Nothing", "", "/" + "a" * 300, "\x00", "/s/Ask")
_FIELDS = (
    (":method", "GET"), ("grpc-timeout", "1H"), ("grpc-timeout", "x"), ("grpc-encoding", "gzip"), ("a-bin", "!!!"), ("te", ""),
    ("content-type", "a/b"), ("traceparent", "00-" + "0" * 53), ("a", "b" * 5_000), ("", ""), (":path", "/s/Ask"), ("A", "b"),
)  # fmt: skip


class Peer:
    """A hostile client, and a server whose handlers answer at random; what the server says of a call has to fit together."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.server = Http2Server({"/s/Ask": True, "/s/GoOn": False}, LARGEST)
        self.calls: dict[int, bool] = {}  # those that were told, and whether more may come of them
        self.sent = 0
        self.is_broken = False

    def feed(self, data: bytes) -> None:
        """Send bytes in pieces of a random size, and look at the events."""
        piece = self.random.choice((1, 7, 1_000, 100_000))
        piece = max(piece, len(data) // 200)
        for place in range(0, len(data), piece):
            part = data[place : place + piece]
            self.sent += len(part)
            for event in self.server.receive(part):
                self.look_at(event)
            if self.is_broken:
                return

    def look_at(self, event: object) -> None:
        """Check an event against those before it."""
        match event:
            case Asked(stream, _, data):
                assert stream not in self.calls
                assert len(data) <= LARGEST
                self.calls[stream] = False
            case Opened(stream, _):
                assert stream not in self.calls
                self.calls[stream] = True
            case Message(stream, data):
                assert self.calls[stream]
                assert len(data) <= LARGEST
            case Finished(stream):
                assert self.calls[stream]
                self.calls[stream] = False
            case Left(stream):
                self.calls.pop(stream, None)
            case Broken():
                self.is_broken = True

    def handle(self) -> None:
        """Do what one of the handlers might do."""
        if not self.calls:
            return
        stream, server = self.random.choice(list(self.calls)), self.server
        match self.random.randrange(5):
            case 0:
                server.answer(stream, bytes(self.random.choice((0, 10, 200_000))), good_trailers(()))
                del self.calls[stream]
            case 1:
                server.send(stream, bytes(self.random.choice((0, 100, 30_000))))
            case 2:
                server.credit(stream, 100)
            case 3:
                server.begin(stream)
            case _:
                server.end(stream, good_trailers((("a", "b"),)))
                del self.calls[stream]


def frames(random: Random, begun: int) -> bytes:  # noqa: PLR0911 - one for each kind of frame
    """Write a frame, as it should be or nearly; so many streams have begun."""
    if random.random() < 0.95:
        stream = 2 * random.randrange(max(0, begun - 20), begun) + 1
        kind = random.choice((0, 3, 4, 5, 6))
    else:
        stream = random.choice((0, 1, 2, 101, 2**31 - 1))
        kind = random.randrange(12)
    match kind:
        case 0 | 1 | 2:
            stream = min(2 * begun + 1, 2**31 - 1) if random.random() < 0.98 else stream
            fields = {":method": "POST", ":path": random.choice(_PATHS), "content-type": "application/grpc"}
            more = random.sample(_FIELDS, random.choice((0, 0, 1, 3)))
            return frame(
                1,
                4 if random.random() < 0.95 else random.choice((5, 0, 12, 0x24)),
                stream,
                write_block([*fields.items(), *more]),
            )
        case 3 | 4 | 5:
            content = message(bytes(random.choice((0, 1, 100, 16_000))))
            cut = random.choice((0, 0, 0, 1, 5))
            flags = random.choice((0, 0, 0, 0, 1)) if random.random() < 0.99 else 8
            return frame(0, flags, stream, content[: len(content) - cut])
        case 6:
            size = (
                random.choice((1, 1_000, 100_000))
                if random.random() < 0.99
                else random.choice((0, 2**31 - 1))
            )
            return frame(8, 0, random.choice((0, stream)), size.to_bytes(4))
        case 7:
            setting = random.randrange(8).to_bytes(2) + random.choice((0, 1, 20_000, 2**31)).to_bytes(4)
            return frame(4, random.choice((0, 0, 1)), 0, setting)
        case 8:
            return frame(3, 0, stream, bytes(4))
        case 9:
            return frame(9, random.choice((0, 4)), stream, random.randbytes(random.randint(0, 50)))
        case 10:
            return frame(
                random.randrange(12), random.randrange(256), stream, random.randbytes(random.randint(0, 20))
            )
        case _:
            return random.randbytes(random.randint(1, 30))


@pytest.mark.parametrize("seed", first_seeds(4, quick=1))
def test_whatever_comes_is_answered_or_ends_the_connection(seed: int) -> None:
    """No error but those that are told, no event for a call that was not, no more kept than was sent."""
    for number in range(150):
        random = Random(f"{seed}/{number}")
        peer = Peer(random)
        calls = [
            [(":method", "POST"), (":path", path), ("content-type", "application/grpc")]
            for path in _PATHS[:2]
        ]
        heads = [frame(1, 4, stream, write_block(call)) for stream, call in zip((1, 3), calls, strict=True)]
        peer.feed(PREFACE + frame(4, 0, 0, b"") + b"".join(heads))
        for _ in range(60):
            peer.feed(frames(random, (peer.server._last_id + 1) // 2))
            if peer.is_broken:
                break
            peer.handle()
            assert peer.server.under_way <= MOST_STREAMS
        peer.server.take()


@pytest.mark.parametrize("seed", first_seeds(4, quick=1))
def test_bytes_that_are_no_http2_end_the_connection(seed: int) -> None:
    """From the first byte on, or behind a hello."""
    for number in range(300):
        random = Random(f"{seed}/{number}")
        peer = Peer(random)
        if random.random() < 0.7:
            peer.feed(PREFACE + frame(4, 0, 0, b""))
        for _ in range(50):
            peer.feed(random.randbytes(2_000))
            if peer.is_broken:
                break
        assert peer.is_broken


@pytest.mark.parametrize("size", [1, 3, 11])
def test_a_message_in_tiny_frames_is_kept_as_what_it_is(size: int) -> None:
    """Not as so many objects."""
    peer = Peer(Random(0))
    fields = [(":method", "POST"), (":path", "/s/GoOn"), ("content-type", "application/grpc")]
    peer.feed(PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, write_block(fields)))
    whole = message(bytes(LARGEST))[:-1]
    for place in range(0, len(whole), size):
        peer.server.receive(frame(0, 0, 1, whole[place : place + size]))
    part = peer.server._streams[1].part
    assert len(part) == len(whole)
    assert part.__sizeof__() < 2 * LARGEST
    assert peer.server.held < 2 * LARGEST


@pytest.mark.parametrize("kept", [0, 1])
def test_a_compressed_block_is_bounded_by_what_it_says(kept: int) -> None:
    """A bomb: one byte of a block for each copy of a field that the table keeps."""
    peer = Peer(Random(0))
    peer.feed(PREFACE + frame(4, 0, 0, b""))
    table = b"\x40\x01a\x7f\xd5\x1e" + bytes(4_052) if kept else b""
    bomb = table + (b"\xbe" if kept else b"\x82") * (LARGEST_BLOCK // 33)
    pieces = [bomb[place : place + 16_000] for place in range(0, len(bomb), 16_000)]
    flags = [0] * (len(pieces) - 1) + [4]
    peer.feed(frame(1, flags[0], 1, pieces[0]))
    for piece, flag in zip(pieces[1:], flags[1:], strict=True):
        peer.feed(frame(9, flag, 1, piece))
    assert peer.is_broken
