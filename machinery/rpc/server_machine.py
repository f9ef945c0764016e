"""The server's side of an HTTP/2 connection that carries gRPC: bytes in, events out, no I/O and no clock.

    server = Http2Server(takes_one, 4 << 20)   its settings are the first of what `take` returns
    for event in server.receive(data): …       Asked, Opened, Message, Finished, Left, Drained; Broken is the last
    server.answer(stream, message, trailers)   or `begin`, `send` and `end`, or `fail`
    transport.write(server.take())             after every call of a method

A call that asks one thing is told once, when its request is whole: `Asked`. A call that goes on is `Opened`, and has
`Message`s until it is `Finished`. Of a call that its client gave up, or whose stream broke the rules, `Left` is the last. What
is not a call of a method that is served is answered here.

Hostile clients (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2024-27316): more calls than `MOST_STREAMS` at once are refused,
those counted whose handlers still run after a reset; frames that do nothing for a call are counted, and too many of them
between two calls of `calm` break the connection; `held` is what the client makes this side keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from machinery.rpc.endpoint import Endpoint
from machinery.rpc.events import Broken, Drained, Message
from machinery.rpc.frames import (
    CALM,
    COMPRESSION_ERROR,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FIRST,
    GOAWAY,
    HEAD,
    HEADERS,
    HELLO,
    MAX_BLOCK,
    MAX_STREAMS,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED,
    RST_STREAM,
    SETTINGS,
    SMALLEST_FRAME,
    STREAM_CLOSED,
    ProtocolError,
    block_frames,
    frame,
)
from machinery.rpc.hpack import Undecodable, write_block
from machinery.rpc.metadata import write_metadata
from machinery.rpc.request_heads import LARGEST_BLOCK, Head, HeadReader
from machinery.rpc.status import Code, Metadata
from machinery.rpc.windows import Stream

MOST_STREAMS: Final = 1_000  # calls of one connection at once
MOST_NUISANCES: Final = 5_000  # frames between two calls of `calm` that do nothing for a call
WINDOW: Final = 1024 * 1024  # bytes of all calls that a client may send before it hears of it
_MOST_OF_A_TURN: Final = 256 * 1024  # bytes that are written, and encrypted, at once
_SETTINGS: Final = bytes((SETTINGS,))
_ANSWER: Final = b"\x88" + write_block([("content-type", "application/grpc")])
_UNCOMPRESSED: Final = write_block([("grpc-accept-encoding", "identity")])
_READABLE: Final = (
    " !\"#$&'()*+,/:;<=>?@[\\]^`{|}~"  # what stands in grpc-message as it is, beside letters and digits
)


class Asked(NamedTuple):
    """A call that asks one thing: its request is whole."""

    stream: int
    head: Head
    data: bytes


class Opened(NamedTuple):
    """A call has begun that sends messages."""

    stream: int
    head: Head


class Finished(NamedTuple):
    """The client has sent the last message of a call that was opened."""

    stream: int


class Left(NamedTuple):
    """Nobody waits for the answer of a call any more."""

    stream: int


ServerEvent = Asked | Opened | Message | Finished | Left | Drained | Broken


class ServerStream(Stream):
    """One call, as its server keeps it."""

    __slots__ = ("asks_one", "has_begun", "head", "is_finished", "request", "trailers", "weight")

    def __init__(self, id_: int, window: int, head: Head, weight: int, *, asks_one: bool) -> None:
        super().__init__(id_, window, DEFAULT_WINDOW)
        self.head = head
        self.weight = weight  # bytes that are kept for it, beside what is in `part` and `to_send`
        self.asks_one = asks_one
        self.request: bytes | None = None  # of a call that asks one thing, until it is told
        self.is_finished = False  # whether the client sends nothing more
        self.has_begun = False  # whether the answer's head is sent
        self.trailers: bytes | None = None  # once the handler has ended


class Http2Server(Endpoint):
    """The server's side of one connection. `asks_one` says of each path that is served whether it asks one thing."""

    def __init__(self, asks_one: Mapping[str, bool], largest_message: int) -> None:
        super().__init__(DEFAULT_WINDOW, 5 + largest_message, SMALLEST_FRAME)
        self.lingering = 0  # handlers that still run although their calls are over: kept by the shell
        self._asks_one = asks_one
        self._heads = HeadReader()
        self._hello: bytes | None = b""  # what has come of it; None once it is whole
        self._last_id = 0
        self._nuisances = 0
        self._wish(WINDOW, (MAX_STREAMS, MOST_STREAMS), (MAX_BLOCK, LARGEST_BLOCK))

    @property
    def held(self) -> int:
        """How many bytes are kept for the client: requests, and answers that it does not take."""
        return sum(
            stream.weight + len(stream.part) + len(stream.to_send) - stream.sent
            for stream in self._streams.values()
        )

    def receive(self, data: bytes) -> list[ServerEvent]:
        """Return the events in bytes that arrived, however they are cut."""
        if self._hello is not None:
            data = self._hello + data
            if not HELLO.startswith(data[: len(HELLO)]):
                self.is_open = False
                return [Broken("the client does not speak HTTP/2")]
            if len(data) < len(HELLO):
                self._hello = data
                return []
            self._hello, data = None, data[len(HELLO) :]
        if not self.is_settled and (self._buffer + data)[3:4] not in {b"", _SETTINGS}:
            self.is_open = False
            return [Broken("the first frame is not the client's settings")]
        return super().receive(data)

    def take_part(self) -> bytes:
        """Return what is to be written now, not much more than is good for one turn of a loop; b"" when that is all."""
        frames = self.outgoing
        size = place = 0
        while place < len(frames) and size < _MOST_OF_A_TURN:
            size += len(frames[place])
            place += 1
        if place == len(frames):
            return self.take() if frames else b""
        self.outgoing = frames[place:]
        return b"".join(frames[:place])

    def answer(self, stream_id: int, message: bytes, trailers: bytes) -> None:
        """Answer a call with one message, and end it."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        size = 5 + len(message)
        if (
            stream.is_finished
            and not stream.has_begun
            and size <= self._window
            and size <= stream.window
            and size <= self._largest_frame
            and len(trailers) <= self._largest_frame
        ):
            self._window -= size
            del self._streams[stream_id]
            data = FIRST.pack(size << 8 | DATA, 0, stream_id, 0, len(message))
            head = HEAD.pack(len(_ANSWER) << 8 | HEADERS, END_HEADERS, stream_id)
            tail = HEAD.pack(len(trailers) << 8 | HEADERS, END_HEADERS | END_STREAM, stream_id)
            self.outgoing += (head + _ANSWER + data, message, tail + trailers)
        else:
            self.send(stream_id, message)
            self.end(stream_id, trailers)

    def begin(self, stream_id: int) -> None:
        """Send the head of a call's answer, where that has not been. Idempotent."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.has_begun:
            stream.has_begun = True
            self.outgoing.append(block_frames(stream_id, 0, _ANSWER, self._largest_frame))

    def send(self, stream_id: int, message: bytes) -> bool:
        """Send a message of an answer. False where not all is sent at once: `Drained` says when it is."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return True
        if not stream.has_begun:
            self.begin(stream_id)
        return super().send(stream_id, message)

    def end(self, stream_id: int, trailers: bytes) -> None:
        """End a call with trailers, after what it has still to send. Idempotent."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.trailers is None:
            stream.trailers = trailers
            if not stream.to_send:
                self._close(stream)

    def fail(self, stream_id: int, code: Code, text: str) -> None:
        """End a call with an error, without what it has still to send. Idempotent."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._break_off(stream, trailers(code, text))

    def credit(self, stream_id: int, size: int) -> None:
        """Note that somebody has read so many bytes of a call's messages: the peer may send as many more."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.weight -= size
            super().credit(stream_id, size)

    def go_away(self) -> None:
        """Begin no new calls; those under way go on. Idempotent."""
        if self.is_open:
            self.is_open = False
            self._say_goodbye(NO_ERROR)

    def calm(self) -> None:
        """Forget the nuisances: some time has gone by."""
        self._nuisances = 0

    def _say_goodbye(self, code: int) -> None:
        self.outgoing.append(frame(GOAWAY, 0, 0, self._last_id.to_bytes(4) + code.to_bytes(4)))

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._on_trailers(stream, flags, block)
        elif stream_id <= self._last_id:  # of a call that has been ended from here
            self._heads.fields(block)
            self._on_nuisance()
        elif stream_id & 1:
            self._last_id = stream_id if self.is_open else self._last_id
            self._open(stream_id, flags, block)
        else:
            raise ProtocolError("a stream of a client has an odd number")

    def _on_trailers(self, stream: ServerStream, flags: int, block: bytes) -> None:
        self._heads.fields(block)
        if not flags & END_STREAM:
            raise ProtocolError("a second header block in the middle of a call")
        self._on_last(stream)

    def _open(self, stream_id: int, flags: int, block: bytes) -> None:
        head = self._heads.read(block)
        if not self.is_open:
            return
        if len(self._streams) + self.lingering >= MOST_STREAMS:
            self._on_nuisance()
            self.outgoing.append(frame(RST_STREAM, 0, stream_id, REFUSED.to_bytes(4)))
            return
        asks_one = self._asks_one.get(head.path)
        weight = len(block)
        stream = ServerStream(stream_id, self._initial_window, head, weight, asks_one=asks_one is not False)
        self._streams[stream_id] = stream
        stream.is_finished = bool(flags & END_STREAM)
        if head.refusal is not None:
            self._turn_away(stream, *head.refusal)
        elif asks_one is None:
            self._refuse(stream, Code.UNIMPLEMENTED, f"there is no method {head.path[:200]}")
        elif not asks_one:
            self._events.append(Opened(stream_id, head))
        if flags & END_STREAM:
            self._finish(stream)

    def _on_message(self, stream: ServerStream, data: bytes) -> None:
        if stream.is_finished:
            raise ProtocolError("a message behind the last one", STREAM_CLOSED)
        if stream.id not in self._streams or stream.trailers is not None:
            return  # its handler has ended
        if not stream.asks_one:
            stream.weight += 5 + len(data)
            self._events.append(Message(stream.id, data))
        elif stream.request is None:
            stream.request = data
            stream.weight += len(data)
        else:
            self._refuse(stream, Code.UNIMPLEMENTED, "more than one request for a method that takes one")

    def _on_last(self, stream: ServerStream) -> None:
        if stream.is_finished:
            raise ProtocolError("a call ends twice", STREAM_CLOSED)
        stream.is_finished = True
        self._finish(stream)

    def _finish(self, stream: ServerStream) -> None:
        if stream.id not in self._streams or stream.trailers is not None:
            return
        if stream.part:
            self._refuse(stream, Code.INVALID_ARGUMENT, "the last message breaks off")
        elif not stream.asks_one:
            self._events.append(Finished(stream.id))
        elif stream.request is None:
            self._refuse(stream, Code.UNIMPLEMENTED, "no request for a method that takes one")
        else:
            data, stream.request = stream.request, None
            self._events.append(Asked(stream.id, stream.head, data))

    def _on_too_large(self, stream: ServerStream, size: int) -> None:
        text = f"a message of {size - 5} bytes is larger than {self._largest_message - 5}"
        self._refuse(stream, Code.RESOURCE_EXHAUSTED, text)

    def _on_compressed(self, stream: ServerStream) -> None:
        encoding = stream.head.encoding
        if encoding == "identity":
            self._refuse(stream, Code.INVALID_ARGUMENT, "a message is compressed, and nobody says how")
        else:
            text = f"messages in {encoding[:50]} are not read here"
            self._refuse(stream, Code.UNIMPLEMENTED, text, _UNCOMPRESSED)

    def _on_reset(self, stream_id: int, _error: int) -> None:
        if self._forget(stream_id):
            self._events.append(Left(stream_id))

    def _on_goaway(self, _last_id: int, _error: int) -> None:
        """Do nothing: a client that goes away ends its connection."""

    def _on_sent(self, stream: ServerStream) -> None:
        if stream.trailers is not None:
            self._close(stream)

    def _on_nuisance(self, cost: int = 1) -> None:
        self._nuisances += cost
        if self._nuisances > MOST_NUISANCES:
            raise ProtocolError("more frames that do nothing than are borne", CALM)

    def _on_broken(self, error: Exception) -> None:
        if isinstance(error, ProtocolError):
            code = error.code
        else:
            code = COMPRESSION_ERROR if isinstance(error, Undecodable) else PROTOCOL_ERROR
        self._say_goodbye(code)

    def _check_begun(self, stream_id: int) -> None:
        if not stream_id or (stream_id > self._last_id and self.is_open):
            raise ProtocolError("a frame for a stream that has not begun")

    def _turn_away(self, stream: ServerStream, http_status: int, code: Code, text: str) -> None:
        """Answer what is no call of gRPC."""
        if http_status == 200:
            self._refuse(stream, code, text)
            return
        block = write_block([(":status", str(http_status)), ("content-type", "text/plain")])
        self._finish_with(stream, block)

    def _refuse(self, stream: ServerStream, code: Code, text: str, more: bytes = b"") -> None:
        """End a call that the handler is not asked about, or not any more."""
        if stream.id in self._streams:
            self._break_off(stream, trailers(code, text) + more)
            self._events.append(Left(stream.id))

    def _break_off(self, stream: ServerStream, ending: bytes) -> None:
        stream.to_send, stream.sent, stream.part = b"", 0, bytearray()
        stream.trailers = ending
        self._close(stream)

    def _close(self, stream: ServerStream) -> None:
        """Send the trailers, after everything else is sent."""
        ending = stream.trailers or b""
        self._finish_with(stream, ending if stream.has_begun else _ANSWER + ending)

    def _finish_with(self, stream: ServerStream, block: bytes) -> None:
        self.outgoing.append(block_frames(stream.id, END_STREAM, block, self._largest_frame))
        if not stream.is_finished:  # the client need not send the rest
            self.outgoing.append(frame(RST_STREAM, 0, stream.id, NO_ERROR.to_bytes(4)))
        self._forget(stream.id)


@lru_cache(maxsize=16)  # a server says the same in all answers
def good_trailers(metadata: tuple[tuple[str, str | bytes], ...]) -> bytes:
    """Write the trailers that end a call well."""
    return write_block([("grpc-status", "0")]) + write_metadata(metadata)


def trailers(code: Code, text: str = "", metadata: Metadata = ()) -> bytes:
    """Write the trailers that end a call with an error."""
    message = quote(text, safe=_READABLE)
    return write_block([("grpc-status", str(int(code))), ("grpc-message", message)]) + write_metadata(
        metadata
    )
