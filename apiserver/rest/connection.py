"""A connection of the REST door: plain requests go straight to the door, everything else to aiohttp.

Most requests are plain (`apiserver.rest.heads`): for them this class reads the bytes, makes one task, and writes
the answer in one piece, at a fraction of what a full HTTP server costs (docs/adr/0012). At the first request that is
not plain (a watch, a followed log, an upgrade, a chunked body, something malformed) the connection is handed over: a
handler of aiohttp gets every byte that has not been answered, and all that come later. From then on this class passes
bytes on, and counts what a head takes.

    plain        head → body → answer → head …
    handed over  head → answer, with the body → head …

A client that does not go on is given up (`apiserver.rest.limits`). One deadline holds for what is awaited at present;
the timer that looks at it is set again only where the deadline comes nearer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol, cast

from apiserver.request_checks import BODY_LIMIT
from apiserver.rest.body_room import SMALL
from apiserver.rest.client_frames import ClientFrames
from apiserver.rest.heads import (
    ComingHead,
    Head,
    Unusual,
    first_alone,
    has_unknown_coding,
    read_head,
    refused_line,
    with_crlf,
    with_one_length,
)
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.replies import Reply
from machinery.model.clock import Timer
from machinery.process.clock import WALL
from machinery.process.tls import ANONYMOUS, Peer, peer_of_certificate

_MOST_WAITING: Final = 256 * 1024  # bytes that a client may send before it has its answer
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_FAREWELL_S: Final = 0.5  # wall seconds, as in Go's server
_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\n431 Request Header Fields Too Large"
)
_UNKNOWN_CODING: Final = (
    b"HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\nUnsupported transfer encoding"
)
_PROTOCOL_ERROR: Final = b"\x88\x02\x03\xea"  # the frame that closes a WebSocket with 1002
_IN_PARTS_FROM: Final = 64 * 1024  # bytes of a body that are not copied to stand behind the head
_PART: Final = 256 * 1024  # bytes of a body that are encrypted at once
_TURN: Final = 4 * _PART  # bytes of a body that are written in one turn of the loop


class Server(Protocol):
    """What a connection needs of those whose it is."""

    limits: Limits
    is_closing: bool

    def opened(self, connection: Connection) -> None:
        """Count a connection in."""
        ...

    def heard(self, connection: Connection) -> None:
        """Note that somebody has asked for something on a connection. Idempotent."""
        ...

    def closed(self, connection: Connection) -> None:
        """Count a connection out. Idempotent."""
        ...

    def awaits(self, size: int) -> bool:
        """Note that so many bytes more, or less, are awaited of unknown callers; False where that is too much."""
        ...

    def lasts(self, request: HttpRequest) -> bool:
        """Whether aiohttp has to serve a request, since its answer is a stream."""
        ...

    def answer(self, request: HttpRequest) -> Awaitable[Reply]:
        """Answer a request."""
        ...

    def handler(self, connection: Connection) -> asyncio.Protocol:
        """Make what serves a connection from its first unusual request on."""
        ...

    def wall_s(self) -> float:
        """Return the time in wall seconds since 1970."""
        ...


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: Peer | None = None
        self._inbox = b""  # what has come and is not served
        self._wanted = 0  # bytes that the inbox has to have before it is worth a look
        self._awaited = 0  # bytes of a large body that is awaited here
        self._serving: asyncio.Task[None] | None = None  # held here, awaited by `finish`
        self._reading_paused = False
        self._writing_paused = False
        self._drained: asyncio.Future[None] | None = None
        self._deadline: float | None = None  # loop time until which the client has to go on, if it has to
        self._timer: Timer | None = None
        self._timer_due_s = 0.0  # monotonic wall seconds, as is `_deadline`
        self._handler: asyncio.Protocol | None = None  # aiohttp's, once the connection is handed over
        self._answering = 0  # requests that aiohttp has begun to answer
        self._coming = ComingHead()
        self._head_has_begun = False
        self._refused = False  # whether what still comes is dropped
        self._closes = False  # whether the request that is served is the last one
        self._frames: ClientFrames | None = None  # what comes over a WebSocket
        self._was_heard = False  # whether a whole head has come

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        self._transport = cast("asyncio.Transport", transport)
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._server.opened(self)
        self._expect_within(self._limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Read requests from bytes that arrived, or pass them on."""
        if self._handler is not None:
            self._pass_on(self._handler, data)
            return
        self._inbox = self._inbox + data if self._inbox else data
        if self._serving is None:
            self._next()
        elif len(self._inbox) > _MOST_WAITING:
            self._pause_reading()

    def pause_writing(self) -> None:
        """Note that the client takes less than it is sent."""
        self._writing_paused = True
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Resume writing when the client has taken enough."""
        self._writing_paused = False
        self._wake()
        if self._handler is not None:
            self._handler.resume_writing()
        elif self._serving is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the request that is being served, since its client has gone."""
        self._transport = None
        self._inbox = b""
        self._await_no_more()
        self._expect_nothing()
        if self._timer is not None:
            self._timer.cancel()
        if self._serving is not None:
            self._serving.cancel()
        self._wake()
        if self._handler is not None:
            self._handler.connection_lost(exc)
            self._handler = None  # it knows this connection
        self._server.closed(self)

    # What the door calls.

    @property
    def peer(self) -> Peer:
        """Who is at the other end, by the certificate that TLS has verified."""
        if self._peer is None:
            tls = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
            certificate = tls.getpeercert(binary_form=True) if tls is not None else None
            self._peer = peer_of_certificate(certificate) if certificate else ANONYMOUS
        return self._peer

    @property
    def address(self) -> str:
        """The address of who is at the other end, "" once they have gone."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer[0]) if peer else ""

    @property
    def is_open(self) -> bool:
        """Whether what is written goes anywhere."""
        return self._transport is not None

    @property
    def writing_paused(self) -> bool:
        """Whether the client has to take some before there is more."""
        return self._writing_paused

    def write(self, data: bytes) -> None:
        """Write bytes; they are dropped where the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written; for one task at a time.

        Raises:
            ConnectionError: it has gone.
        """
        if self._writing_paused and self._transport is not None:
            self._drained = self._loop.create_future()
            await self._drained
        if self._transport is None:
            raise ConnectionResetError("the client has gone")

    def begins(self) -> None:
        """Note that aiohttp has read a head; from here on the answer's own limits hold."""
        self._hear()
        self._answering += 1
        self._coming, self._head_has_begun = ComingHead(), False
        self._expect_nothing()

    def expect_frames(self) -> None:
        """Note that what comes from now on are frames of a WebSocket."""
        self._frames = ClientFrames()

    def hand_to(self, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Pass what comes from now on to another protocol than aiohttp's; return the transport, and aiohttp's.

        Raises:
            ConnectionError: the client has gone.
        """
        if self._transport is None or self._handler is None:
            raise ConnectionResetError("the client has gone")
        before, self._handler = self._handler, protocol
        return self._transport, before

    def ended(self) -> None:
        """Note that aiohttp has answered, and read the body to its end: the next head may come."""
        self._answering -= 1
        if not self._answering and not self._refused:
            self._expect_within(self._limits.idle_s)

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _hear(self) -> None:
        self._was_heard = True
        self._server.heard(self)

    async def finish(self, within_s: float) -> None:
        """Close when the plain request that is being served has its answer, or after so many wall seconds."""
        if self._serving is not None:
            with suppress(TimeoutError):
                async with WALL.timeout_wall(within_s):
                    await asyncio.wait({self._serving})
        if self._handler is None:  # else aiohttp ends it
            self._close()

    # Plain requests.

    def _next(self) -> None:
        """Serve the next request of the inbox, if it is all there."""
        if not self._inbox or len(self._inbox) < self._wanted or self._writing_paused:
            return
        if self._transport is None or self._transport.is_closing():
            return
        try:
            request = self._taken()
        except Unusual:
            self._next_unusual()
            return
        if request is not None:
            if not self._was_heard:
                self._hear()
            self._deadline = None
            self._serving = self._loop.create_task(self._serve(request))

    def _next_unusual(self) -> None:
        """Mend what Go's server takes, and look at it again; hand over what is unusual otherwise."""
        mended = with_crlf(with_one_length(self._inbox))
        if mended is not self._inbox:
            self._inbox = mended
            self._next()
        else:
            self._hand_over()

    def _taken(self) -> HttpRequest | None:
        """Remove a request from the inbox and return it; None where some of it is still to come.

        Raises:
            Unusual: aiohttp has to serve it.
        """
        peer = self._peer or self.peer
        head = read_head(self._inbox, is_known=peer is not ANONYMOUS)
        if head is None:
            if (mended := with_crlf(self._inbox)) is not self._inbox:
                self._inbox = mended
                return self._taken()
            self._expect_head()
            return None
        if head.fields.body_bytes > BODY_LIMIT:
            raise Unusual
        self._wanted = head.size + head.fields.body_bytes
        if len(self._inbox) < self._wanted:
            if head.fields.body_bytes > SMALL and not self._awaited:
                self._await_large(head.fields.body_bytes)
            self._expect_within(self._limits.plain_body_s)
            return None
        if self._awaited:
            self._await_no_more()
        request = self._request(head, peer)
        if self._server.lasts(request):
            if head.fields.closes and not head.fields.upgrades:
                self._inbox, self._closes = self._inbox[: self._wanted], True
            raise Unusual
        self._closes = head.fields.closes
        self._inbox, self._wanted, self._head_has_begun = self._inbox[self._wanted :], 0, False
        return request

    def _await_large(self, size: int) -> None:
        """Note that a large body is awaited here, of which nobody knows yet whose it is.

        Raises:
            Unusual: there are enough of them; aiohttp reads it when the door has asked for it.
        """
        if not self._server.awaits(size):
            raise Unusual
        self._awaited = size

    def _await_no_more(self) -> None:
        if self._awaited:
            self._server.awaits(-self._awaited)
            self._awaited = 0

    def _request(self, head: Head, peer: Peer) -> HttpRequest:
        body, fields = self._inbox[head.size : self._wanted], head.fields
        return HttpRequest(
            head.method,
            head.raw_url,
            fields.headers,
            peer,
            body,
            impersonates=fields.impersonates,
            origin=self,
        )

    async def _serve(self, request: HttpRequest) -> None:
        try:
            reply = await self._server.answer(request)
            await self._reply(reply)
        finally:
            self._serving = None
        self._expect_within(self._limits.idle_s)
        if self._reading_paused:
            self._resume_reading()
        if self._inbox:
            self._next()

    async def _reply(self, reply: Reply) -> None:
        if self._transport is None:
            return
        head = self._head(reply)
        if len(reply.body) < _IN_PARTS_FROM:
            self._transport.write(head + reply.body)
        else:
            await self._write_in_parts(head, memoryview(reply.body))
        if self._server.is_closing or self._closes:
            self._close()

    async def _write_in_parts(self, head: bytes, body: memoryview) -> None:
        """Write no faster than the client takes it; give up who takes nothing."""
        assert self._transport is not None  # noqa: S101 - `_reply` has looked
        self._transport.writelines((head, body[:_PART]))
        try:
            for begin in range(_PART, len(body), _PART):
                if self._writing_paused:
                    async with WALL.timeout_wall(self._limits.stalled_s):
                        await self.drained()
                elif begin % _TURN == 0:
                    await WALL.sleep_wall(0)  # others have their turn, however fast the client is
                if self._transport is None:
                    return
                self._transport.write(body[begin : begin + _PART])
        except (ConnectionError, TimeoutError):
            if self._transport is not None:
                self._transport.abort()

    def _head(self, reply: Reply) -> bytes:
        length = "" if reply.status == HTTPStatus.NOT_MODIFIED else f"Content-Length: {len(reply.body)}\r\n"
        lines = "".join([f"{name}: {value}\r\n" for name, value in reply.headers])
        ends = "Connection: close\r\n" if self._server.is_closing or self._closes else ""
        date = _http_date(int(self._server.wall_s()))
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (
            reply.status,
            _PHRASES.get(reply.status, b""),
            f"{lines}{length}Date: {date}\r\nServer: kubarium\r\n{ends}".encode(),
        )

    # What aiohttp serves.

    def _hand_over(self) -> None:
        assert self._transport is not None  # noqa: S101 - `_next` has looked
        self._await_no_more()
        self._handler = self._server.handler(self)
        self._handler.connection_made(self._transport)
        if self._writing_paused:
            self._handler.pause_writing()
        data, self._inbox, self._wanted = self._inbox, b"", 0
        alone = first_alone(data)
        self._pass_on(self._handler, data if alone is None else alone)
        self._refused = self._refused or self._closes or alone is not None

    def _pass_on(self, handler: asyncio.Protocol, data: bytes) -> None:
        """Pass bytes on to aiohttp; a head that begins behind another one in them has the time of an idle connection."""
        if self._refused:
            return
        if self._frames is not None:
            self._pass_frames_on(handler, data, self._frames)
            return
        if not self._answering and not self._coming.has_ended:
            if not self._coming.size:
                data = with_crlf(data)
                if refusal := refused_line(data):
                    self._refuse(refusal)
                    return
                if has_unknown_coding(data):
                    self._refuse(_UNKNOWN_CODING)
                    return
            self._expect_head()
            self._coming.add(data)
            if self._coming.size > self._limits.head_bytes:
                self._refuse(_HEAD_TOO_LARGE)
                return
        handler.data_received(data)

    def _pass_frames_on(self, handler: asyncio.Protocol, data: bytes, frames: ClientFrames) -> None:
        """Pass on frames that are masked, as a client's have to be (RFC 6455, 5.1); another one ends the connection."""
        size = frames.masked(data)
        if size:
            handler.data_received(data[:size])
        if size < len(data):
            self._refuse(_PROTOCOL_ERROR)

    def _refuse(self, answer: bytes) -> None:
        """Answer for the last time; what still comes is dropped for a while, since a reset loses the answer."""
        self._refused = True
        self.write(answer)
        self._expect_within(_FAREWELL_S)

    # How long the client may take.

    def _expect_head(self) -> None:
        """Begin to count the time of a head at its first byte."""
        if not self._head_has_begun:
            self._head_has_begun = True
            self._expect_within(self._limits.head_s)

    def _expect_within(self, within_s: float) -> None:
        self._deadline = deadline = WALL.monotonic_wall() + within_s
        if self._timer is not None and self._timer_due_s <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._timer_due_s = deadline
            self._timer = WALL.call_later_wall(within_s, self._look_at_deadline)

    def _expect_nothing(self) -> None:
        self._deadline = None

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if (left_s := self._deadline - WALL.monotonic_wall()) > 0:
            self._timer_due_s = self._deadline
            self._timer = WALL.call_later_wall(left_s, self._look_at_deadline)
            return
        self._expect_nothing()
        if self._wanted:
            self._hand_over()  # a body that is late is left to aiohttp and the door's limit
        else:
            self._close()  # without an answer, as Go's server does

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None


@lru_cache(maxsize=1)
def _http_date(wall_s: int) -> str:
    return formatdate(wall_s, usegmt=True)
