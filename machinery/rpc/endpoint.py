"""What both sides of an HTTP/2 connection that carries gRPC share (RFC 9113): frames, windows, messages. No I/O, no clock.

A side derives from `Endpoint` and says what a header block, a message and the peer's last word mean. What does not parse
breaks the connection: nothing is guessed. What a peer makes this side keep is bounded: a frame, a message and a header block
in bytes, what waits to be sent by who sends it (`send` says when to wait). No frame costs more than its own length.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple, TypeAlias

from machinery.rpc.hpack import Undecodable
from machinery.rpc.status import Metadata, RpcError

DATA, HEADERS, _PRIORITY, RST_STREAM, SETTINGS, _PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(
    10
)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_BLOCK = 1, 2, 3, 4, 5, 6
HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW: Final = 65_535
LARGEST_WINDOW: Final = (1 << 31) - 1
SMALLEST_FRAME: Final = 1 << 14  # of the longest ones that a side may allow
LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 20
_MOST_PARTS: Final = 128  # frames of a header block

HEAD: Final = struct.Struct(">IBI")  # of a frame: 24 bits of length and 8 of type, flags, stream
MESSAGE: Final = struct.Struct(">BI")  # compressed?, length
FIRST: Final = struct.Struct(">IBIBI")  # a frame's head, and that of the message in it
_SETTING: Final = struct.Struct(">HI")
_LENGTHS: Final = {
    _PRIORITY: 5,
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
        "id",
        "need",
        "one_answer",
        "part",
        "room",
        "sent",
        "to_send",
        "unread",
        "waits",
        "window",
    )

    def __init__(self, id_: int, window: int, room: int) -> None:
        self.id = id_
        self.window = window  # bytes that may be sent
        self.room = room  # bytes that the peer may send
        self.one_answer = False  # whether the message that comes is told with the end of the call
        self.answer: bytes | None = None  # that message
        self.part = bytearray()  # of a message that is not whole yet
        self.need = 0  # how many bytes there have to be before they are looked at again
        self.to_send = b""
        self.sent = 0  # how many bytes of `to_send` are sent already
        self.waits = False  # whether it has more to send than the peer takes
        self.ends = False  # whether nothing comes after `to_send`
        self.unread = 0  # bytes that were read, and are not credited to the peer yet


class Endpoint:
    """One side of one connection; `window` is how many bytes of a call the peer may send before somebody has read them.

    A larger message comes nevertheless, up to `largest_message` bytes with its head.
    """

    def __init__(self, window: int, largest_message: int, longest_frame: int = LARGEST_FRAME) -> None:
        self.is_settled = False  # whether the peer has said hello
        self.is_open = True  # whether new calls may begin
        self.outgoing: list[bytes] = []  # what is to be written: `take` it
        self._buffer = b""
        self._events: list[Any] = []
        self._streams: dict[int, Any] = {}  # of `Stream`, or what derives from it
        self._largest_message = largest_message  # bytes with their head
        self._longest_frame = longest_frame  # that this side takes
        self._room = window
        self._credit = window // 2  # bytes that are read before the peer is told
        self._window = self._initial_window = DEFAULT_WINDOW
        self._largest_frame = SMALLEST_FRAME  # that the peer takes
        self._most_streams = 1 << 31
        self._unread = 0
        self._blocked: dict[int, Stream] = {}  # have more to send than the connection's window lets through
        self._block: _Block | None = None  # a header block that goes on

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
        size = 5 + len(message)
        if (
            not stream.to_send
            and size <= self._window
            and size <= stream.window
            and size <= self._largest_frame
        ):
            self._window -= size
            stream.window -= size
            self.outgoing += (FIRST.pack(size << 8 | DATA, 0, stream_id, 0, len(message)), message)
            return True
        stream.to_send = b"".join((stream.to_send[stream.sent :], MESSAGE.pack(0, len(message)), message))
        stream.sent = 0
        self._send(stream)
        return not stream.to_send

    def waits(self, stream_id: int) -> bool:
        """Whether a call has more to send than the peer takes."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.waits

    def reset(self, stream_id: int, error: int) -> None:
        """End a call with an error code of HTTP/2, without an event. Idempotent."""
        if self._forget(stream_id):
            self.outgoing.append(frame(RST_STREAM, 0, stream_id, error.to_bytes(4)))

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a call's messages: the peer may send as many more."""
        if stream := self._streams.get(stream_id):
            stream.unread += size
            if stream.unread >= self._credit:
                self._widen_room(stream, stream.unread)
                stream.unread = 0

    def ping(self) -> None:
        """Send a PING; whatever comes then shows that the peer is there."""
        self.outgoing.append(frame(PING, 0, 0, bytes(8)))

    def receive(self, data: bytes) -> list[Any]:
        """Return the events in bytes that arrived, however they are cut."""
        buffer = self._buffer + data if self._buffer else data
        place, size = 0, len(buffer)
        try:
            while size - place >= 9:
                first, flags, stream_id = HEAD.unpack_from(buffer, place)
                end = place + 9 + (first >> 8)
                if end > size:
                    self._check_length(first >> 8)
                    break
                self._frame(first & 0xFF, flags, stream_id & 0x7FFFFFFF, buffer[place + 9 : end])
                place = end
        except (Undecodable, IndexError, struct.error) as error:
            self.is_open = False
            self._on_broken(error)
            self._events.append(Broken(f"the peer does not speak HTTP/2 as agreed: {error}"))
        self._buffer = buffer[place:]
        events, self._events = self._events, []
        return events

    def _check_length(self, length: int) -> None:
        if length > self._longest_frame:
            raise ProtocolError("a frame is larger than was agreed on", FRAME_SIZE_ERROR)

    def _wish(self, window: int, *more: tuple[int, int]) -> None:
        """Send the settings of this side, and the window that the connection begins with."""
        wishes = [(TABLE_SIZE, 0), *more]
        if self._longest_frame > SMALLEST_FRAME:
            wishes.append((MAX_FRAME, self._longest_frame))
        if self._room != DEFAULT_WINDOW:
            wishes.append((INITIAL_WINDOW, self._room))
        settings = b"".join(_SETTING.pack(*wish) for wish in wishes)
        self.outgoing.append(frame(SETTINGS, 0, 0, settings))
        if window > DEFAULT_WINDOW:
            self.outgoing.append(frame(WINDOW_UPDATE, 0, 0, (window - DEFAULT_WINDOW).to_bytes(4)))

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        """Act on a whole header block."""
        raise NotImplementedError

    def _on_message(self, stream: Any, data: bytes) -> None:
        """Act on a whole message."""
        raise NotImplementedError

    def _on_last(self, stream: Any) -> None:
        """Act on the end of the peer's messages that comes without a header block."""
        raise NotImplementedError

    def _on_too_large(self, stream: Any, size: int) -> None:
        """Act on a message that is larger than this side takes."""
        raise NotImplementedError

    def _on_reset(self, stream_id: int, error: int) -> None:
        """Act on a call that the peer ended with an error code of HTTP/2."""
        raise NotImplementedError

    def _on_goaway(self, last_id: int, error: int) -> None:
        """Act on a peer that takes no new calls, and looks at none after `last_id`, for HTTP/2's reason `error`."""
        raise NotImplementedError

    def _on_compressed(self, _stream: Any) -> None:
        """Act on a message that says it is compressed.

        Raises:
            ProtocolError: the connection ends with it.
        """
        raise ProtocolError("a message is compressed, which nobody asked for")

    def _on_sent(self, stream: Any) -> None:
        """Act on a stream of which all is sent."""

    def _on_nuisance(self, cost: int = 1) -> None:
        """Note a frame that does nothing for a call."""

    def _on_broken(self, error: Exception) -> None:
        """Act on a peer that broke the rules, before the connection is given up."""

    def _check_begun(self, stream_id: int) -> None:
        """Look at a frame for a stream that is not there: it may be over already, but it has to have been there."""

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != CONTINUATION:
            raise ProtocolError("a header block is interrupted")
        if len(payload) > self._longest_frame:
            self._check_length(len(payload))
        if kind == DATA:
            self._data(flags, stream_id, payload)
        elif kind == HEADERS:
            self._headers(flags, stream_id, payload)
        elif kind == WINDOW_UPDATE:
            self._check(kind, payload)
            self._widen(stream_id, int.from_bytes(payload) & LARGEST_WINDOW)
        elif kind == CONTINUATION:
            self._continuation(flags, stream_id, payload)
        else:
            self._other(kind, flags, stream_id, payload)

    def _other(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self._check(kind, payload)
        if kind in {PING, SETTINGS, GOAWAY} and stream_id:
            raise ProtocolError("a frame of the connection for a stream")
        if kind in {_PRIORITY, RST_STREAM} and not stream_id:
            raise ProtocolError("a frame of a stream for the connection")
        self._on_nuisance()
        if kind == PING and not flags & ACK:
            self.outgoing.append(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS and not flags & ACK:
            self._settle(payload)
        elif kind == RST_STREAM:
            if stream_id not in self._streams:
                self._check_begun(stream_id)
            self._on_reset(stream_id, int.from_bytes(payload))
        elif kind == GOAWAY:
            self._on_goaway(int.from_bytes(payload[:4]) & LARGEST_WINDOW, int.from_bytes(payload[4:8]))
        elif kind == _PROMISE:
            raise ProtocolError("a push that nobody allowed")

    def _check(self, kind: int, payload: bytes) -> None:
        if kind in _LENGTHS and len(payload) != _LENGTHS[kind]:
            raise ProtocolError("a frame has not the length of its kind", FRAME_SIZE_ERROR)

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread >= self._credit:
            self.outgoing.append(frame(WINDOW_UPDATE, 0, 0, self._unread.to_bytes(4)))
            self._unread = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            self._on_nuisance()
            self._check_begun(stream_id)
            return
        stream.room -= len(payload)
        if stream.room < 0:
            raise ProtocolError("more was sent than there is room for", FLOW_CONTROL_ERROR)
        body = _unpadded(payload) if flags & PADDED else payload
        if body is not payload:
            self.credit(stream_id, len(payload) - len(body))
        if not stream.part and len(body) > 5 and MESSAGE.unpack_from(body) == (0, len(body) - 5):
            self._on_message(stream, body[5:])  # as nearly always: whole, and alone
        elif body:
            self._gather(stream, body)
        elif not flags & END_STREAM:
            self._on_nuisance()
        if flags & END_STREAM:
            self._on_last(stream)

    def _gather(self, stream: Any, body: bytes) -> None:
        """Cut messages out of what has come of a call."""
        part = stream.part
        if part:
            part += body
            if len(part) < stream.need:
                return
            body, stream.part = bytes(part), bytearray()
        place, size, need = 0, len(body), 5
        while size - place >= 5:  # the head of a message
            compressed, length = MESSAGE.unpack_from(body, place)
            if compressed:
                self._on_compressed(stream)
                return
            if length > size - place - 5:
                need = 5 + length
                break
            start, place = place + 5, place + 5 + length
            self._on_message(stream, body[start:place])
        if place == size:
            return
        stream.need, stream.part = need, bytearray(body[place:])
        if need > self._largest_message:
            self._on_too_large(stream, need)
        elif need > self._credit:  # it might not fit the window, and nobody reads it before it is whole
            stream.unread -= need
            self._widen_room(stream, need)

    def _widen_room(self, stream: Any, size: int) -> None:
        stream.room += size
        self.outgoing.append(frame(WINDOW_UPDATE, 0, stream.id, size.to_bytes(4)))

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ProtocolError("a header block for the connection")
        if flags & PADDED:
            payload = _unpadded(payload)
        if flags & PRIORITY:
            if len(payload) < 5:
                raise ProtocolError("a frame is too short for its flags", FRAME_SIZE_ERROR)
            payload = payload[5:]
        if flags & END_HEADERS:
            self._on_block(stream_id, flags, payload)
        else:
            self._block = _Block(stream_id, flags, payload, 1)

    def _continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        begun = self._block
        if begun is None or begun.stream != stream_id:
            raise ProtocolError("a header block goes on that has not begun")
        block = _Block(stream_id, begun.flags, begun.data + payload, begun.parts + 1)
        if len(block.data) > _LARGEST_BLOCK or block.parts > _MOST_PARTS:
            raise ProtocolError("a header block is too large, or in too many pieces", CALM)
        if not flags & END_HEADERS:
            self._block = block
            return
        self._block = None
        self._on_block(stream_id, block.flags, block.data)

    def _settle(self, payload: bytes) -> None:
        self.outgoing.append(frame(SETTINGS, ACK, 0, b""))  # in front of what they allow to be sent
        self.is_settled = True
        for key, value in _SETTING.iter_unpack(payload):
            if key == INITIAL_WINDOW:
                self._resize(value)
            elif key == MAX_FRAME:
                if not SMALLEST_FRAME <= value < 1 << 24:
                    raise ProtocolError("a size of frames that is not allowed")
                self._largest_frame = min(value, LARGEST_FRAME)
            elif key == MAX_STREAMS:
                self._most_streams = value

    def _resize(self, window: int) -> None:
        """Change the window that streams begin with, also of those that have begun."""
        if window > LARGEST_WINDOW:
            raise ProtocolError("a window is too large", FLOW_CONTROL_ERROR)
        change, self._initial_window = window - self._initial_window, window
        if not change:
            return
        self._on_nuisance(len(self._streams))
        for stream in list(self._streams.values()):
            stream.window += change
            if stream.window > LARGEST_WINDOW:
                raise ProtocolError("a window is too large", FLOW_CONTROL_ERROR)
            if stream.to_send:
                self._send(stream)

    def _widen(self, stream_id: int, size: int) -> None:
        if not size:
            raise ProtocolError("a window that grows by nothing")
        if not stream_id:
            self._window += size
            if self._window > LARGEST_WINDOW:
                raise ProtocolError("a window is too large", FLOW_CONTROL_ERROR)
            self._unblock()
        elif stream := self._streams.get(stream_id):
            stream.window += size
            if stream.window > LARGEST_WINDOW:
                raise ProtocolError("a window is too large", FLOW_CONTROL_ERROR)
            if stream.to_send:
                self._send(stream)
        else:
            self._check_begun(stream_id)

    def _send(self, stream: Any) -> None:
        """Send what the peer takes of a stream; the rest waits for it to take more."""
        data, size = stream.to_send, len(stream.to_send)
        while stream.sent < size:
            fitting = min(size - stream.sent, self._largest_frame, self._window, stream.window)
            if fitting <= 0:
                stream.waits = True
                if stream.window > 0:
                    self._blocked[stream.id] = stream
                return
            piece = data[stream.sent : stream.sent + fitting]
            stream.sent += fitting
            self._window -= fitting
            stream.window -= fitting
            is_last = stream.ends and stream.sent == size
            head = HEAD.pack(fitting << 8 | DATA, END_STREAM if is_last else 0, stream.id)
            self.outgoing += (head, piece)
        stream.to_send, stream.sent = b"", 0
        if stream.waits:
            stream.waits = False
            self._blocked.pop(stream.id, None)
            self._events.append(Drained(stream.id))
        self._on_sent(stream)

    def _unblock(self) -> None:
        while self._blocked and self._window > 0:
            self._send(self._blocked.pop(next(iter(self._blocked))))

    def _forget(self, stream_id: int) -> Any:
        """Drop a stream; None where that has happened before."""
        if self._blocked:
            self._blocked.pop(stream_id, None)
        return self._streams.pop(stream_id, None)


class _Block(NamedTuple):
    """A header block that goes on."""

    stream: int
    flags: int  # of its first frame
    data: bytes
    parts: int


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


def _unpadded(payload: bytes) -> bytes:
    last = len(payload) - payload[0]
    if last < 1:
        raise ProtocolError("a frame is padded with more than it has")
    return payload[1:last]
