"""A connection of the REST door: plain requests go straight to the door, everything else to aiohttp.

Most requests are plain (`apiserver.rest.heads`): for them this class reads the bytes, makes one task, and writes
the answer in one piece, at a fraction of what a full HTTP server costs. At the first request that is not plain (a
watch, a followed log, an upgrade, a chunked body, something malformed) the connection is handed over to aiohttp with
every byte that has not been answered, and stays there.

A client that does not go on is given up (`apiserver.rest.limits`). Two timers see to that: aiohttp's, which is set
once and looks at its end whether the connection was idle all the time, and one that is set only where a head or a
body comes in pieces.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_exceptions import LineTooLong

from apiserver.rest.asked import PlainRequest
from apiserver.rest.bodies import LIMIT
from apiserver.rest.door import Door, peer_of_tls
from apiserver.rest.heads import Head, Unusual, read_head
from apiserver.rest.limits import Limits
from apiserver.rest.replies import Reply
from machinery.process.tls import Peer

_MOST_WAITING: Final = 256 * 1024  # bytes that a client may send before it has its answer
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_FAREWELL_S: Final = 0.5  # wall seconds, as in Go's server
_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\n431 Request Header Fields Too Large"
)
_IN_PARTS_FROM: Final = 64 * 1024  # bytes of a body that are not copied to stand behind the head
_PART: Final = 256 * 1024  # bytes of a body that are encrypted at once


class Listener(web.Server):
    """Makes a connection for every client."""

    def __init__(self, door: Door, limits: Limits, **options: Any) -> None:
        super().__init__(door.handle, handler_cancellation=True, keepalive_timeout=limits.idle_s, **options)
        self._door = door
        self._limits = limits

    def __call__(self) -> Connection:
        """Make a connection."""
        return Connection(self, self._door, self._limits, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """One client."""

    __slots__ = (
        "_begun_bytes",
        "_door",
        "_handed_over",
        "_inbox",
        "_late",
        "_limits",
        "_peer",
        "_serving",
        "_wanted",
    )

    def __init__(self, manager: web.Server, door: Door, limits: Limits, **options: Any) -> None:
        super().__init__(manager, **options)
        self._door = door
        self._limits = limits
        self._late: asyncio.TimerHandle | None = None  # ends the patience with a head or a body
        self._handed_over = False
        self._begun_bytes = 0  # of the head that aiohttp has begun to read
        self._inbox = b""  # what has come and is not served
        self._wanted = 0  # bytes that the inbox has to have before it is worth a look
        self._peer: Peer | None = None
        self._serving: asyncio.Task[None] | None = None  # held here, awaited by `shutdown`

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._expect_rest(self._limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._handed_over:
            self._pass_on(data)
            return
        self._inbox = self._inbox + data if self._inbox else data
        if self._serving is None:
            self._next()
        elif len(self._inbox) > _MOST_WAITING:
            self._pause_transport_reading()

    def resume_writing(self) -> None:
        """Go on when the client has taken enough."""
        super().resume_writing()
        if not self._handed_over and self._serving is None:
            self._next()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let the request go that nobody waits for."""
        if self._serving is not None:
            self._serving.cancel()
        self._inbox = b""
        self._expect_nothing()
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Finish the request that is being served, then close."""
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=timeout)
        await super().shutdown(timeout)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written.

        Raises:
            ConnectionError: it has gone.
        """
        if self._paused or self.transport is None:
            await self._drain_helper()

    def _next(self) -> None:
        """Serve the next request of the inbox, if it is all there."""
        if len(self._inbox) < self._wanted or not self._inbox or self._paused:
            return
        if self._close or self._force_close or self.transport is None:
            return
        try:
            head = read_head(self._inbox)
            if head is None:
                self._expect_head()
                return
            request = self._take(head)
        except Unusual:
            self._hand_over()
            return
        if request is not None:
            self._expect_nothing()
            self._serving = self._loop.create_task(self._serve(request))

    def _take(self, head: Head) -> PlainRequest | None:
        """Take a request out of the inbox; None where its body is still to come."""
        length = head.fields.content_length
        if length > LIMIT:
            raise Unusual
        self._wanted = head.size + length
        if len(self._inbox) < self._wanted:
            self._expect_rest(self._limits.plain_body_s)
            return None
        body = self._inbox[head.size : self._wanted]
        fields = head.fields
        request = PlainRequest(
            head.method, head.raw_path, fields.headers, body, self._caller(), impersonates=fields.impersonates
        )
        if self._door.lasts(request):
            raise Unusual
        self._inbox, self._wanted = self._inbox[self._wanted :], 0
        return request

    def _hand_over(self) -> None:
        self._handed_over = True
        data, self._inbox, self._wanted = self._inbox, b"", 0
        self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        """Give bytes to aiohttp; a head that begins behind another one in them has the time of an idle connection."""
        if self._close or self._force_close:
            return
        heads = self._request_count
        super().data_received(data)
        if self._request_count > heads:
            self._begun_bytes = 0
            self._expect_nothing()
        elif self._waits_for_head():
            self._begun_bytes += len(data)
            self._expect_head()
            if self._begun_bytes > self._limits.head_bytes:
                self._refuse_head()

    def _waits_for_head(self) -> bool:
        """Tell whether there is nothing to answer, from aiohttp's point of view."""
        return not self._request_count or (self._waiter is not None and not self._waiter.done())

    def _expect_head(self) -> None:
        if self._late is None:
            self._expect_rest(self._limits.head_s)

    def _expect_rest(self, within_s: float) -> None:
        """Give the client some time for the rest of what it has begun."""
        self._expect_nothing()
        self._stay_open()
        self._late = self._loop.call_later(within_s, self._give_up)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        """Close without an answer, as Go's server does; a body that is late is left to aiohttp and the door's limit."""
        self._late = None
        if self._wanted:
            self._hand_over()
        elif not self._handed_over or self._waits_for_head():
            self.force_close()

    def _refuse_head(self) -> None:
        """Say that a head is too large; what more comes of it is dropped for a while, since a reset loses the answer."""
        if self.transport is not None:
            self.transport.write(_HEAD_TOO_LARGE)
        self.close()
        self._loop.call_later(_FAREWELL_S, self.force_close)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request; that is its sender's fault, and nothing for our log."""
        if status != HTTPStatus.BAD_REQUEST:
            return super().handle_error(request, status, exc, message)
        status = 431 if isinstance(exc, LineTooLong) else status
        response = web.Response(status=status, text=message or _PHRASES[status])
        response.force_close()
        return response

    def _process_keepalive(self) -> None:
        """Close the connection if it is idle, which aiohttp takes it to be while a plain request is being served."""
        if self._serving is not None:
            self._stay_open()
        super()._process_keepalive()

    async def _serve(self, request: PlainRequest) -> None:
        try:
            reply = await self._door.answer(request)
            await self._write(reply)
        finally:
            self._serving = None
        self._stay_open()
        if self._inbox:
            self._resume_transport_reading()
            self._next()

    async def _write(self, reply: Reply) -> None:
        if self.transport is None:
            return
        ends = b"Connection: close\r\n" if self._close else b""
        head = _head(reply, ends)
        if len(reply.body) < _IN_PARTS_FROM:
            self.transport.write(head + reply.body)
        else:
            await self._write_in_parts(head, memoryview(reply.body))
        if ends:
            self.force_close()

    async def _write_in_parts(self, head: bytes, body: memoryview) -> None:
        """Write no faster than the client takes it, so that it is not idle meanwhile; give up who takes nothing."""
        assert self.transport is not None  # noqa: S101 - `_write` has looked
        self.transport.writelines((head, body[:_PART]))
        try:
            for begin in range(_PART, len(body), _PART):
                if self._paused:
                    async with asyncio.timeout(self._limits.stalled_s):
                        await self.drained()
                if self.transport is None:
                    return
                self.transport.write(body[begin : begin + _PART])
        except (ConnectionError, TimeoutError):
            if self.transport is not None:
                self.transport.abort()

    def _stay_open(self) -> None:
        """Put off the moment at which aiohttp closes the connection as idle."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _caller(self) -> Peer:
        if self._peer is None:
            assert self.transport is not None  # noqa: S101 - `_next` has looked
            self._peer = peer_of_tls(self.transport.get_extra_info("ssl_object"))
        return self._peer


def _head(reply: Reply, ends: bytes) -> bytes:
    length = "" if reply.status == 304 else f"Content-Length: {len(reply.body)}\r\n"
    lines = "".join([f"{name}: {value}\r\n" for name, value in reply.headers])
    return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
        reply.status,
        _PHRASES.get(reply.status, "").encode(),
        f"{lines}{length}Date: {rfc822_formatted_time()}\r\nServer: kubarium\r\n".encode(),
        ends,
        b"",
    )
