"""HTTP/1.1 with one server: requests and answers of which one streams, over connections that are kept.

httptools reads the answers. aiohttp's client can more than is needed here, and takes 10 MiB of each process that imports it
(a DNS server in a pod had 36 MiB with it, and has 26 MiB). Redirects, proxies, cookies and compressed bodies are not used.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from machinery.model.clock import Clock

CONNECT_S: Final = 5.0  # wall seconds
_LARGEST_HEAD: Final = 64 * 1024
_READ: Final = 256 * 1024
_KEPT: Final = 32  # idle connections


class NotConnected(Exception):  # noqa: N818 - it names what happened
    """There was no connection to send the request over; the text says why."""


class Broken(Exception):  # noqa: N818
    """The connection ended before the answer did, or what came is no answer; the text says what."""


class HttpClient:
    """Requests to http(s)://HOST[:PORT]."""

    def __init__(
        self, url: str, tls: ssl.SSLContext | None, *, clock: Clock, silence_s: float, server_name: str = ""
    ) -> None:
        """Connect to nobody yet.

        Args:
            url: scheme, host and port are taken of it.
            tls: whom to trust and as whom to come; None: the machine's authorities, as nobody.
            clock: the limits' clock.
            silence_s: how long a server may say nothing while it is listened to, in wall seconds.
            server_name: what the server's certificate has to carry, instead of the host.
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._authority = parts.netloc
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._server_name = (server_name or self._host) if self._tls else None
        self._clock = clock
        self._silence_s = silence_s
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()

    @asynccontextmanager
    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[Answer]:
        """Send a request and hand its answer over when its head has come. What is not read of it is given up.

        Raises:
            NotConnected: it was not sent.
            Broken: the connection ended too early.
            TimeoutError: the server said nothing for too long.
        """
        connection, answer = await self._begun(method, self._written(method, target, headers, body))
        try:
            yield answer
        finally:
            self._busy.discard(connection)
            if answer.is_complete and answer.keeps_alive and len(self._idle) < _KEPT:
                self._idle.append(connection)
            else:
                connection.abort()

    def close(self) -> None:
        """End the connections, those with a request under way too: these are `Broken`."""
        for connection in (*self._idle, *self._busy):
            connection.abort()
        self._idle.clear()

    def _written(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None or method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body or b'')}")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + (body or b"")

    async def _begun(self, method: str, request: bytes) -> tuple[_Connection, Answer]:
        """Send a request; once more where a kept connection ended instead of answering what changes nothing."""
        while (kept := self._kept()) is not None:
            try:
                return kept, await self._sent(kept, request)
            except Broken:
                if method != "GET" or kept.has_answered:
                    raise
        connection = await self._connect()
        return connection, await self._sent(connection, request)

    async def _sent(self, connection: _Connection, request: bytes) -> Answer:
        self._busy.add(connection)
        try:
            return await connection.send(request)
        except BaseException:
            self._busy.discard(connection)
            connection.abort()
            raise

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        try:
            async with self._clock.timeout_wall(CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, server_hostname=self._server_name, limit=_READ
                )
        except TimeoutError as error:
            raise NotConnected(f"no connection to {self._authority} within {CONNECT_S:g} s") from error
        except (OSError, ValueError) as error:  # IDNA raises ValueError
            raise NotConnected(f"no connection to {self._authority}: {error}") from error
        _notice_a_vanished_peer(writer.get_extra_info("socket"))
        return _Connection(reader, writer, self._clock, self._silence_s)


class _Connection:
    """One connection, for one request after the other."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock, silence_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._silence_s = silence_s
        self.has_answered = False  # the request that it was sent last, with a byte at least

    @property
    def is_open(self) -> bool:
        """Whether nobody is known to have ended it."""
        return not (self._reader.at_eof() or self._reader.exception() or self._writer.is_closing())

    async def send(self, request: bytes) -> Answer:
        """Send a request; return the answer when its head has come.

        Raises:
            Broken: there is none.
        """
        self.has_answered = False
        answer = Answer(self)
        try:
            self._writer.write(request)
            await self._writer.drain()
        except OSError as error:
            raise Broken(str(error)) from error
        await answer.read_head()
        return answer

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            Broken: it did not end as connections do.
            TimeoutError: nothing came for too long.
        """
        async with self._clock.timeout_wall(self._silence_s):
            try:
                data = await self._reader.read(_READ)
            except OSError as error:
                raise Broken(str(error)) from error
        self.has_answered |= bool(data)
        return data

    def abort(self) -> None:
        """End it at once."""
        self._writer.transport.abort()


class Answer:
    """The answer to one request. The parser calls the methods `on_…`."""

    def __init__(self, connection: _Connection) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # names in lower case
        self.is_complete = False
        self.keeps_alive = False
        self._connection = connection
        self._has_head = False
        self._pieces: list[bytes] = []
        self._parser = HttpResponseParser(self)

    async def read_head(self) -> None:
        """Return when the head has come.

        Raises:
            Broken: it does not come, or is none.
        """
        size = 0
        while not self._has_head:
            size += await self._feed()
            if size > _LARGEST_HEAD and not self._has_head:
                raise Broken(f"its head has more than {_LARGEST_HEAD} bytes")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            Broken: it breaks off.
        """
        while True:
            if self._pieces:
                pieces, self._pieces = self._pieces, []
                yield b"".join(pieces)
            elif self.is_complete:
                return
            else:
                await self._feed()

    async def read(self) -> bytes:
        """Return the body, or what is left of it.

        Raises:
            Broken: it breaks off.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def _feed(self) -> int:
        data = await self._connection.read()
        if not data:
            self._end()
            return 0
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as error:
            raise Broken("it speaks another protocol than HTTP") from error
        except HttpParserError as error:
            raise Broken(f"what came is no HTTP: {error}") from error
        return len(data)

    def _end(self) -> None:
        """Note that the connection has ended, which is the body's end where nothing else says where that is."""
        if not self._has_head or {"content-length", "transfer-encoding"} & self.headers.keys():
            raise Broken("the server ended the connection")
        self.is_complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note the status; an answer before the real one (1xx) is left out."""
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self._has_head = status, True
        else:
            self.headers.clear()

    def on_body(self, data: bytes) -> None:
        """Keep a piece."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end."""
        if self._has_head:
            self.is_complete, self.keeps_alive = True, self._parser.should_keep_alive()


def _notice_a_vanished_peer(connected: socket.socket) -> None:
    """Have the kernel end the connection 15 s after the server's machine has gone."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000)
