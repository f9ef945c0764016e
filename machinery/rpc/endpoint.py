"""What both sides of an HTTP/2 connection that carries gRPC share (RFC 9113): frames, windows, messages. No I/O, no clock.

A side derives from `Endpoint` and says what a header block, a message and the peer's last word mean. What does not parse
breaks the connection: nothing is guessed.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, TypeAlias

from machinery.rpc.hpack import Undecodable
from machinery.rpc.status import Metadata, RpcError

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (0, 1, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_BLOCK = 1, 2, 3, 4, 5, 6
HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW: Final = 65_535
LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 20

HEAD: Final = struct.Struct(">IBI")  # of a frame: 24 bits of length and 8 of type, flags, stream
MESSAGE: Final = struct.Struct(">BI")  # compressed?, length
FIRST: Final = struct.Struct(">IBIBI")  # a frame's head, and that of the message in it
_SETTING: Final = struct.Struct(">HI")


class Began(NamedTuple):
    """The peer has begun to answer a call that goes on, before its first message."""

    stream: int


class Message(NamedTuple):
    """A whole message of a call has come that goes on."""

    stream: int
    data: bytes


class Drained(NamedTuple):
    """All that a call had to send is sent, after some of it had to wait for the peer to take more."""

    stream: int


class Answered(NamedTuple):
    """A call with one answer is over: this is the answer, its status is OK."""

    stream: int
    data: bytes
    trailers: Metadata


class Ended(NamedTuple):
    """A call is over; without an error its status is OK."""

    stream: int
    error: RpcError | None
    trailers: Metadata = ()


class Broken(NamedTuple):
    """The peer does not speak HTTP/2 as agreed: the connection is of no use any more."""

    text: str


Event: TypeAlias = Began | Message | Drained | Answered | Ended | Broken


class Stream:
    """One call."""

    __slots__ = (
        "answer",
        "ends",
        "have",
        "id",
        "need",
        "one_answer",
        "pieces",
        "sent",
        "to_send",
        "unread",
        "window",
    )

    def __init__(self, id_: int, window: int) -> None:
        self.id = id_
        self.window = window  # bytes that may be sent
        self.one_answer = False  # whether the message that comes is told with the end of the call
        self.answer: bytes | None = None  # that message
        self.pieces: list[bytes] = []  # of a message that is not whole yet
        self.have = 0  # how many bytes they are
        self.need = 0  # how many bytes there have to be before they are looked at again
        self.to_send = b""
        self.sent = 0  # how many bytes of `to_send` are sent already
        self.ends = False  # whether nothing comes after `to_send`
        self.unread = 0  # bytes that were read, and are not credited to the peer yet


class Endpoint:
    """One side of one connection; `window` is how many bytes of a call the peer may send before somebody has read them.

    A larger message comes nevertheless, up to `largest_message` bytes with its head.
    """

    def __init__(self, window: int, largest_message: int) -> None:
        self.is_settled = False  # whether the peer has said hello
        self.is_open = True  # whether new calls may begin
        self.outgoing: list[bytes] = []  # what is to be written: `take` it
        self._buffer = b""
        self._events: list[Event] = []
        self._streams: dict[int, Stream] = {}
        self._largest_message = largest_message  # bytes with their head
        self._credit = window // 2  # bytes that are read before the peer is told
        self._window = self._initial_window = DEFAULT_WINDOW
        self._largest_frame = 16_384
        self._most_streams = 1 << 31
        self._unread = 0
        self._blocked: dict[int, Stream] = {}  # have more to send than the peer takes now
        self._block: tuple[int, int, bytes] | None = None  # a header block that goes on: stream, flags, bytes

    @property
    def under_way(self) -> int:
        """How many calls have begun and not ended."""
        return len(self._streams)

    def take(self) -> bytes:
        """Return what is to be written now, and forget it."""
        frames, self.outgoing = self.outgoing, []
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def send(self, stream_id: int, message: bytes) -> bool:
        """Send a message of a call that goes on. False where not all is sent at once: `Drained` says when it is."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return True
        stream.to_send = b"".join((stream.to_send[stream.sent :], MESSAGE.pack(0, len(message)), message))
        stream.sent = 0
        self._send(stream)
        return stream_id not in self._blocked

    def reset(self, stream_id: int, error: int) -> None:
        """End a call with an error code of HTTP/2, without an event. Idempotent."""
        if self._forget(stream_id):
            self.outgoing.append(frame(RST_STREAM, 0, stream_id, error.to_bytes(4)))

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a call's messages: the peer may send as many more."""
        if stream := self._streams.get(stream_id):
            stream.unread += size
            if stream.unread >= self._credit:
                self.outgoing.append(frame(WINDOW_UPDATE, 0, stream_id, stream.unread.to_bytes(4)))
                stream.unread = 0

    def ping(self) -> None:
        """Send a PING; whatever comes then shows that the peer is there."""
        self.outgoing.append(frame(PING, 0, 0, bytes(8)))

    def receive(self, data: bytes) -> list[Event]:
        """Return the events in bytes that arrived, however they are cut."""
        buffer = self._buffer + data if self._buffer else data
        place, size = 0, len(buffer)
        try:
            while size - place >= 9:
                first, flags, stream_id = HEAD.unpack_from(buffer, place)
                end = place + 9 + (first >> 8)
                if end > size:
                    _check_length(first >> 8)
                    break
                self._frame(first & 0xFF, flags, stream_id & 0x7FFFFFFF, buffer[place + 9 : end])
                place = end
        except (Undecodable, IndexError, struct.error) as error:
            self.is_open = False
            self._events.append(Broken(f"the peer does not speak HTTP/2 as agreed: {error}"))
        self._buffer = buffer[place:]
        events, self._events = self._events, []
        return events

    def _wish(self, window: int, *more: tuple[int, int]) -> None:
        """Send the settings of this side, and the window that the connection begins with."""
        wishes = ((TABLE_SIZE, 0), (INITIAL_WINDOW, window), (MAX_FRAME, LARGEST_FRAME), *more)
        settings = b"".join(_SETTING.pack(*wish) for wish in wishes)
        self.outgoing.append(frame(SETTINGS, 0, 0, settings))
        if window > DEFAULT_WINDOW:
            self.outgoing.append(frame(WINDOW_UPDATE, 0, 0, (window - DEFAULT_WINDOW).to_bytes(4)))

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        """Act on a whole header block."""
        raise NotImplementedError

    def _on_message(self, stream: Stream, data: bytes) -> None:
        """Act on a whole message."""
        raise NotImplementedError

    def _on_last(self, stream: Stream) -> None:
        """Act on the end of the peer's messages that comes without a header block."""
        raise NotImplementedError

    def _on_too_large(self, stream: Stream, size: int) -> None:
        """Act on a message that is larger than this side takes."""
        raise NotImplementedError

    def _on_reset(self, stream_id: int, error: int) -> None:
        """Act on a call that the peer ended with an error code of HTTP/2."""
        raise NotImplementedError

    def _on_goaway(self, last_id: int) -> None:
        """Act on a peer that takes no new calls, and looks at none after `last_id`."""
        raise NotImplementedError

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != CONTINUATION:
            raise Undecodable("a header block is interrupted")
        if kind == DATA:
            self._data(flags, stream_id, payload)
        elif kind in {HEADERS, CONTINUATION}:
            self._headers(kind, flags, stream_id, payload)
        elif kind == WINDOW_UPDATE:
            self._widen(stream_id, int.from_bytes(payload))
        elif kind == PING and not flags & ACK:
            self.outgoing.append(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS and not flags & ACK:
            self._settle(payload)
        elif kind == RST_STREAM:
            self._on_reset(stream_id, int.from_bytes(payload))
        elif kind == GOAWAY:
            self._on_goaway(int.from_bytes(payload[:4]) & 0x7FFFFFFF)

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread >= self._credit:
            self.outgoing.append(frame(WINDOW_UPDATE, 0, 0, self._unread.to_bytes(4)))
            self._unread = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        body = payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
        if body is not payload:
            self.credit(stream_id, len(payload) - len(body))
        if not stream.have and len(body) > 5 and MESSAGE.unpack_from(body) == (0, len(body) - 5):
            self._on_message(stream, body[5:])  # as nearly always: whole, and alone
        else:
            self._gather(stream, body)
        if flags & END_STREAM:
            self._on_last(stream)

    def _gather(self, stream: Stream, body: bytes) -> None:
        """Cut messages out of what has come of a call. The pieces of one are joined once, when all are there."""
        if stream.have:
            stream.pieces.append(body)
            stream.have += len(body)
            if stream.have < stream.need:
                return
            body = b"".join(stream.pieces)
            stream.have = 0
        place, size, need = 0, len(body), 5
        while size - place >= 5:  # the head of a message
            compressed, length = MESSAGE.unpack_from(body, place)
            if compressed:
                raise Undecodable("a message is compressed, which nobody asked for")
            if length > size - place - 5:
                need = 5 + length
                break
            start, place = place + 5, place + 5 + length
            self._on_message(stream, body[start:place])
        if place == size:
            return
        stream.have, stream.need, stream.pieces = size - place, need, [body[place:]]
        if need > self._largest_message:
            self._on_too_large(stream, need)
        elif need > self._credit:
            self._make_room(stream, need)

    def _make_room(self, stream: Stream, size: int) -> None:
        """Credit a message that might not fit the window to the peer at once: nobody reads it before it is whole."""
        self.outgoing.append(frame(WINDOW_UPDATE, 0, stream.id, size.to_bytes(4)))
        stream.unread -= size

    def _headers(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == HEADERS:
            first = 1 if flags & PADDED else 0
            last = len(payload) - (payload[0] if flags & PADDED else 0)
            payload = payload[first + (5 if flags & PRIORITY else 0) : last]
        else:
            if self._block is None or self._block[0] != stream_id:
                raise Undecodable("a header block goes on that has not begun")
            flags, payload = self._block[1] | flags, self._block[2] + payload
        if not flags & END_HEADERS:
            if len(payload) > _LARGEST_BLOCK:
                raise Undecodable("a header block is too large")
            self._block = (stream_id, flags, payload)
            return
        self._block = None
        self._on_block(stream_id, flags, payload)

    def _settle(self, payload: bytes) -> None:
        for key, value in _SETTING.iter_unpack(payload):
            if key == INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._initial_window
                self._initial_window = value
            elif key == MAX_FRAME:
                self._largest_frame = value
            elif key == MAX_STREAMS:
                self._most_streams = value
        self.outgoing.append(frame(SETTINGS, ACK, 0, b""))
        self.is_settled = True
        self._unblock()

    def _widen(self, stream_id: int, size: int) -> None:
        if not stream_id:
            self._window += size
        elif stream := self._streams.get(stream_id):
            stream.window += size
        self._unblock()

    def _send(self, stream: Stream) -> None:
        """Send what the peer takes of a stream; the rest waits for it to take more."""
        data, size = stream.to_send, len(stream.to_send)
        while stream.sent < size:
            fitting = min(size - stream.sent, self._largest_frame, self._window, stream.window)
            if fitting <= 0:
                self._blocked[stream.id] = stream
                return
            piece = data[stream.sent : stream.sent + fitting]
            stream.sent += fitting
            self._window -= fitting
            stream.window -= fitting
            is_last = stream.ends and stream.sent == size
            self.outgoing.append(frame(DATA, END_STREAM if is_last else 0, stream.id, piece))
        stream.to_send, stream.sent = b"", 0
        if stream.id in self._blocked:
            del self._blocked[stream.id]
            self._events.append(Drained(stream.id))

    def _unblock(self) -> None:
        for stream in list(self._blocked.values()):
            self._send(stream)

    def _forget(self, stream_id: int) -> Stream | None:
        """Drop a stream; None where that has happened before."""
        if self._blocked:
            self._blocked.pop(stream_id, None)
        return self._streams.pop(stream_id, None)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Write a frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def _check_length(length: int) -> None:
    if length > LARGEST_FRAME:
        raise Undecodable("a frame is larger than was agreed on")
