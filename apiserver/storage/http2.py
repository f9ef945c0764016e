"""One HTTP/2 connection that carries gRPC calls (RFC 9113, gRPC over HTTP/2), written for many small calls.

gRPC's own library costs the apiserver a task and 200 to 400 µs of CPU a call, and it asks etcd once or twice for every
request; this is a quarter of that. A call is written in one piece, with others that begin in the same turn of a busy event
loop, and its answer wakes the caller at once.

Every call ends: with etcd's status, or as UNAVAILABLE when the connection breaks (deadlines are the caller's,
`apiserver.storage.channel`). A peer that is silent for `DEAD_AFTER_S`, although it was pinged, counts as gone.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, cast
from urllib.parse import unquote

import grpc

from apiserver.storage.hpack import Undecodable, read_block
from machinery.wire.status import rpc_error

PING_AFTER_S: Final = 10.0  # wall seconds of silence
DEAD_AFTER_S: Final = 15.0
_TICK_S: Final = 2.5
_WINDOW: Final = 64 * 1024 * 1024  # bytes that the peer may send before somebody has read them
_DEFAULT_WINDOW: Final = 65_535
_LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 20
_BUSY_FROM: Final = 5  # calls under way, from which on frames are gathered
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
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_RESETS: Final = {8: grpc.StatusCode.CANCELLED, 11: grpc.StatusCode.RESOURCE_EXHAUSTED}
_SETTING: Final = struct.Struct(">HI")
_HEAD: Final = struct.Struct(">IBI")  # 24 bits of length and 8 of type, flags, stream
_MESSAGE: Final = struct.Struct(">BI")  # compressed?, length

OnEnd = Callable[[Exception | None], None]


class Stream:
    """One call. Its messages and its end (None: the status is OK) are told to callbacks, in order."""

    __slots__ = ("ends", "id", "on_end", "on_message", "received", "to_send", "unread", "window")

    def __init__(self, id_: int, window: int, on_message: Callable[[bytes], None], on_end: OnEnd) -> None:
        self.id = id_
        self.window = window  # bytes that may be sent
        self.on_message = on_message
        self.on_end = on_end
        self.received = b""
        self.to_send = b""
        self.ends = False  # whether nothing comes after `to_send`
        self.unread = 0  # bytes that were read, and are not credited to the peer yet


class Http2Connection(asyncio.Protocol):
    """The client's side of a connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._outgoing: list[bytes] = []  # frames that this turn of the loop has gathered
        self._streams: dict[int, Stream] = {}
        self._next_id = 1
        self._window = self._initial_window = _DEFAULT_WINDOW
        self._largest_frame = 16_384
        self._most_streams = 100
        self._unread = 0
        self._blocked: dict[int, Stream] = {}  # have more to send than the peer takes now
        self._slots: deque[asyncio.Future[None]] = deque()  # calls that wait for others to end
        self._block: tuple[int, int, bytes] | None = None  # a header block that goes on: stream, flags, bytes
        self._heard_at = self._loop.time()
        self._ticker: asyncio.TimerHandle | None = None
        self.settled: asyncio.Future[None] = self._loop.create_future()  # done when the peer has said hello
        self.is_open = True  # whether new calls may begin

    @property
    def has_room(self) -> bool:
        """Tell whether a call can begin at once."""
        return self.is_open and len(self._streams) < self._most_streams

    async def slot(self) -> None:
        """Wait until the peer takes another call.

        Raises:
            AioRpcError: the connection takes none any more (UNAVAILABLE).
        """
        while self.is_open and not self.has_room:
            waiting = self._loop.create_future()
            self._slots.append(waiting)
            await waiting
        if not self.is_open:
            raise _gone("the connection is closed")

    def begin(
        self, headers: bytes, message: bytes | None, on_message: Callable[[bytes], None], on_end: OnEnd
    ) -> Stream:
        """Begin a call, right after `slot`; with a message it is the only one that is sent."""
        stream = Stream(self._next_id, self._initial_window, on_message, on_end)
        self._streams[stream.id] = stream
        self._next_id += 2
        head = _frame(_HEADERS, _END_HEADERS, stream.id, headers)
        if message is None:
            self._write(head)
            return stream
        stream.ends = True
        stream.to_send = _MESSAGE.pack(0, len(message)) + message
        self._write(head + self._sendable(stream))
        return stream

    def send(self, stream: Stream, message: bytes) -> None:
        """Send a message of a stream that goes on."""
        if stream.id in self._streams:
            stream.to_send += _MESSAGE.pack(0, len(message)) + message
            self._write(self._sendable(stream))

    def cancel(self, stream: Stream) -> None:
        """End a call that nobody waits for; its callbacks are not called any more."""
        if self._forget(stream):
            self._write(_frame(_RST_STREAM, 0, stream.id, _CANCEL.to_bytes(4)))

    def credit(self, stream: Stream, size: int) -> None:
        """Say that somebody has read so many bytes of messages."""
        stream.unread += size
        if stream.unread >= _WINDOW // 2 and stream.id in self._streams:
            self._write(_frame(_WINDOW_UPDATE, 0, stream.id, stream.unread.to_bytes(4)))
            stream.unread = 0

    def close(self, problem: str = "the connection is closed") -> None:
        """End the connection and every call on it. Idempotent."""
        self.is_open = False
        if self._ticker is not None:
            self._ticker.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if not self.settled.done():
            self.settled.set_result(None)
        for stream in list(self._streams.values()):
            self._end(stream, _gone(problem))
        self._wake_slots()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast("asyncio.Transport", transport)
        wishes = ((_TABLE_SIZE, 0), (_PUSH, 0), (_INITIAL_WINDOW, _WINDOW), (_MAX_FRAME, _LARGEST_FRAME))
        settings = b"".join(_SETTING.pack(*wish) for wish in wishes)
        more = (_WINDOW - _DEFAULT_WINDOW).to_bytes(4)
        self._write(_HELLO + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW_UPDATE, 0, 0, more))
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is left."""
        self.close(f"the connection broke: {exc}" if exc else "the connection was closed by the server")

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._heard_at = self._loop.time()
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
            self.close(f"the server does not speak HTTP/2 as agreed: {error}")
            return
        self._buffer = buffer[place:]

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != _CONTINUATION:
            raise Undecodable("a header block is interrupted")
        if kind == _DATA:
            self._data(flags, stream_id, payload)
        elif kind in {_HEADERS, _CONTINUATION}:
            self._headers(kind, flags, stream_id, payload)
        elif kind == _WINDOW_UPDATE:
            self._wider(stream_id, int.from_bytes(payload))
        elif kind == _PING and not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _SETTINGS and not flags & _ACK:
            self._settings(payload)
        elif kind == _RST_STREAM and (stream := self._streams.get(stream_id)):
            code = int.from_bytes(payload)
            text = f"the server reset the call (HTTP/2 error {code})"
            self._end(stream, _error(_RESETS.get(code, grpc.StatusCode.UNAVAILABLE), text))
        elif kind == _GOAWAY:
            self._go_away(int.from_bytes(payload[:4]) & 0x7FFFFFFF)

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread >= _WINDOW // 2:
            self._write(_frame(_WINDOW_UPDATE, 0, 0, self._unread.to_bytes(4)))
            self._unread = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        body = payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        self.credit(stream, len(payload) - len(body))
        received = stream.received + body if stream.received else body
        while len(received) >= 5:
            compressed, length = _MESSAGE.unpack_from(received)
            if compressed:
                raise Undecodable("a message is compressed, which nobody asked for")
            if len(received) < 5 + length:
                break
            stream.on_message(received[5 : 5 + length])
            received = received[5 + length :]
        stream.received = received
        if flags & _END_STREAM:
            self._end(stream, _error(grpc.StatusCode.UNKNOWN, "the call ended without a status"))

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
        if (stream := self._streams.get(stream_id)) is None:
            return
        if flags & _END_STREAM:
            self._end(stream, _status(fields))
        elif fields.get(":status", "200") != "200":
            self._end(stream, _error(grpc.StatusCode.UNAVAILABLE, f"HTTP status {fields[':status']}"))

    def _settings(self, payload: bytes) -> None:
        for key, value in _SETTING.iter_unpack(payload):
            if key == _INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._initial_window
                self._initial_window = value
            elif key == _MAX_FRAME:
                self._largest_frame = value
            elif key == _MAX_STREAMS:
                self._most_streams = value
        self._write(_frame(_SETTINGS, _ACK, 0, b""))
        if not self.settled.done():
            self.settled.set_result(None)
        self._unblock()
        self._wake_slots()

    def _wider(self, stream_id: int, size: int) -> None:
        if not stream_id:
            self._window += size
        elif stream := self._streams.get(stream_id):
            stream.window += size
        self._unblock()

    def _go_away(self, last_id: int) -> None:
        """Begin nothing here any more; calls that the server will not look at are over."""
        self.is_open = False
        for stream in [each for each in self._streams.values() if each.id > last_id]:
            self._end(stream, _gone("the server is going away"))
        self._wake_slots()
        if not self._streams:
            self.close("the server went away")

    def _sendable(self, stream: Stream) -> bytes:
        """Give the frames that may be sent of a stream; what is left waits for the peer to take more."""
        frames: list[bytes] = []
        while stream.to_send:
            size = min(len(stream.to_send), self._largest_frame, self._window, stream.window)
            if size <= 0:
                self._blocked[stream.id] = stream
                return b"".join(frames)
            piece, stream.to_send = stream.to_send[:size], stream.to_send[size:]
            self._window -= size
            stream.window -= size
            is_last = stream.ends and not stream.to_send
            frames.append(_frame(_DATA, _END_STREAM if is_last else 0, stream.id, piece))
        self._blocked.pop(stream.id, None)
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _unblock(self) -> None:
        for stream in list(self._blocked.values()):
            self._write(self._sendable(stream))

    def _end(self, stream: Stream, error: Exception | None) -> None:
        if self._forget(stream):
            stream.on_end(error)

    def _forget(self, stream: Stream) -> bool:
        """Drop a stream; False where that has happened before."""
        if self._streams.pop(stream.id, None) is None:
            return False
        self._blocked.pop(stream.id, None)
        if self._slots:
            self._wake_slots()
        if not self.is_open and not self._streams:
            self._loop.call_soon(self.close)
        return True

    def _wake_slots(self) -> None:
        while self._slots:
            waiting = self._slots.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def _write(self, data: bytes) -> None:
        """Write frames. In a busy turn they wait for its end: answers come together, and so do the next calls."""
        if not data or self._transport is None:
            return
        if not self._outgoing:
            if (
                len(self._streams) < _BUSY_FROM
            ):  # nothing is likely to come, and another turn has its price, too
                self._transport.write(data)
                return
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)

    def _flush(self) -> None:
        data, self._outgoing = b"".join(self._outgoing), []
        if self._transport is not None:
            self._transport.write(data)

    def _tick(self) -> None:
        """Ask a silent peer whether it is there, and give up one that has not answered."""
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= DEAD_AFTER_S:
            self.close(f"the server has been silent for {silent_s:.0f} s")
            return
        if silent_s >= PING_AFTER_S:
            self._write(_frame(_PING, 0, 0, bytes(8)))
        self._ticker = self._loop.call_later(_TICK_S, self._tick)


def _frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def _check_length(length: int) -> None:
    if length > _LARGEST_FRAME:
        raise Undecodable("a frame is larger than was agreed on")


def _status(fields: Mapping[str, str]) -> Exception | None:
    code = fields.get("grpc-status", "")
    if code == "0":
        return None
    if not code:
        status = fields.get(":status", "none")
        return _error(grpc.StatusCode.UNAVAILABLE, f"an answer that is none of gRPC, HTTP status {status}")
    known = _CODES.get(int(code) if code.isdigit() else -1, grpc.StatusCode.UNKNOWN)
    return _error(known, unquote(fields.get("grpc-message", "")))


def _error(code: grpc.StatusCode, text: str) -> Exception:
    error: Exception = rpc_error(code, text)
    return error


def _gone(problem: str) -> Exception:
    return _error(grpc.StatusCode.UNAVAILABLE, problem)
