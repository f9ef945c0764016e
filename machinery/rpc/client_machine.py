"""The client's side of an HTTP/2 connection that carries gRPC: bytes in, events out, no I/O and no clock.

    client = Http2Client()                 its hello is the first of what `take` returns
    stream = client.begin(headers, ask)    a call; `send` and `cancel` go on with it
    for event in client.receive(data): …   Message, Answered, Ended, in order; Broken is the last of a connection
    transport.write(client.take())         after every call of a method

The shell around it is `machinery.rpc.connection`; docs/adr/0011 says why this is written here at all. Every call ends
once: with the server's status, or by `abort` when the connection breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from machinery.rpc.endpoint import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST,
    HEAD,
    HEADERS,
    HELLO,
    MESSAGE,
    PUSH,
    Answered,
    Ended,
    Endpoint,
    Event,
    Failure,
    Message,
    Stream,
)
from machinery.rpc.hpack import read_block
from machinery.rpc.status import Code

WINDOW: Final = 64 * 1024 * 1024
"""How many bytes the server may send before somebody has read them; a larger message would never be whole."""

_CANCEL: Final = 8
_CODES: Final = frozenset(map(int, Code))
_RESETS: Final = {8: Code.CANCELLED, 11: Code.RESOURCE_EXHAUSTED}


class Http2Client(Endpoint):
    """The client's side of one connection."""

    def __init__(self, window: int = WINDOW) -> None:
        super().__init__(window, window)
        self._next_id = 1
        self.outgoing.append(HELLO)
        self._wish(window, (PUSH, 0))

    @property
    def has_room(self) -> bool:
        """Whether a call can begin at once."""
        return self.is_open and len(self._streams) < self._most_streams

    def begin(self, headers: bytes, message: bytes | None) -> int:
        """Begin a call, where there is room, and return its stream; with a message it asks one thing, and no more."""
        stream = Stream(self._next_id, self._initial_window)
        self._streams[stream.id] = stream
        self._next_id += 2
        head = HEAD.pack(len(headers) << 8 | HEADERS, END_HEADERS, stream.id) + headers
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
        self.reset(stream_id, _CANCEL)

    def abort(self, problem: str) -> list[Event]:
        """End the connection and every call on it, as unavailable. Idempotent."""
        self.is_open = False
        self.outgoing.clear()
        ended: list[Event] = [Ended(stream, Failure(Code.UNAVAILABLE, problem)) for stream in self._streams]
        self._streams.clear()
        self._blocked.clear()
        return ended

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        fields = read_block(block)
        if flags & END_STREAM:
            self._end(stream_id, _failure(fields))
        elif fields.get(":status", "200") != "200":
            self._end(stream_id, Failure(Code.UNAVAILABLE, f"HTTP status {fields[':status']}"))

    def _on_message(self, stream: Stream, data: bytes) -> None:
        if stream.ends:
            stream.answer = data
        else:
            self._events.append(Message(stream.id, data))

    def _on_last(self, stream: Stream) -> None:
        self._end(stream.id, Failure(Code.UNKNOWN, "the call ended without a status"))

    def _on_too_large(self, stream: Stream, size: int) -> None:
        self.cancel(stream.id)
        text = f"a message of {size} bytes is larger than {self._largest_message}"
        self._events.append(Ended(stream.id, Failure(Code.RESOURCE_EXHAUSTED, text, is_too_large=True)))

    def _on_reset(self, stream_id: int, error: int) -> None:
        text = f"the server reset the call (HTTP/2 error {error})"
        self._end(stream_id, Failure(_RESETS.get(error, Code.UNAVAILABLE), text))

    def _on_goaway(self, last_id: int) -> None:
        """Begin nothing here any more; calls that the server will not look at are over."""
        self.is_open = False
        for stream_id in [each for each in self._streams if each > last_id]:
            self._end(stream_id, Failure(Code.UNAVAILABLE, "the server is going away"))

    def _end(self, stream_id: int, failure: Failure | None) -> None:
        if stream := self._forget(stream_id):
            if failure is None and stream.answer is not None:
                self._events.append(Answered(stream_id, stream.answer))
            elif failure is None and stream.ends:
                self._events.append(Ended(stream_id, Failure(Code.INTERNAL, "an answer without a message")))
            else:
                self._events.append(Ended(stream_id, failure))


def _failure(fields: Mapping[str, str]) -> Failure | None:
    code = fields.get("grpc-status", "")
    if code == "0":
        return None
    if not code:
        status = fields.get(":status", "none")
        return Failure(Code.UNAVAILABLE, f"an answer that is not gRPC's, HTTP status {status}")
    known = code.isdigit() and int(code) in _CODES
    return Failure(Code(int(code)) if known else Code.UNKNOWN, unquote(fields.get("grpc-message", "")))
