"""HTTP for probes and lifecycle hooks: one GET on a connection of its own, read by httptools.

It checks no certificates (a probe asks whether somebody answers, not who), follows redirects to the same host only,
and reads at most 10 KiB of the body. Proxies and cookies are not used. ADR 0027 has the reason for not using aiohttp.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Final, cast
from urllib.parse import unquote_to_bytes, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from kubelet.core.probe_urls import HttpUrl, probe_url, redirected
from kubelet.core.probing import PROBE_OUTPUT_LIMIT
from machinery.process.clock import WALL

USER_AGENT: Final = "kube-probe/1.36"
_MAX_REDIRECTS: Final = 10
_MAX_INTERIM: Final = 5  # answers 1xx before the real one, as in Go's net/http
_HEAD_LIMIT: Final = 64 * 1024  # bytes, looked at after each read
_SWITCHING_PROTOCOLS: Final = 101
_CONNECT_ERRORS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ETIMEDOUT: "connection timed out",
    errno.ENETUNREACH: "network is unreachable",
}
_Headers = Sequence[tuple[str, str]]


class HttpProblem(Exception):  # noqa: N818 - it is what a probe's event says
    """Nobody answered as HTTP servers do; the text says how."""


async def http_get(
    host: str, port: int, path: str, headers: _Headers, scheme: str, timeout_s: float
) -> tuple[int, bytes]:
    """Return the status and the beginning of the body.

    `timeout_s` is in wall seconds and covers everything. A redirect elsewhere is returned as it is.

    Raises:
        HttpProblem: no connection, no answer in time, or no HTTP.
    """
    try:
        url = probe_url(scheme, host, port, path)
    except ValueError as error:
        raise HttpProblem(f'Get "{scheme.lower() or "http"}:{path}": {error}') from error
    if any("\r" in text or "\n" in text for pair in headers for text in pair):
        raise HttpProblem(f'Get "{url}": a header has a line break')
    try:
        async with WALL.timeout_wall(timeout_s):
            return await _follow(url, headers)
    except TimeoutError as error:
        raise HttpProblem(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error


async def _follow(first: HttpUrl, headers: _Headers) -> tuple[int, bytes]:
    url = first
    for _ in range(_MAX_REDIRECTS):
        status, location, body = await _request(url, headers)
        if not (300 <= status < 400 and location):
            return status, body
        target = _redirected(url, location)
        if target.host != first.host:
            return status, body
        if urlsplit(location).netloc:  # a Host header of its own is for the first address only
            headers = [(name, value) for name, value in headers if name.lower() != "host"]
        url = target
    raise HttpProblem(f'Get "{url}": stopped after {_MAX_REDIRECTS} redirects')


def _redirected(url: HttpUrl, location: str) -> HttpUrl:
    try:
        return redirected(url, location)
    except ValueError as error:
        raise HttpProblem(f'Get "{url}": failed to parse Location header "{location}": {error}') from error


async def _request(url: HttpUrl, headers: _Headers) -> tuple[int, str, bytes]:
    loop = asyncio.get_running_loop()
    context = trusting_context() if url.scheme == "https" else None
    try:
        transport, exchange = await loop.create_connection(
            lambda: _Exchange(_head(url, headers), loop.create_future()), url.host, url.port, ssl=context
        )
    except (socket.gaierror, ValueError) as error:  # IDNA and inet_pton raise ValueError
        raise HttpProblem(f'Get "{url}": dial tcp: lookup {url.host}: no such host') from error
    except OSError as error:
        raise HttpProblem(f'Get "{url}": dial tcp {url.netloc}: {describe_os_error(error)}') from error
    try:
        return await exchange.answer
    except (OSError, HttpParserError) as error:
        raise HttpProblem(f'Get "{url}": {_describe(error)}') from error
    finally:
        transport.abort()


class _Exchange(asyncio.Protocol):
    """Sends one request; `answer` becomes its status, its Location and the beginning of its body.

    A body that breaks off is no error: it only makes the text of an event.
    """

    def __init__(self, head: bytes, answer: asyncio.Future[tuple[int, str, bytes]]) -> None:
        self.answer = answer
        self._head = head
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._received = 0  # bytes, of heads only
        self._interim = 0
        self._status = 0  # of the real answer, once its head is read
        self._location = b""
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(self._head)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._finish()
        except HttpParserError as error:
            self._fail(error)
        if not self._status:
            self._received += len(data)
            if self._received > _HEAD_LIMIT:
                self._fail(HttpParserError(f"the headers exceed {_HEAD_LIMIT} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 or status == _SWITCHING_PROTOCOLS:
            self._status = status

    def on_body(self, data: bytes) -> None:
        self._body += data[: PROBE_OUTPUT_LIMIT - len(self._body)]
        if len(self._body) >= PROBE_OUTPUT_LIMIT:
            self._finish()

    def on_message_complete(self) -> None:
        if self._status:
            self._finish()
            return
        self._interim += 1
        self._location = b""
        if self._interim > _MAX_INTERIM:
            self._fail(HttpParserError("too many 1xx informational responses"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._status:
            self._finish()
        else:
            self._fail(exc or ConnectionError("EOF"))

    def _finish(self) -> None:
        if not self.answer.done():
            self.answer.set_result((self._status, self._location.decode("latin-1"), bytes(self._body)))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _head(url: HttpUrl, headers: _Headers) -> bytes:
    """Write a request: a default gives way to a header of the same name, also to an empty one."""
    own = {name.lower() for name, _ in headers}
    defaults = [("Host", url.netloc), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    if url.userinfo:
        defaults.append(("Authorization", f"Basic {b64encode(unquote_to_bytes(url.userinfo)).decode()}"))
    lines = [f"{name}: {value}" for name, value in defaults if name.lower() not in own]
    lines += [f"{name}: {value}" for name, value in headers if value]
    return "\r\n".join([f"GET {url.target} HTTP/1.1", *lines, "Connection: close", "", ""]).encode()


def describe_os_error(error: OSError) -> str:
    """Write a failed connection as users of probes know it."""
    known = _CONNECT_ERRORS.get(error.errno or 0)
    return f"connect: {known}" if known else str(error)


def _describe(error: Exception) -> str:
    match error:
        case HttpParserError():
            return f"malformed HTTP response: {error}"
        case ConnectionResetError():
            return "read: connection reset by peer"
        case _:
            return str(error)


@cache
def trusting_context() -> ssl.SSLContext:
    """Return a context of TLS that checks no certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
