"""The frames of HTTP/2 (RFC 9113), as far as gRPC needs them: their numbers, and how they are written."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from machinery.rpc.hpack import Undecodable

(
    DATA,
    HEADERS,
    PRIORITY_FRAME,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_BLOCK = 1, 2, 3, 4, 5, 6
HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW: Final = 65_535
LARGEST_WINDOW: Final = (1 << 31) - 1
SMALLEST_FRAME: Final = 1 << 14  # of the longest ones that a side may allow
LARGEST_FRAME: Final = 1 << 20
MOST_BLOCK_BYTES: Final = 1 << 20  # of a header block in pieces
MOST_BLOCK_FRAMES: Final = 128

HEAD: Final = struct.Struct(">IBI")  # of a frame: 24 bits of length and 8 of type, flags, stream
MESSAGE: Final = struct.Struct(">BI")  # compressed?, length
FIRST: Final = struct.Struct(">IBIBI")  # a frame's head, and that of the message in it
SETTING: Final = struct.Struct(">HI")
LENGTHS: Final = {
    PRIORITY_FRAME: 5,
    RST_STREAM: 4,
    PING: 8,
    WINDOW_UPDATE: 4,
}  # bytes of frames that have one length only

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED, CANCEL, COMPRESSION_ERROR, CALM = 5, 6, 7, 8, 9, 11


class ProtocolError(Undecodable):
    """What the peer sends is against the rules; `code` is HTTP/2's for it."""

    def __init__(self, text: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.code = code


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Write a frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def block_frames(stream_id: int, flags: int, block: bytes, longest: int) -> bytes:
    """Write a header block: in one frame, where it is not longer than one may be."""
    if len(block) <= longest:
        return HEAD.pack(len(block) << 8 | HEADERS, flags | END_HEADERS, stream_id) + block
    pieces = [block[place : place + longest] for place in range(0, len(block), longest)]
    frames = [frame(HEADERS, flags, stream_id, pieces[0])]
    frames += [frame(CONTINUATION, 0, stream_id, piece) for piece in pieces[1:-1]]
    return b"".join((*frames, frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1])))


def unpadded(payload: bytes) -> bytes:
    """Return what a padded frame holds.

    Raises:
        ProtocolError: its padding is longer than the frame.
    """
    last = len(payload) - payload[0]
    if last < 1:
        raise ProtocolError("a frame is padded with more than it has")
    return payload[1:last]


class OpenBlock(NamedTuple):
    """A header block that goes on."""

    stream: int
    flags: int  # of its first frame
    data: bytes
    parts: int
