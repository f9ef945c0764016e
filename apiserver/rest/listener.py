"""The connections of the REST door: made, handed over to aiohttp where a request is not plain, and ended.

This is the only module that knows aiohttp as a server. What it serves, it serves for the same door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from apiserver.request_checks import BODY_LIMIT, too_large
from apiserver.rest.connection import Connection
from apiserver.rest.heads import HOST, tokens
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.replies import Reply
from machinery.model.errors import BadRequest, UnsupportedMediaType

_MOST_AWAITED: Final = 32 * 1024 * 1024  # bytes of large bodies, before it is known whose they are
_LONGEST_LINE: Final = 64 * 1024  # bytes of a request line, or of one header
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_GO_ON_WORD: Final = "100-continue"
_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,  # a body that says it is compressed is refused, and nobody unpacks it meanwhile
    "max_line_size": _LONGEST_LINE,
    "max_field_size": _LONGEST_LINE,
}


class AnsweringDoor(Protocol):
    """What a listener brings requests to: `apiserver.rest.door.Door`, or one around it."""

    def lasts(self, http: HttpRequest) -> bool:
        """Whether the answer is a stream, and not one of `answer`."""
        ...

    def is_long_running(self, http: HttpRequest) -> bool:
        """Whether the request of such a stream is one that may last."""
        ...

    def answer(self, http: HttpRequest) -> Awaitable[Reply]:
        """Answer a request whose answer is not a stream; never raises."""
        ...

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read; never raises except for a caller who has gone."""
        ...

    async def end_streams(self) -> None:
        """End everything that lasts, so that connections can be closed."""
        ...


class Listener:
    """Makes a connection for every client; implements `apiserver.rest.connection.Server`."""

    def __init__(self, door: AnsweringDoor, limits: Limits, wall_s: Callable[[], float]) -> None:
        self.limits = limits
        self.is_closing = False
        self.wall_s = wall_s
        self._door = door
        self._open: set[Connection] = set()
        self._awaited = 0  # bytes of large bodies
        self._silent: dict[Connection, None] = {}  # those that have never asked, the oldest first
        self._loop = asyncio.get_running_loop()
        self._aiohttp = web.Server(self._served, handler_cancellation=True)

    def __call__(self) -> Connection:
        """Make a connection."""
        return Connection(self)

    def has_room(self) -> bool:
        """Whether there may be one more connection; where there are enough, one that has never asked makes room."""
        if len(self._open) < self.limits.connections:
            return True
        silent = next(iter(self._silent), None)
        if silent is None:
            return False
        self.closed(silent)
        silent.cut()
        return True

    def opened(self, connection: Connection) -> None:
        """Count a connection in."""
        self._open.add(connection)
        self._silent[connection] = None

    def heard(self, connection: Connection) -> None:
        """Note that somebody has asked for something on a connection. Idempotent."""
        self._silent.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Count a connection out."""
        self._open.discard(connection)
        self._silent.pop(connection, None)

    def awaits(self, size: int) -> bool:
        """Note that so many bytes more, or less, are awaited of unknown callers; False where that is too much."""
        if size > 0 and self._awaited + size > _MOST_AWAITED:
            return False
        self._awaited += size
        return True

    def lasts(self, request: HttpRequest) -> bool:
        """Whether the answer is a stream."""
        return self._door.lasts(request)

    def answer(self, request: HttpRequest) -> Awaitable[Reply]:
        """Answer a plain request."""
        return self._door.answer(request)

    def handler(self, connection: Connection) -> asyncio.Protocol:
        """Make aiohttp's side of a connection."""
        return Handler(self._aiohttp, connection, loop=self._loop, **_OPTIONS)

    async def shutdown(self, within_s: float) -> None:
        """Close all connections, those that have a request within so many wall seconds of its answer."""
        self.is_closing = True
        self._aiohttp.pre_shutdown()
        plain = [connection.finish(within_s) for connection in list(self._open)]
        await asyncio.gather(self._aiohttp.shutdown(within_s), *plain)

    async def _served(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that aiohttp has read, and write the answer: the connection is told when it begins and ends."""
        connection = cast("Handler", request.protocol).connection
        connection.begins()
        try:
            if not HOST.fullmatch(request.headers.get("Host", "")):
                return await _refused(request, 400, "400 Bad Request: malformed Host header")
            if (expected := _expected(request)) and _GO_ON_WORD not in expected:
                return await _refused(request, HTTPStatus.EXPECTATION_FAILED)
            url = request.rel_url
            http = HttpRequest(
                request.method,
                f"{url.raw_path}?{url.raw_query_string}",
                request.headers,
                connection.peer,
                partial(_body, request),
                body_bytes=_announced(request),
                origin=connection,
            )
            response = await self._door.handle(Exchange(http, request, connection))
            with suppress(ConnectionError):  # the client has gone; aiohttp notices, too
                await response.prepare(request)
                await response.write_eof()
            return response
        finally:
            request.content.on_eof(connection.ended)


def _expected(request: web.BaseRequest) -> frozenset[str]:
    """Return what the client expects before it goes on."""
    value = request.headers.get("Expect", "")
    return tokens(value) if value else frozenset()


async def _refused(request: web.BaseRequest, status: int, text: str = "") -> web.StreamResponse:
    """Answer as Go's server does, and end the connection."""
    response = web.Response(status=status, text=text)
    response.force_close()
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()
    return response


def _announced(request: web.BaseRequest) -> int:
    """Return how many bytes a body may have; one that does not say counts as the largest."""
    if not request.can_read_body:
        return 0
    return BODY_LIMIT if request.content_length is None else min(request.content_length, BODY_LIMIT)


async def _body(request: web.BaseRequest) -> bytes:
    """Read a body up to the limit; a client that waits to be told to send it is told."""
    if not request.can_read_body:
        return b""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType(
            "the body of the request is compressed (Content-Encoding): send it as it is"
        )
    if (request.content_length or 0) > BODY_LIMIT:
        raise too_large()
    if _expected(request):
        await request.writer.write(_GO_ON)
    parts, size = [], 0
    try:
        async for part in request.content.iter_any():
            size += len(part)
            if size > BODY_LIMIT:
                raise too_large()
            parts.append(part)
    except OSError as error:
        raise BadRequest("the body of the request broke off") from error
    except web.RequestPayloadError as error:
        raise BadRequest(f"couldn't read the body of the request: {error}") from error
    return b"".join(parts)


class Handler(web.RequestHandler):
    """aiohttp's side of one connection."""

    __slots__ = ("connection",)

    def __init__(self, server: web.Server, connection: Connection, **options: Any) -> None:
        super().__init__(server, **options)
        self.connection = connection

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not a request; that is its sender's fault, and not worth our log."""
        if status != HTTPStatus.BAD_REQUEST:
            return super().handle_error(request, status, exc, message)
        status = 431 if isinstance(exc, LineTooLong) else status
        response = web.Response(status=status, text=message or HTTPStatus(status).phrase)
        response.force_close()
        return response
