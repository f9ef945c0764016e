"""HTTPS as webhooks are called by: one POST, one answer, within a time and up to a size.

Connections are kept for a while, a few to each server. Certificates are checked by the CA that the webhook's configuration
names, else by those of the machine; the name in them is that of the URL, or of the Service. Redirects are not followed, and
what goes wrong is said in the words of Go's client, since those are what people search for.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from machinery.model.clock import Clock

if TYPE_CHECKING:
    from apiserver.core.configured.kubeconfig import Credentials

LARGEST_ANSWER: Final = 6 * 1024 * 1024  # bytes: the patch of the largest object, twice
_LARGEST_HEAD: Final = 64 * 1024
_READ: Final = 64 * 1024
_KEPT: Final = 4  # idle connections to a server
_KEPT_S: Final = 30.0  # wall seconds
_CONTEXTS: Final = 64  # CAs whose contexts are kept
_UNTRUSTED: Final = frozenset(
    {18, 19, 20, 21}
)  # OpenSSL's codes of a chain that leads to nobody who is known
_EXPIRED: Final = frozenset({9, 10})
_DIAL_ERRORS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.ETIMEDOUT: "connection timed out",
}


_Key: TypeAlias = "tuple[str, int, bytes, Credentials | None]"
_STATUS_TEXTS: Final = {
    401: "the server has asked for the client to provide credentials",
    403: "the server does not allow access to the requested resource",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class CallFailed(Exception):  # noqa: N818 - it names what happened
    """A server was not reached, or gave no answer that is one; the text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to call: `host` and `port` are what certificates and messages name; `dial`, where that is not where it is."""

    host: str
    port: int
    ca: bytes = b""  # PEM; b"" for the machine's own
    dial: Callable[[], Awaitable[socket.socket]] | None = None
    credentials: Credentials | None = None

    @property
    def key(self) -> _Key:
        """What connections to it are kept under."""
        return self.host, self.port, hashlib.sha256(self.ca).digest(), self.credentials

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since_s: float = 0.0
    is_used: bool = False


@dataclass(slots=True)
class _Answer:
    """An answer on its way; the parser calls its methods."""

    status: int = 0
    size: int = 0
    is_complete: bool = False
    keeps_alive: bool = False
    has_end: bool = False  # whether its head says where it ends
    parts: list[bytes] = field(default_factory=list)
    parser: HttpResponseParser = field(init=False)

    def __post_init__(self) -> None:
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Note what says how long the body is."""
        self.has_end |= name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        """Note the status."""
        self.status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """Keep a part."""
        self.size += len(data)
        self.parts.append(data)

    def on_message_complete(self) -> None:
        """Note the end, unless it is that of an answer before the real one."""
        if self.status >= 200:
            self.is_complete, self.keeps_alive = True, self.parser.should_keep_alive()


class WebClient:
    """Posts documents."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._idle: dict[_Key, list[_Connection]] = {}
        self._contexts: OrderedDict[tuple[bytes, Credentials | None], ssl.SSLContext] = OrderedDict()

    async def post(self, server: Server, path: str, body: bytes, within_s: float) -> bytes:
        """Return the body of an answer with a status of 2xx; `within_s` are wall seconds.

        Raises:
            CallFailed: there is none.
        """
        try:
            async with self._clock.timeout_wall(within_s):
                return await self._post(server, path, body)
        except TimeoutError as error:
            raise CallFailed("context deadline exceeded") from error
        except ssl.SSLCertVerificationError as error:
            raise CallFailed(f"tls: failed to verify certificate: x509: {untrusted(error)}") from error
        except ssl.SSLError as error:
            raise CallFailed(f"tls: {error.reason or error}") from error
        except (asyncio.IncompleteReadError, EOFError) as error:
            raise CallFailed("EOF") from error
        except socket.gaierror as error:
            raise CallFailed(f"dial tcp: lookup {server.host}: no such host") from error
        except (OSError, ValueError) as error:
            raise CallFailed(dial_error(server, error)) from error

    async def aclose(self) -> None:
        """Close the connections; no server is waited for."""
        writers = [each.writer for connections in self._idle.values() for each in connections]
        self._idle.clear()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    async def _post(self, server: Server, path: str, body: bytes) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {server.authority}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, */*\r\nUser-Agent: kube-apiserver-admission\r\n"
            f"{_authorization(server)}Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode("latin-1") + body
        connection = self._kept(server)
        if connection is not None:
            try:
                return await self._exchange(server, connection, request)
            except (ConnectionError, EOFError, asyncio.IncompleteReadError):
                if connection.is_used:  # the server has begun to answer
                    raise
        return await self._exchange(server, await self._connect(server), request)

    async def _exchange(self, server: Server, connection: _Connection, request: bytes) -> bytes:
        answer, connection.is_used = _Answer(), False
        try:
            connection.writer.write(request)
            await connection.writer.drain()
            await _read(connection, answer)
        except BaseException:
            connection.writer.transport.abort()  # who hangs does not say goodbye either
            raise
        if answer.is_complete and answer.keeps_alive:
            self._keep(server, connection)
        else:
            connection.writer.close()
        body = b"".join(answer.parts)
        if not 200 <= answer.status < 300:
            raise CallFailed(status_text(answer.status, body))
        return body

    async def _connect(self, server: Server) -> _Connection:
        context = await self._context(server)
        if server.dial is None:
            reader, writer = await asyncio.open_connection(
                server.host, server.port, ssl=context, limit=2 * _READ
            )
            return _Connection(reader, writer)
        sock = await server.dial()
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=context, server_hostname=server.host, limit=2 * _READ
            )
        except BaseException:
            sock.close()
            raise
        return _Connection(reader, writer)

    async def _context(self, server: Server) -> ssl.SSLContext:
        key = (server.ca, server.credentials)
        found = self._contexts.get(key)
        if found is None:
            found = await asyncio.to_thread(_make_context, *key)
            self._contexts[key] = found
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return found

    def _kept(self, server: Server) -> _Connection | None:
        connections = self._idle.get(server.key, [])
        now_s = self._clock.monotonic_wall()
        while connections:
            connection = connections.pop()
            is_fresh = now_s - connection.idle_since_s < _KEPT_S
            if is_fresh and not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        self._idle.pop(server.key, None)
        return None

    def _keep(self, server: Server, connection: _Connection) -> None:
        connections = self._idle.setdefault(server.key, [])
        if len(connections) >= _KEPT:
            connection.writer.close()
            return
        connection.idle_since_s = self._clock.monotonic_wall()
        connections.append(connection)


async def _read(connection: _Connection, answer: _Answer) -> None:
    before = 0
    while not answer.is_complete:
        data = await connection.reader.read(_READ)
        if not data:
            if answer.status and not answer.has_end:
                return
            raise EOFError
        connection.is_used = True
        before += 0 if answer.status else len(data)
        try:
            answer.parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise CallFailed(f"net/http: HTTP/1.x transport connection broken: malformed HTTP response: {error}") from error  # fmt: skip
        if before > _LARGEST_HEAD and not answer.status:
            raise CallFailed(f"net/http: server response headers exceeded {_LARGEST_HEAD} bytes; aborted")
        if answer.size > LARGEST_ANSWER:
            raise CallFailed(f"the answer is larger than {LARGEST_ANSWER} bytes")


def status_text(status: int, body: bytes) -> str:
    """Return what an answer with a status other than 2xx means, as client-go says it."""
    if text := _STATUS_TEXTS.get(status):
        return text
    if status >= 500:
        said = body[:2048].decode("utf-8", "replace").strip()
        return f'an error on the server ("{said or "unknown"}") has prevented the request from succeeding'
    return f"the server responded with the status code {status} but did not return more information"


def _authorization(server: Server) -> str:
    """Return the header line that says who calls; "" where nothing does."""
    if server.credentials is None:
        return ""
    from apiserver.remotes import authorization_of  # seldom needed

    value = authorization_of(server.credentials)
    return f"Authorization: {value}\r\n" if value else ""


def _make_context(ca: bytes, credentials: Credentials | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if ca:
        context.load_verify_locations(cadata=ca.decode("ascii", "replace"))
    else:
        context.load_default_certs()
    if credentials is not None:
        from apiserver.remotes import show_certificate  # seldom needed

        show_certificate(context, credentials)
    return context


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate is not trusted, as Go's library says it."""
    if error.verify_code in _UNTRUSTED:
        return "certificate signed by unknown authority"
    if error.verify_code in _EXPIRED:
        return f"certificate has expired or is not yet valid: {error.verify_message}"
    return error.verify_message


def dial_error(server: Server, error: Exception) -> str:
    """Return why a server was not reached, as Go's library says it."""
    number = getattr(error, "errno", None)
    if number in _DIAL_ERRORS:
        return f"dial tcp {server.authority}: connect: {_DIAL_ERRORS[number]}"
    return str(error) or type(error).__name__
