"""What may be sent, and how much the peer may send: the windows of a connection and of its streams (RFC 9113, 5.2).

What a call has to send waits here as long as the peer takes no more of it; `Drained` says when all of it is sent. What this
side has read is credited to the peer by and by.
"""

from __future__ import annotations

from typing import Any

from machinery.rpc.events import Drained
from machinery.rpc.frames import (
    DATA,
    DEFAULT_WINDOW,
    END_STREAM,
    FIRST,
    FLOW_CONTROL_ERROR,
    HEAD,
    LARGEST_WINDOW,
    MESSAGE,
    SMALLEST_FRAME,
    WINDOW_UPDATE,
    ProtocolError,
    frame,
)


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


class Windows:
    """The calls of one side of a connection, and what it has to write; `window` is the room that each call begins with."""

    def __init__(self, window: int) -> None:
        self.outgoing: list[bytes] = []  # what is to be written: `take` it
        self._events: list[Any] = []
        self._streams: dict[int, Any] = {}  # of `Stream`, or what derives from it
        self._room = window
        self._credit = window // 2  # bytes that are read before the peer is told
        self._window = self._initial_window = DEFAULT_WINDOW
        self._largest_frame = SMALLEST_FRAME  # that the peer takes
        self._blocked: dict[int, Stream] = {}  # have more to send than the connection's window lets through

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

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a call's messages: the peer may send as many more."""
        if stream := self._streams.get(stream_id):
            stream.unread += size
            if stream.unread >= self._credit:
                self._widen_room(stream, stream.unread)
                stream.unread = 0

    def _widen_room(self, stream: Any, size: int) -> None:
        stream.room += size
        self.outgoing.append(frame(WINDOW_UPDATE, 0, stream.id, size.to_bytes(4)))

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

    def _on_sent(self, stream: Any) -> None:
        """Act on a stream of which all is sent."""

    def _on_nuisance(self, cost: int = 1) -> None:
        """Note a frame that does nothing for a call."""

    def _check_begun(self, stream_id: int) -> None:
        """Look at a frame for a stream that is not there: it may be over already, but it has to have been there."""
