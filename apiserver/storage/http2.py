"""HTTP/2 as a gRPC client speaks it (RFC 9113, gRPC over HTTP/2): bytes in, events out, no I/O and no clock.

    client = Http2Client()                 its hello is the first of what `take` returns
    stream = client.begin(headers, ask)    a call; `send` and `cancel` go on with it
    for event in client.receive(data): …   Message, Answered, Ended, in order; Broken is the last of a connection
    transport.write(client.take())         after every call of a method

The shell around it is `apiserver.storage.http2_connection`; docs/adr/0011 says why this is written here at all. Every
call ends once: with etcd's status, or by `abort` when the connection breaks. What does not parse breaks the connection:
nothing is guessed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

from apiserver.storage.hpack import Undecodable, read_block

CANCELLED, UNKNOWN, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE = 1, 2, 8, 13, 14
"""gRPC's status codes that are given here, and not by the server."""

_WINDOW: Final = 64 * 1024 * 1024  # bytes that the peer may send before somebody has read them
LARGEST_MESSAGE: Final = _WINDOW  # bytes with their head
_CREDIT: Final = _WINDOW // 2  # bytes that are read before the peer is told
_DEFAULT_WINDOW: Final = 65_535
_LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 20
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_CANCEL: Final = 8
_TABLE_SIZE, _PUSH, _MAX_STREAMS, _INITIAL_WINDOW, _MAX_FRAME = 1, 2, 3, 4, 5
_RESETS: Final = {8: CANCELLED, 11: RESOURCE_EXHAUSTED}
_SETTING: Final = struct.Struct(">HI")
_HEAD: Final = struct.Struct(">IBI")  # 24 bits of length and 8 of type, flags, stream
_MESSAGE: Final = struct.Struct(">BI")  # compressed?, length
_FIRST: Final = struct.Struct(">IBIBI")  # a frame's head, and that of the message in it


class Failure(NamedTuple):
    """How a call failed: gRPC's status."""

    code: int
    text: str
    is_too_large: bool = False  # whether it is a message of more than `LARGEST_MESSAGE`, which was not taken


class Message(NamedTuple):
    """A whole message of a call has come that goes on."""

    stream: int
    data: bytes


class Answered(NamedTuple):
    """A call that asked one thing is over: this is the answer, its status is OK."""

    stream: int
    data: bytes


class Ended(NamedTuple):
    """A call is over; without a failure its status is OK."""

    stream: int
    failure: Failure | None


class Broken(NamedTuple):
    """The peer does not speak HTTP/2 as agreed: the connection is of no use any more."""

    text: str


Event: TypeAlias = Message | Answered | Ended | Broken


class _Stream:
    """One call."""

    __slots__ = ("answer", "ends", "have", "id", "need", "pieces", "to_send", "unread", "window")

    def __init__(self, id_: int, window: int) -> None:
        self.id = id_
        self.window = window  # bytes that may be sent
        self.answer: bytes | None = None  # of a call that asked one thing
        self.pieces: list[bytes] = []  # of a message that is not whole yet
        self.have = 0  # how many bytes they are
        self.need = 0  # how many bytes there have to be before they are looked at again
        self.to_send = b""
        self.ends = False  # whether nothing comes after `to_send`
        self.unread = 0  # bytes that were read, and are not credited to the peer yet


class Http2Client:
    """The client's side of one connection."""

    def __init__(self) -> None:
        self.is_settled = False  # whether the peer has said hello
        self.is_open = True  # whether new calls may begin
        self._buffer = b""
        self.outgoing: list[bytes] = []  # what is to be written: `take` it
        self._events: list[Event] = []
        self._streams: dict[int, _Stream] = {}
        self._next_id = 1
        self._window = self._initial_window = _DEFAULT_WINDOW
        self._largest_frame = 16_384
        self._most_streams = 100
        self._unread = 0
        self._blocked: dict[int, _Stream] = {}  # have more to send than the peer takes now
        self._block: tuple[int, int, bytes] | None = None  # a header block that goes on: stream, flags, bytes
        self._say_hello()

    @property
    def under_way(self) -> int:
        """How many calls have begun and not ended."""
        return len(self._streams)

    @property
    def has_room(self) -> bool:
        """Whether a call can begin at once."""
        return self.is_open and len(self._streams) < self._most_streams

    def take(self) -> bytes:
        """Return what is to be written now, and forget it."""
        frames, self.outgoing = self.outgoing, []
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def begin(self, headers: bytes, message: bytes | None) -> int:
        """Begin a call, where there is room, and return its stream; with a message it asks one thing, and no more."""
        stream = _Stream(self._next_id, self._initial_window)
        self._streams[stream.id] = stream
        self._next_id += 2
        head = _HEAD.pack(len(headers) << 8 | _HEADERS, _END_HEADERS, stream.id) + headers
        if message is None:
            self.outgoing.append(head)
            return stream.id
        stream.ends = True
        size = 5 + len(message)
        if size <= self._window and size <= stream.window and size <= self._largest_frame:
            self._window -= size
            data = _FIRST.pack(size << 8 | _DATA, _END_STREAM, stream.id, 0, len(message))
            self.outgoing.append(b"".join((head, data, message)))
        else:
            self.outgoing.append(head)
            stream.to_send = _MESSAGE.pack(0, len(message)) + message
            self._send(stream)
        return stream.id

    def send(self, stream_id: int, message: bytes) -> None:
        """Send a message of a call that goes on."""
        if stream := self._streams.get(stream_id):
            stream.to_send += _MESSAGE.pack(0, len(message)) + message
            self._send(stream)

    def cancel(self, stream_id: int) -> None:
        """End a call that nobody waits for, without an event. Idempotent."""
        if self._forget(stream_id):
            self.outgoing.append(_frame(_RST_STREAM, 0, stream_id, _CANCEL.to_bytes(4)))

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a call's messages: the peer may send as many more."""
        if stream := self._streams.get(stream_id):
            stream.unread += size
            if stream.unread >= _CREDIT:
                self.outgoing.append(_frame(_WINDOW_UPDATE, 0, stream_id, stream.unread.to_bytes(4)))
                stream.unread = 0

    def ping(self) -> None:
        """Send a PING; whatever comes then shows that the peer is there."""
        self.outgoing.append(_frame(_PING, 0, 0, bytes(8)))

    def abort(self, problem: str) -> list[Event]:
        """End the connection and every call on it, as unavailable. Idempotent."""
        self.is_open = False
        self.outgoing.clear()
        ended: list[Event] = [Ended(stream, Failure(UNAVAILABLE, problem)) for stream in self._streams]
        self._streams.clear()
        self._blocked.clear()
        return ended

    def receive(self, data: bytes) -> list[Event]:
        """Return the events in bytes that arrived, however they are cut."""
        buffer = self._buffer + data if self._buffer else data
        place, size = 0, len(buffer)
        try:
            while size - place >= 9:
                first, flags, stream_id = _HEAD.unpack_from(buffer, place)
                end = place + 9 + (first >> 8)
                if end > size:
                    _check_length(first >> 8)
                    break
                self._frame(first & 0xFF, flags, stream_id & 0x7FFFFFFF, buffer[place + 9 : end])
                place = end
        except (Undecodable, IndexError, struct.error) as error:
            self.is_open = False
            self._events.append(Broken(f"the server does not speak HTTP/2 as agreed: {error}"))
        self._buffer = buffer[place:]
        events, self._events = self._events, []
        return events

    def _say_hello(self) -> None:
        wishes = ((_TABLE_SIZE, 0), (_PUSH, 0), (_INITIAL_WINDOW, _WINDOW), (_MAX_FRAME, _LARGEST_FRAME))
        settings = b"".join(_SETTING.pack(*wish) for wish in wishes)
        more = (_WINDOW - _DEFAULT_WINDOW).to_bytes(4)
        self.outgoing += (
            _HELLO,
            _frame(_SETTINGS, 0, 0, settings),
            _frame(_WINDOW_UPDATE, 0, 0, more),
        )

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != _CONTINUATION:
            raise Undecodable("a header block is interrupted")
        if kind == _DATA:
            self._data(flags, stream_id, payload)
        elif kind in {_HEADERS, _CONTINUATION}:
            self._headers(kind, flags, stream_id, payload)
        elif kind == _WINDOW_UPDATE:
            self._widen(stream_id, int.from_bytes(payload))
        elif kind == _PING and not flags & _ACK:
            self.outgoing.append(_frame(_PING, _ACK, 0, payload))
        elif kind == _SETTINGS and not flags & _ACK:
            self._settle(payload)
        elif kind == _RST_STREAM:
            code = int.from_bytes(payload)
            text = f"the server reset the call (HTTP/2 error {code})"
            self._end(stream_id, Failure(_RESETS.get(code, UNAVAILABLE), text))
        elif kind == _GOAWAY:
            self._go_away(int.from_bytes(payload[:4]) & 0x7FFFFFFF)

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread >= _CREDIT:
            self.outgoing.append(_frame(_WINDOW_UPDATE, 0, 0, self._unread.to_bytes(4)))
            self._unread = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        body = payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        if body is not payload:
            self.credit(stream_id, len(payload) - len(body))
        if stream.ends and len(body) > 5 and _MESSAGE.unpack_from(body) == (0, len(body) - 5):
            stream.answer = body[5:]  # as nearly always: whole, and alone
        else:
            self._gather(stream, body)
        if flags & _END_STREAM:
            self._end(stream_id, Failure(UNKNOWN, "the call ended without a status"))

    def _gather(self, stream: _Stream, body: bytes) -> None:
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
            compressed, length = _MESSAGE.unpack_from(body, place)
            if compressed:
                raise Undecodable("a message is compressed, which nobody asked for")
            if length > size - place - 5:
                need = 5 + length
                break
            start, place = place + 5, place + 5 + length
            if stream.ends:
                stream.answer = body[start:place]
            else:
                self._events.append(Message(stream.id, body[start:place]))
        if place == size:
            return
        stream.have, stream.need, stream.pieces = size - place, need, [body[place:]]
        if need > LARGEST_MESSAGE:  # the window would be used up before it is whole: it would never be
            self.cancel(stream.id)
            text = f"a message of {need} bytes is larger than {LARGEST_MESSAGE}"
            self._events.append(Ended(stream.id, Failure(RESOURCE_EXHAUSTED, text, is_too_large=True)))

    def _headers(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == _HEADERS:
            first = 1 if flags & _PADDED else 0
            last = len(payload) - (payload[0] if flags & _PADDED else 0)
            payload = payload[first + (5 if flags & _PRIORITY else 0) : last]
        else:
            if self._block is None or self._block[0] != stream_id:
                raise Undecodable("a header block goes on that has not begun")
            flags, payload = self._block[1] | flags, self._block[2] + payload
        if not flags & _END_HEADERS:
            if len(payload) > _LARGEST_BLOCK:
                raise Undecodable("a header block is too large")
            self._block = (stream_id, flags, payload)
            return
        self._block = None
        fields = read_block(payload)
        if flags & _END_STREAM:
            self._end(stream_id, _failure(fields))
        elif fields.get(":status", "200") != "200":
            self._end(stream_id, Failure(UNAVAILABLE, f"HTTP status {fields[':status']}"))

    def _settle(self, payload: bytes) -> None:
        for key, value in _SETTING.iter_unpack(payload):
            if key == _INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._initial_window
                self._initial_window = value
            elif key == _MAX_FRAME:
                self._largest_frame = value
            elif key == _MAX_STREAMS:
                self._most_streams = value
        self.outgoing.append(_frame(_SETTINGS, _ACK, 0, b""))
        self.is_settled = True
        self._unblock()

    def _widen(self, stream_id: int, size: int) -> None:
        if not stream_id:
            self._window += size
        elif stream := self._streams.get(stream_id):
            stream.window += size
        self._unblock()

    def _go_away(self, last_id: int) -> None:
        """Begin nothing here any more; calls that the server will not look at are over."""
        self.is_open = False
        for stream_id in [each for each in self._streams if each > last_id]:
            self._end(stream_id, Failure(UNAVAILABLE, "the server is going away"))

    def _send(self, stream: _Stream) -> None:
        """Send what the peer takes of a stream; the rest waits for it to take more."""
        while stream.to_send:
            size = min(len(stream.to_send), self._largest_frame, self._window, stream.window)
            if size <= 0:
                self._blocked[stream.id] = stream
                return
            piece, stream.to_send = stream.to_send[:size], stream.to_send[size:]
            self._window -= size
            stream.window -= size
            is_last = stream.ends and not stream.to_send
            self.outgoing.append(_frame(_DATA, _END_STREAM if is_last else 0, stream.id, piece))
        if self._blocked:
            self._blocked.pop(stream.id, None)

    def _unblock(self) -> None:
        for stream in list(self._blocked.values()):
            self._send(stream)

    def _end(self, stream_id: int, failure: Failure | None) -> None:
        if stream := self._forget(stream_id):
            if failure is None and stream.answer is not None:
                self._events.append(Answered(stream_id, stream.answer))
            elif failure is None and stream.ends:
                self._events.append(Ended(stream_id, Failure(INTERNAL, "an answer without a message")))
            else:
                self._events.append(Ended(stream_id, failure))

    def _forget(self, stream_id: int) -> _Stream | None:
        """Drop a stream; None where that has happened before."""
        if self._blocked:
            self._blocked.pop(stream_id, None)
        return self._streams.pop(stream_id, None)


def _frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def _check_length(length: int) -> None:
    if length > _LARGEST_FRAME:
        raise Undecodable("a frame is larger than was agreed on")


def _failure(fields: Mapping[str, str]) -> Failure | None:
    code = fields.get("grpc-status", "")
    if code == "0":
        return None
    if not code:
        status = fields.get(":status", "none")
        return Failure(UNAVAILABLE, f"an answer that is not gRPC's, HTTP status {status}")
    return Failure(int(code) if code.isdigit() else UNKNOWN, unquote(fields.get("grpc-message", "")))
