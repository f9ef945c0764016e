"""HTTP/1.1 with a server behind a tunnel: one request, whose body streams there, and one answer, whose body streams back.

Nothing is kept but a piece of either body: who does not read holds up who writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from apiserver.core.proxying.headers import Headers
from machinery.model.errors import Unavailable

_LARGEST_HEAD: Final = 1024 * 1024  # bytes, as Go's client takes them
_SWITCHING_PROTOCOLS: Final = 101
_BODILESS: Final = frozenset({204, 304})


class Wire(Protocol):
    """A connection with a server, wherever it leads through."""

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            RpcError: the tunnel broke.
            Unavailable: another connection broke.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the other end does not read.

        Raises:
            RpcError: the tunnel broke.
            Unavailable: another connection broke.
        """
        ...

    def cut(self) -> None:
        """End it at once. Idempotent."""
        ...


async def send_request(
    tunnel: Wire, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None
) -> None:
    """Send a request; a body without a length goes in chunks.

    Raises:
        RpcError: the tunnel broke.
    """
    is_chunked = body is not None and not any(name.lower() == "content-length" for name, _ in headers)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
    await tunnel.write("\r\n".join((*lines, "", "")).encode("latin-1", "surrogateescape"))
    if body is None:
        return
    async for piece in body:
        if piece:
            await tunnel.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if is_chunked:
        await tunnel.write(b"0\r\n\r\n")


class ProxiedAnswer:
    """The answer, once its head has come."""

    def __init__(self, tunnel: Wire, method: str) -> None:
        self.status = 0
        self.headers: Headers = []
        self._tunnel = tunnel
        self._is_head = method == "HEAD"
        self._parser = HttpResponseParser(self)
        self._coming: Headers = []
        self._pieces: deque[bytes] = deque()
        self._has_ended = False
        self._size = 0  # bytes of heads
        self._rest = b""  # what has come behind the head of an upgrade

    @property
    def has_length(self) -> bool:
        """Whether the head says how long the body is."""
        return any(name.lower() == "content-length" for name, _ in self.headers)

    @property
    def is_upgrade(self) -> bool:
        """Whether the connection speaks something else than HTTP from here on."""
        return self.status == _SWITCHING_PROTOCOLS

    async def begin(self) -> None:
        """Return when the head has come.

        Raises:
            Unavailable: there is none.
            RpcError: the tunnel broke.
        """
        while not self.status:
            if not (data := await self._tunnel.read()):
                raise Unavailable("error trying to reach service: EOF")
            self._size += len(data)
            self._feed(data)
            if not self.status and self._size > _LARGEST_HEAD:
                raise Unavailable(f"error trying to reach service: the headers exceed {_LARGEST_HEAD} bytes")

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body.

        Raises:
            ConnectionError: it broke off.
            RpcError: the tunnel broke.
        """
        if self._is_head or self.status in _BODILESS:
            return
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._has_ended:
                return
            if not (data := await self._tunnel.read()):
                break
            self._feed(data)
        if self.has_length or self._is_chunked():
            raise ConnectionResetError("the answer broke off")

    def rest(self) -> bytes:
        """Return what has come behind the head of an upgrade, and forget it."""
        rest, self._rest = self._rest, b""
        return rest

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        self._coming.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Note the head, unless it is one before the real one."""
        status = self._parser.get_status_code()
        if status >= 200 or status == _SWITCHING_PROTOCOLS:
            self.status, self.headers = status, self._coming
        self._coming = []

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end of the body."""
        self._has_ended = bool(self.status)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._rest = data[upgrade.args[0] :]
        except HttpParserError as error:
            if self.status:
                raise ConnectionResetError(f"the answer is malformed: {error}") from error
            raise Unavailable(f"error trying to reach service: malformed HTTP response: {error}") from error

    def _is_chunked(self) -> bool:
        return any(name.lower() == "transfer-encoding" for name, _ in self.headers)
