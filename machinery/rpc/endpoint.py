"""What both sides of an HTTP/2 connection that carries gRPC share (RFC 9113): frames in, messages out. No I/O, no clock.

A side derives from `Endpoint` and says what a header block, a message and the peer's last word mean. What does not parse
breaks the connection: nothing is guessed. What a peer makes this side keep is bounded: a frame, a message and a header block
in bytes, what waits to be sent by who sends it (`send` says when to wait). No frame costs more than its own length.
"""

from __future__ import annotations

import struct
from typing import Any

from machinery.rpc.events import Broken
from machinery.rpc.frames import (
    ACK,
    CALM,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    LENGTHS,
    MAX_FRAME,
    MAX_STREAMS,
    MESSAGE,
    MOST_BLOCK_BYTES,
    MOST_BLOCK_FRAMES,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_FRAME,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    SMALLEST_FRAME,
    TABLE_SIZE,
    WINDOW_UPDATE,
    OpenBlock,
    ProtocolError,
    frame,
    unpadded,
)
from machinery.rpc.hpack import Undecodable
from machinery.rpc.windows import Windows


class Endpoint(Windows):
    """One side of one connection; `window` is how many bytes of a call the peer may send before somebody has read them.

    A larger message comes nevertheless, up to `largest_message` bytes with its head.
    """

    def __init__(self, window: int, largest_message: int, longest_frame: int = LARGEST_FRAME) -> None:
        super().__init__(window)
        self.is_settled = False  # whether the peer has said hello
        self.is_open = True  # whether new calls may begin
        self._buffer = b""
        self._largest_message = largest_message  # bytes with their head
        self._longest_frame = longest_frame  # that this side takes
        self._most_streams = 1 << 31
        self._unread = 0
        self._block: OpenBlock | None = None  # a header block that goes on

    def reset(self, stream_id: int, error: int) -> None:
        """End a call with an error code of HTTP/2, without an event. Idempotent."""
        if self._forget(stream_id):
            self.outgoing.append(frame(RST_STREAM, 0, stream_id, error.to_bytes(4)))

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
        settings = b"".join(SETTING.pack(*wish) for wish in wishes)
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

    def _on_broken(self, error: Exception) -> None:
        """Act on a peer that broke the rules, before the connection is given up."""

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
        if kind in {PRIORITY_FRAME, RST_STREAM} and not stream_id:
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
        elif kind == PUSH_PROMISE:
            raise ProtocolError("a push that nobody allowed")

    def _check(self, kind: int, payload: bytes) -> None:
        if kind in LENGTHS and len(payload) != LENGTHS[kind]:
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
        body = unpadded(payload) if flags & PADDED else payload
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

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ProtocolError("a header block for the connection")
        if flags & PADDED:
            payload = unpadded(payload)
        if flags & PRIORITY:
            if len(payload) < 5:
                raise ProtocolError("a frame is too short for its flags", FRAME_SIZE_ERROR)
            payload = payload[5:]
        if flags & END_HEADERS:
            self._on_block(stream_id, flags, payload)
        else:
            self._block = OpenBlock(stream_id, flags, payload, 1)

    def _continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        begun = self._block
        if begun is None or begun.stream != stream_id:
            raise ProtocolError("a header block goes on that has not begun")
        block = OpenBlock(stream_id, begun.flags, begun.data + payload, begun.parts + 1)
        if len(block.data) > MOST_BLOCK_BYTES or block.parts > MOST_BLOCK_FRAMES:
            raise ProtocolError("a header block is too large, or in too many pieces", CALM)
        if not flags & END_HEADERS:
            self._block = block
            return
        self._block = None
        self._on_block(stream_id, block.flags, block.data)

    def _settle(self, payload: bytes) -> None:
        self.outgoing.append(frame(SETTINGS, ACK, 0, b""))  # in front of what they allow to be sent
        self.is_settled = True
        for key, value in SETTING.iter_unpack(payload):
            if key == INITIAL_WINDOW:
                self._resize(value)
            elif key == MAX_FRAME:
                if not SMALLEST_FRAME <= value < 1 << 24:
                    raise ProtocolError("a size of frames that is not allowed")
                self._largest_frame = min(value, LARGEST_FRAME)
            elif key == MAX_STREAMS:
                self._most_streams = value
