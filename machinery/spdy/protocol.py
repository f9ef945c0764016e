"""The server's side of a SPDY/3.1 connection: bytes in, events out, no I/O and no clock.

    server = SpdyServer()
    for event in server.receive(data): …     Opened, Received, Ended, Reset, in order; Broken is the last of a connection
    server.accept(stream)                    or `reset`; then `send`, `finish`, `credit` go on with it
    write(server.take())                     after every call of a method

The specification is "SPDY Protocol, draft 3.1". What a client may do to memory is bounded: frames with headers and blocks of
headers by their size, streams by their number, and DATA, of which a frame may have 16 MiB, is passed on as it comes. What does not parse breaks
the connection, with a GOAWAY that says so; what one stream does wrong ends that stream, with the status that the
specification has for it.

Flow control is as Kubernetes' own clients and servers have it (moby/spdystream): they neither keep to windows nor widen
them, and leave it to TCP. So nothing here waits for a WINDOW_UPDATE, which would never come; but windows are widened
as data is read, for clients that keep to them.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, TypeAlias

from machinery.spdy.header_block import BadHeaders, HeaderReader, HeaderWriter, Malformed

PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR, STREAM_ALREADY_CLOSED = (
    1,
    2,
    3,
    5,
    6,
    9,
)
"""Why a stream is reset."""
GOING_WELL, GOING_WRONG = 0, 1
"""Why a connection goes away."""

MOST_STREAMS: Final = 1_024  # open at once
LARGEST_CONTROL_FRAME: Final = 64 * 1024  # bytes behind its head
LARGEST_DATA_FRAME: Final = 32 * 1024  # bytes that are sent in one
_CREDIT: Final = (
    32 * 1024
)  # bytes that are read before the client is told: half of the window that it begins with
_VERSION: Final = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = (
    1,
    2,
    3,
    4,
    6,
    7,
    8,
    9,
)
_FIN, _UNIDIRECTIONAL = 0x1, 0x2
_CONTROL: Final = 0x80000000
_ID: Final = 0x7FFFFFFF
_HEAD: Final = struct.Struct(">II")  # a control frame's version and type, or a stream; flags and length
_PAIR: Final = struct.Struct(">II")
_ONE: Final = struct.Struct(">I")


class Opened(NamedTuple):
    """The client has opened a stream, which waits for `accept` or `reset`."""

    stream: int
    headers: dict[str, str]


class Received(NamedTuple):
    """Some bytes have come on a stream."""

    stream: int
    data: bytes


class Ended(NamedTuple):
    """The client sends no more on a stream."""

    stream: int


class Reset(NamedTuple):
    """A stream is over in both directions, before its time."""

    stream: int
    status: int


class Broken(NamedTuple):
    """The client does not speak SPDY/3.1: the connection is of no use any more, once what is to be sent is sent."""

    text: str


Event: TypeAlias = Opened | Received | Ended | Reset | Broken


class _Stream:
    """One stream. It is forgotten when neither side sends any more."""

    __slots__ = ("is_accepted", "receives", "sends", "unread")

    def __init__(self, *, receives: bool, sends: bool) -> None:
        self.is_accepted = False
        self.receives = receives  # whether the client may still send
        self.sends = sends  # whether we may
        self.unread = 0  # bytes that were read, and are not credited to the client yet


class SpdyServer:
    """One connection. It opens no streams itself, and pushes nothing."""

    def __init__(self) -> None:
        self.is_open = True  # whether the client may open streams
        self._has_left = False  # whether the client has said that it opens no more
        self._outgoing: list[bytes] = []
        self._events: list[Event] = []
        self._buffer = b""
        self._data = (
            0,
            0,
            0,
        )  # the DATA frame that is coming: its stream, its flags, how many bytes are left of it
        self._streams: dict[int, _Stream] = {}
        self._last_id = 0  # the highest stream that the client has opened
        self._unread = 0  # as a stream's, of the whole connection
        self._is_broken = False
        self._reader, self._writer = HeaderReader(), HeaderWriter()

    def has(self, stream_id: int) -> bool:
        """Whether a stream is open, at least in one direction."""
        return stream_id in self._streams

    def take(self) -> bytes:
        """Return what is to be written now, and forget it."""
        frames, self._outgoing = self._outgoing, []
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def receive(self, data: bytes) -> list[Event]:
        """Return the events in bytes that have come, however they are cut; none after `Broken`."""
        if self._is_broken:
            return []
        self._buffer = self._buffer + data if self._buffer else data
        try:
            self._buffer = self._buffer[self._read(self._buffer) :]
        except Malformed as error:
            self._is_broken, self._buffer = True, b""
            self.go_away(GOING_WRONG)
            self._events.append(Broken(f"the client does not speak SPDY/3.1 as agreed: {error}"))
        events, self._events = self._events, []
        return events

    def accept(self, stream_id: int) -> None:
        """Accept a stream that was opened; before that nothing can be sent on it."""
        if (stream := self._streams.get(stream_id)) and not stream.is_accepted:
            stream.is_accepted = True
            if stream.sends:
                block = self._writer.write({})
                self._control(_SYN_REPLY, _ONE.pack(stream_id) + block)

    def send(self, stream_id: int, data: bytes) -> None:
        """Send bytes on a stream; on one that is over they are dropped."""
        if self._sends(stream_id):
            for begin in range(0, len(data), LARGEST_DATA_FRAME):
                piece = data[begin : begin + LARGEST_DATA_FRAME]
                self._outgoing += (_HEAD.pack(stream_id, len(piece)), piece)

    def finish(self, stream_id: int) -> None:
        """Say that nothing more is sent on a stream. Idempotent."""
        if self._sends(stream_id):
            self._outgoing.append(_HEAD.pack(stream_id, _FIN << 24))
            self._streams[stream_id].sends = False
            self._forget_if_over(stream_id)

    def reset(self, stream_id: int, status: int) -> None:
        """End a stream in both directions, without an event. Idempotent."""
        if self._streams.pop(stream_id, None) is not None:
            self._reset(stream_id, status)

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a stream: the client may send as many more."""
        self._credit_connection(size)
        stream = self._streams.get(stream_id)
        if stream is not None and stream.receives:
            stream.unread += size
            if stream.unread >= _CREDIT:
                self._control(_WINDOW_UPDATE, _PAIR.pack(stream_id, stream.unread))
                stream.unread = 0

    def go_away(self, status: int = GOING_WELL) -> None:
        """Say that no more streams can be opened; those that are open go on. Idempotent."""
        if self.is_open:
            self.is_open = False
            self._control(_GOAWAY, _PAIR.pack(self._last_id, status))

    def _read(self, buffer: bytes) -> int:
        """Read what frames there are, whole ones except for DATA; return how many bytes they were."""
        place, size = 0, len(buffer)
        while True:
            if self._data[2]:
                place = self._go_on(buffer, place)
            if self._data[2] or size - place < 8:
                return place
            first, second = _HEAD.unpack_from(buffer, place)
            flags, length = second >> 24, second & 0xFFFFFF
            if not first & _CONTROL:
                self._begin_data(first, flags, length)
                place += 8
                continue
            kind = _kind(first, length)
            if size - place < 8 + length:
                return place
            self._frame(kind, flags, buffer[place + 8 : place + 8 + length])
            place += 8 + length

    def _begin_data(self, stream_id: int, flags: int, length: int) -> None:
        if not stream_id:
            raise Malformed("data on stream 0")
        stream = self._streams.get(stream_id)
        if stream is None and not 0 < stream_id <= self._last_id:
            self._reset(stream_id, INVALID_STREAM)
        elif stream is not None and not stream.receives:
            self._fail(stream_id, STREAM_ALREADY_CLOSED)
        self._data = (stream_id, flags, length)
        if not length:
            self._end_data()

    def _go_on(self, buffer: bytes, place: int) -> int:
        """Pass on what has come of a DATA frame; return the place behind it."""
        stream_id, flags, left = self._data
        piece = buffer[place : place + left]
        if piece and self._receives(stream_id):
            self._events.append(Received(stream_id, piece))
        else:  # nobody will read it
            self._credit_connection(len(piece))
        self._data = (stream_id, flags, left - len(piece))
        if left == len(piece):
            self._end_data()
        return place + len(piece)

    def _end_data(self) -> None:
        stream_id, flags, _ = self._data
        if flags & _FIN:
            self._end(stream_id)

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _SYN_STREAM:
            self._open(flags, payload)
        elif kind in {_SYN_REPLY, _HEADERS}:
            self._more_headers(kind, flags, payload)
        elif kind == _RST_STREAM:
            stream_id, status = _two(payload, "RST_STREAM")
            if self._streams.pop(stream_id & _ID, None) is not None:
                self._events.append(Reset(stream_id & _ID, status))
        elif kind == _PING:
            self._ping(payload)
        elif kind == _GOAWAY:
            _two(payload, "GOAWAY")
            self._has_left = True
        elif kind == _WINDOW_UPDATE:
            _two(payload, "WINDOW_UPDATE")
        elif kind == _SETTINGS and (
            len(payload) < 4 or len(payload) != 4 + 8 * int(_ONE.unpack_from(payload)[0])
        ):
            raise Malformed("a SETTINGS frame has another length than it announces")
        # Frames of any other type are to be ignored (2.2.1).

    def _open(self, flags: int, payload: bytes) -> None:
        stream_id = _stream_of(payload, 10)
        try:
            headers = self._reader.read(payload[10:])
        except BadHeaders:
            self._refuse(stream_id, PROTOCOL_ERROR)
            return
        if not self.is_open or self._has_left:
            return
        if not stream_id % 2 or stream_id <= self._last_id:  # as upstream: that stream's fault only
            self._refuse(stream_id, PROTOCOL_ERROR)
            return
        if len(self._streams) >= MOST_STREAMS:
            self._refuse(stream_id, REFUSED_STREAM)
            return
        self._last_id = stream_id
        self._streams[stream_id] = _Stream(receives=True, sends=not flags & _UNIDIRECTIONAL)
        self._events.append(Opened(stream_id, headers))
        if flags & _FIN:
            self._end(stream_id)

    def _refuse(self, stream_id: int, status: int) -> None:
        """Refuse to open a stream; one that is there with the same number is over."""
        if stream_id in self._streams:
            self._fail(stream_id, status)
            return
        if stream_id % 2:
            self._last_id = max(self._last_id, stream_id)
        self._reset(stream_id, status)

    def _more_headers(self, kind: int, flags: int, payload: bytes) -> None:
        """Read headers that nobody asks for, so that those behind them can be read."""
        stream_id = _stream_of(payload, 4)
        try:
            self._reader.read(payload[4:])
        except BadHeaders:
            self._fail(stream_id, PROTOCOL_ERROR)
            return
        if kind == _SYN_REPLY:  # to a stream that we have not opened
            self._fail(stream_id, INVALID_STREAM)
        elif flags & _FIN:
            self._end(stream_id)

    def _ping(self, payload: bytes) -> None:
        if len(payload) != 4 or payload == bytes(4):
            raise Malformed("a PING without an id")
        if payload[3] % 2:  # it is the client's own
            self._control(_PING, payload)

    def _end(self, stream_id: int) -> None:
        if self._receives(stream_id):
            self._streams[stream_id].receives = False
            self._events.append(Ended(stream_id))
            self._forget_if_over(stream_id)

    def _fail(self, stream_id: int, status: int) -> None:
        """End a stream for what the client has done with it."""
        if self._streams.pop(stream_id, None) is not None:
            self._events.append(Reset(stream_id, status))
        self._reset(stream_id, status)

    def _receives(self, stream_id: int) -> bool:
        stream = self._streams.get(stream_id)
        return stream is not None and stream.receives

    def _sends(self, stream_id: int) -> bool:
        stream = self._streams.get(stream_id)
        return stream is not None and stream.sends and stream.is_accepted

    def _forget_if_over(self, stream_id: int) -> None:
        stream = self._streams[stream_id]
        if not stream.receives and not stream.sends:
            del self._streams[stream_id]

    def _credit_connection(self, size: int) -> None:
        self._unread += size
        if self._unread >= _CREDIT:
            self._control(_WINDOW_UPDATE, _PAIR.pack(0, self._unread))
            self._unread = 0

    def _reset(self, stream_id: int, status: int) -> None:
        self._control(_RST_STREAM, _PAIR.pack(stream_id, status))

    def _control(self, kind: int, payload: bytes) -> None:
        self._outgoing.append(_HEAD.pack(_CONTROL | _VERSION << 16 | kind, len(payload)) + payload)


def _kind(first: int, length: int) -> int:
    """Return the type of a control frame, from the first four bytes of its head."""
    if first >> 16 & 0x7FFF != _VERSION:
        raise Malformed(f"a frame of version {first >> 16 & 0x7FFF}")
    if length > LARGEST_CONTROL_FRAME:
        raise Malformed(f"a control frame of {length} bytes, more than {LARGEST_CONTROL_FRAME}")
    return first & 0xFFFF


def _two(payload: bytes, what: str) -> tuple[int, int]:
    if len(payload) != 8:
        raise Malformed(f"a {what} frame of {len(payload)} bytes")
    first, second = _PAIR.unpack(payload)
    return first, second


def _stream_of(payload: bytes, least: int) -> int:
    """Return the stream that a frame with headers is about; it has at least so many bytes before them."""
    if len(payload) < least:
        raise Malformed(f"a frame with headers of {len(payload)} bytes")
    stream_id: int = _ONE.unpack_from(payload)[0] & _ID
    if not stream_id:
        raise Malformed("headers of stream 0")
    return stream_id
