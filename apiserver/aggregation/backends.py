"""Connections to the servers behind APIServices: TLS, by the CA that an APIService names, under the front proxy's certificate.

Each request has a connection of its own. Nothing here bounds how long a server may take, except for connecting and for
`fetch`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import CallFailed, dial_error, untrusted
from apiserver.core.aggregation.front_proxy import headers_of
from apiserver.core.aggregation.heads import Head
from apiserver.proxied_http import ProxiedAnswer, send_request
from apiserver.request import UserInfo
from machinery.model.clock import Clock
from machinery.model.errors import Unavailable

LARGEST: Final = 16 * 1024 * 1024  # bytes of a document
AGGREGATOR: Final = UserInfo("system:kube-aggregator", groups=("system:masters",))
_CONNECT_S: Final = 15.0  # wall seconds
_READ: Final = 64 * 1024
_CONTEXTS: Final = 32  # CAs whose contexts are kept


class Line:
    """A connection with a server (`apiserver.proxied_http.Wire`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            Unavailable: the connection broke.
        """
        try:
            return await self._reader.read(_READ)
        except OSError as error:
            raise Unavailable(_broken(error)) from error

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the other end does not read.

        Raises:
            Unavailable: the connection broke.
        """
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Unavailable(_broken(error)) from error

    def cut(self) -> None:
        """End it at once. Idempotent."""
        self._writer.transport.abort()


class Fetched(NamedTuple):
    """An answer."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is made here, and as whom."""

    method: str
    path: str  # with the query
    user: UserInfo = AGGREGATOR
    body: bytes = b""
    content_type: str = "application/json"
    accept: str = "application/json"


class Backends:
    """Connects, and asks."""

    def __init__(self, dialer: ServiceDialer, clock: Clock, cert_file: str, key_file: str) -> None:
        self._dialer = dialer
        self._clock = clock
        self._cert_file = cert_file  # "": without a certificate
        self._key_file = key_file
        self._contexts: OrderedDict[tuple[bytes, bool, int], ssl.SSLContext] = OrderedDict()

    @asynccontextmanager
    async def connected(self, head: Head, *, verifies: bool = True) -> AsyncIterator[Line]:
        """Be connected with the server of an APIService while inside.

        Raises:
            Unavailable: it cannot be reached, or does not show the certificate that it has to.
        """
        line = await self._connect(head, verifies=verifies)
        try:
            yield line
        finally:
            line.cut()

    async def fetch(self, head: Head, path: str, within_s: float, *, verifies: bool = True) -> Fetched:
        """Return a document of a server, whatever its status; `within_s` are wall seconds.

        Raises:
            Unavailable: there is none in time, or one that is too large.
        """
        return await self.call(head, Asked("GET", path), within_s, verifies=verifies)

    async def call(self, head: Head, asked: Asked, within_s: float, *, verifies: bool = True) -> Fetched:
        """Return the whole answer to a request, whatever its status; `within_s` are wall seconds.

        Raises:
            Unavailable: there is none in time, or one that is too large.
        """
        try:
            async with self._clock.timeout_wall(within_s), self.connected(head, verifies=verifies) as line:
                return await _fetched(await self.ask(line, head, asked))
        except TimeoutError as error:
            raise Unavailable("context deadline exceeded") from error
        except ConnectionError as error:  # the answer broke off
            raise Unavailable(str(error)) from error

    async def ask(self, line: Line, head: Head, asked: Asked) -> ProxiedAnswer:
        """Send a request; return its answer when its head has come.

        Raises:
            Unavailable: there is none.
        """
        given = [("Host", head.host), ("Accept", asked.accept), ("User-Agent", "kube-aggregator")]
        given.append(("Connection", "close"))
        if asked.body:
            given += [("Content-Type", asked.content_type), ("Content-Length", str(len(asked.body)))]
        body = _once(asked.body) if asked.body else None
        await send_request(line, asked.method, asked.path, [*given, *headers_of(asked.user)], body)
        answer = ProxiedAnswer(line, asked.method)
        await answer.begin()
        return answer

    async def _connect(self, head: Head, *, verifies: bool) -> Line:
        assert head.spec.service is not None  # noqa: S101 - whoever has none is not asked
        wanted = head.spec.service
        server = self._dialer.server(wanted.namespace, wanted.name, wanted.port, head.spec.caBundle)
        try:
            async with self._clock.timeout_wall(_CONNECT_S):
                context = await self._context(head, verifies=verifies)
                assert server.dial is not None  # noqa: S101 - a Service is dialled
                sock = await server.dial()
                try:
                    reader, writer = await asyncio.open_connection(
                        sock=sock, ssl=context, server_hostname=head.host, limit=2 * _READ
                    )
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError as error:
            raise Unavailable(f"dial tcp {server.authority}: i/o timeout") from error
        except CallFailed as error:
            raise Unavailable(str(error)) from error
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(f"tls: failed to verify certificate: x509: {untrusted(error)}") from error
        except ssl.SSLError as error:
            raise Unavailable(f"tls: {error.reason or error}") from error
        except (OSError, ValueError) as error:
            raise Unavailable(dial_error(server, error)) from error
        return Line(reader, writer)

    async def _context(self, head: Head, *, verifies: bool) -> ssl.SSLContext:
        verifies = verifies and not head.spec.insecureSkipTLSVerify
        key = (head.spec.caBundle if verifies else b"", verifies, self._written_ns())
        found = self._contexts.get(key)
        if found is None:
            found = await asyncio.to_thread(_make_context, *key[:2], self._cert_file, self._key_file)
            self._contexts[key] = found
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return found

    def _written_ns(self) -> int:
        """Return when the certificate was written, which may be renewed while the process runs."""
        return Path(self._cert_file).stat().st_mtime_ns if self._cert_file else 0


def _broken(error: OSError) -> str:
    return f"tls: {error.reason or error}" if isinstance(error, ssl.SSLError) else str(error) or "EOF"


def _make_context(ca: bytes, verifies: bool, cert_file: str, key_file: str) -> ssl.SSLContext:  # noqa: FBT001
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca:
        context.load_verify_locations(cadata=ca.decode("ascii", "replace"))
    else:
        context.load_default_certs()
    if cert_file:
        context.load_cert_chain(cert_file, key_file)
    return context


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _fetched(answer: ProxiedAnswer) -> Fetched:
    parts, size = [], 0
    async for part in answer.body():
        size += len(part)
        if size > LARGEST:
            raise Unavailable(f"the answer is larger than {LARGEST} bytes")
        parts.append(part)
    return Fetched(answer.status, b"".join(parts))
