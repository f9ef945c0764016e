"""A connection of the REST door: plain requests go straight to the door, everything else to aiohttp.

Most requests are plain (`apiserver.rest.heads`): for them this class reads the bytes, makes one task, and writes
the answer in one piece, at a fraction of what a full HTTP server costs. At the first request that is not plain (a
watch, a followed log, an upgrade, a chunked body, something malformed) the connection is handed over to aiohttp with
every byte that has not been answered, and stays there.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from apiserver.rest.asked import PlainRequest
from apiserver.rest.bodies import LIMIT
from apiserver.rest.door import Door, peer_of_tls
from apiserver.rest.heads import Head, Unusual, read_head
from apiserver.rest.replies import Reply
from machinery.process.tls import Peer

_MOST_WAITING: Final = 256 * 1024  # bytes that a client may send before it has its answer
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_IN_PARTS_FROM: Final = 64 * 1024  # bytes of a body that are not copied to stand behind the head


class Listener(web.Server):
    """Makes a connection for every client."""

    def __init__(self, door: Door, **options: Any) -> None:
        super().__init__(door.handle, handler_cancellation=True, **options)
        self._door = door

    def __call__(self) -> Connection:
        """Make a connection."""
        return Connection(self, self._door, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """One client."""

    __slots__ = ("_door", "_handed_over", "_inbox", "_peer", "_serving", "_wanted")

    def __init__(self, manager: web.Server, door: Door, **options: Any) -> None:
        super().__init__(manager, **options)
        self._door = door
        self._handed_over = False
        self._inbox = b""  # what has come and is not served
        self._wanted = 0  # bytes that the inbox has to have before it is worth a look
        self._peer: Peer | None = None
        self._serving: asyncio.Task[None] | None = None  # held here, awaited by `shutdown`

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._handed_over:
            super().data_received(data)
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
                return
            request = self._take(head)
        except Unusual:
            self._hand_over()
            return
        if request is not None:
            self._stay_open()
            self._serving = self._loop.create_task(self._serve(request))

    def _take(self, head: Head) -> PlainRequest | None:
        """Take a request out of the inbox; None where its body is still to come."""
        length = head.fields.content_length
        if length > LIMIT:
            raise Unusual
        self._wanted = head.size + length
        if len(self._inbox) < self._wanted:
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
        data, self._inbox = self._inbox, b""
        super().data_received(data)

    async def _serve(self, request: PlainRequest) -> None:
        try:
            reply = await self._door.answer(request)
            self._write(reply)
        finally:
            self._serving = None
        self._stay_open()
        if self._inbox:
            self._resume_transport_reading()
            self._next()

    def _write(self, reply: Reply) -> None:
        if self.transport is None:
            return
        ends = b"Connection: close\r\n" if self._close else b""
        head = _head(reply, ends)
        if len(reply.body) < _IN_PARTS_FROM:
            self.transport.write(head + reply.body)
        else:
            self.transport.writelines((head, reply.body))
        if ends:
            self.force_close()

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
