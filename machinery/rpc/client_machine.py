"""The client's side of an HTTP/2 connection that carries gRPC: bytes in, events out, no I/O and no clock.

    client = Http2Client()                 its hello is the first of what `take` returns
    stream = client.begin(headers, ask)    a call; `send` and `cancel` go on with it
    for event in client.receive(data): …   Began, Message, Drained, Answered, Ended; Broken is the last of a connection
    transport.write(client.take())         after every call of a method

The shell around it is `machinery.rpc.connection`; docs/adr/0034 says why this is written here at all. Every call ends
once: with the server's status, or by `abort` when the connection breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from machinery.rpc.endpoint import Endpoint
from machinery.rpc.events import Answered, Began, Ended, Event, Message
from machinery.rpc.frames import (
    CALM,
    CANCEL,
    DATA,
    END_STREAM,
    FIRST,
    HELLO,
    MESSAGE,
    PUSH,
    REFUSED,
    block_frames,
)
from machinery.rpc.hpack import read_block
from machinery.rpc.metadata import read_metadata
from machinery.rpc.status import Code, MessageTooLarge, Metadata, NotConnected, RpcError
from machinery.rpc.windows import Stream

WINDOW: Final = 1024 * 1024
"""How many bytes of a call the server may send before somebody has read them."""

LARGEST_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of the largest message that is taken, with its head."""

_CODES: Final = frozenset(map(int, Code))
_LAST_ID: Final = (1 << 31) - 1
_RESETS: Final = {CANCEL: Code.CANCELLED, CALM: Code.RESOURCE_EXHAUSTED, 12: Code.PERMISSION_DENIED}
_HTTP_STATUSES: Final = {  # https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
    "400": Code.INTERNAL,
    "401": Code.UNAUTHENTICATED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.UNIMPLEMENTED,
    "429": Code.UNAVAILABLE,
    "502": Code.UNAVAILABLE,
    "503": Code.UNAVAILABLE,
    "504": Code.UNAVAILABLE,
}
_REMEMBERED: Final = 512  # bytes of trailers that are worth remembering: longer ones do not come again


class Http2Client(Endpoint):
    """The client's side of one connection."""

    def __init__(self, window: int = WINDOW, largest_message: int = LARGEST_MESSAGE) -> None:
        super().__init__(window, largest_message)
        self._next_id = 1
        self.is_asked_for_calm = False  # whether the server went away because it was pinged too often
        self.outgoing.append(HELLO)
        self._wish(window, (PUSH, 0))

    @property
    def has_room(self) -> bool:
        """Whether a call can begin at once."""
        return self.is_open and len(self._streams) < self._most_streams

    def begin(self, headers: bytes, message: bytes | None, *, one_answer: bool) -> int:
        """Begin a call, where there is room, and return its stream.

        With a message it asks one thing, without one it goes on with `send`. Of a call with one answer, `Answered` is all
        that is told, else each `Message`.
        """
        stream = Stream(self._next_id, self._initial_window, self._room)
        stream.one_answer = one_answer
        self._streams[stream.id] = stream
        self._next_id += 2
        if self._next_id > _LAST_ID:
            self.is_open = False  # numbers are used up: as if the server went away
        head = block_frames(stream.id, 0, headers, self._largest_frame)
        if message is None:
            self.outgoing.append(head)
            return stream.id
        stream.ends = True
        size = 5 + len(message)
        if size <= self._window and size <= stream.window and size <= self._largest_frame:
            self._window -= size
            data = FIRST.pack(size << 8 | DATA, END_STREAM, stream.id, 0, len(message))
            self.outgoing.append(b"".join((head, data, message)))
        else:
            self.outgoing.append(head)
            stream.to_send = MESSAGE.pack(0, len(message)) + message
            self._send(stream)
        return stream.id

    def cancel(self, stream_id: int) -> None:
        """End a call that nobody waits for, without an event. Idempotent."""
        self.reset(stream_id, CANCEL)

    def abort(self, problem: str) -> list[Event]:
        """End the connection and every call on it, as unavailable. Idempotent."""
        self.is_open = False
        self.outgoing.clear()
        ended: list[Event] = [Ended(stream, RpcError(Code.UNAVAILABLE, problem)) for stream in self._streams]
        self._streams.clear()
        self._blocked.clear()
        return ended

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        is_last = flags & END_STREAM
        read = _remembered if len(block) <= _REMEMBERED else _read
        ending = read(block, is_last=bool(is_last))
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if ending is not None:
            self._end(stream, ending.error(), ending.trailers)
        elif not stream.one_answer:
            self._events.append(Began(stream_id))

    def _on_message(self, stream: Stream, data: bytes) -> None:
        if stream.one_answer:
            stream.answer = data
        elif stream.id in self._streams:
            self._events.append(Message(stream.id, data))

    def _on_last(self, stream: Stream) -> None:
        self._end(stream, RpcError(Code.UNKNOWN, "the call ended without a status"))

    def _on_too_large(self, stream: Stream, size: int) -> None:
        self.cancel(stream.id)
        text = f"a message of {size} bytes is larger than {self._largest_message}"
        self._events.append(Ended(stream.id, MessageTooLarge(text)))

    def _on_reset(self, stream_id: int, error: int) -> None:
        stream = self._forget(stream_id)
        if stream is None:
            return
        text = f"the server reset the call (HTTP/2 error {error})"
        refused = error == REFUSED  # the server has not looked at it
        why = NotConnected(text) if refused else RpcError(_RESETS.get(error, Code.UNAVAILABLE), text)
        self._events.append(Ended(stream_id, why))

    def _on_goaway(self, last_id: int, error: int) -> None:
        """Begin nothing here any more; calls that the server will not look at are over."""
        self.is_open = False
        self.is_asked_for_calm |= error == CALM
        for stream_id in [each for each in self._streams if each > last_id]:
            self._forget(stream_id)
            self._events.append(Ended(stream_id, NotConnected("the server is going away")))

    def _end(self, stream: Stream, error: RpcError | None, trailers: Metadata = ()) -> None:
        if stream.id not in self._streams:
            return
        if stream.ends and not stream.to_send:
            self._forget(stream.id)
        else:  # nobody there reads what would follow
            self.cancel(stream.id)
        if error is None and stream.one_answer:
            if stream.answer is not None:
                self._events.append(Answered(stream.id, stream.answer, trailers))
                return
            error = RpcError(Code.INTERNAL, "an answer without a message")
        self._events.append(Ended(stream.id, error, trailers))


class _Ending(NamedTuple):
    """How a server ended a call."""

    code: Code
    text: str
    trailers: Metadata = ()

    def error(self) -> RpcError | None:
        return None if self.code is Code.OK else RpcError(self.code, self.text, self.trailers)


def _read(block: bytes, *, is_last: bool) -> _Ending | None:
    """Return how a call ends with a header block; None where it does not, but begins to be answered."""
    fields = read_block(block)
    known = dict(fields)
    if (status := known.get(":status", "200")) != "200" and (is_last or not status.startswith("1")):
        code = _HTTP_STATUSES.get(status, Code.UNKNOWN)
        return _Ending(code, f"an answer that is not gRPC's, HTTP status {status}")
    return _ending(known, read_metadata(fields)) if is_last else None


_remembered: Final = lru_cache(maxsize=128)(_read)


def _ending(fields: Mapping[str, str], trailers: Metadata) -> _Ending:
    code = fields.get("grpc-status", "")
    if not code:
        return _Ending(Code.UNKNOWN, "the call ended without a status")
    is_known = code.isascii() and code.isdigit() and int(code[:9]) in _CODES
    text = unquote(fields.get("grpc-message", ""))
    return _Ending(Code(int(code)) if is_known else Code.UNKNOWN, text, trailers)
