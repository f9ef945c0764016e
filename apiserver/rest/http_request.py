"""An HTTP request, as a value: what the connection makes, and the door reads.

HttpRequest   method, path, query, headers, and who is at the other end; the body is there, or comes when it is read
Exchange      the same for an answer that lasts: with aiohttp's request to respond to, and the connection below
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import unquote

from apiserver.request import UserInfo
from apiserver.rest.paths import LONGEST_REMEMBERED, Discovery, Target, parse_for
from apiserver.rest.seam_outlet import SeamOutlet
from apiserver.rest.streams import Outlet, WholeConnection
from apiserver.rest.warnings import bounded, header
from machinery.process.tls import ANONYMOUS, Peer
from machinery.wire.stream_passage import StreamPassage

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import CIMultiDictProxy, MultiMapping

    from machinery.process.byte_stream import ByteStream

T = TypeVar("T")
METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_PEOPLE: Final = ("curl", "Wget", "Mozilla/5.0")  # agents of those who read JSON themselves
_TRUE: Final = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_PROXIED: Final = METHODS | {"HEAD", "OPTIONS"}
"""Methods of requests that may be passed on to others."""


class Origin(Protocol):
    """The connection that a request came by."""

    @property
    def address(self) -> str:
        """The address of who is at its other end."""
        ...


class HttpRequest:
    """One request, however it came in."""

    __slots__ = (
        "_audit_id",
        "_body",
        "_origin",
        "asker",
        "body_bytes",
        "headers",
        "impersonates",
        "method",
        "peer",
        "raw_path",
        "raw_query",
        "target",
        "user",
        "warnings",
    )

    def __init__(
        self,
        method: str,
        raw_url: str,
        headers: CIMultiDictProxy[str],
        peer: Peer,
        body: bytes | Callable[[], Awaitable[bytes]],
        *,
        body_bytes: int | None = None,
        impersonates: bool = True,
        origin: Origin | None = None,
    ) -> None:
        self.method = method
        self.raw_path, _, self.raw_query = raw_url.partition("?")  # both percent-encoded
        self.headers = headers
        self.peer = peer
        self.impersonates = impersonates  # whether a header may be about impersonation
        self.target: Target | Discovery | None = (
            parse_for(self.raw_path, is_known=peer is not ANONYMOUS) if method in _PROXIED else None
        )
        self.user = ""  # the name of who asks, when that is known
        self.asker: UserInfo | None = None  # all of that
        self.warnings: tuple[
            str, ...
        ] = ()  # of what was found out before an answer is there that has its own
        self._body = body
        self._origin = origin
        self._audit_id = ""
        self.body_bytes = len(body) if isinstance(body, bytes) else body_bytes or 0  # as announced

    @property
    def source(self) -> str:
        """The address of who is connected, "" where it is not known."""
        return self._origin.address if self._origin is not None else ""

    @property
    def audit_id(self) -> str:
        """What the request is called in logs and in its answer: what its caller calls it, or a random UUID."""
        if not self._audit_id:
            self._audit_id = self.headers.get("Audit-Id", "")[:64] or random_id()
        return self._audit_id

    async def read_body(self) -> bytes:
        """Return the body as it is.

        Raises:
            TooLarge: it is over the limit.
            BadRequest: it broke off.
        """
        return self._body if isinstance(self._body, bytes) else await self._body()

    @property
    def body(self) -> bytes:
        """The body, where it came with the head; else nothing."""
        return self._body if isinstance(self._body, bytes) else b""

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> MultiMapping[str]:
        """The query, decoded."""
        is_remembered = self.peer is not ANONYMOUS and len(self.raw_query) <= LONGEST_REMEMBERED
        return (_remembered_query if is_remembered else _query)(self.raw_query)

    @property
    def accept(self) -> str:
        """The forms of an answer that the caller takes."""
        return self.headers.get("Accept", "")

    @property
    def is_pretty(self) -> bool:
        """Whether people read the answer: the query says so, or else the kind of client."""
        if self.raw_query and (text := self.query.get("pretty", "")):
            return text in _TRUE
        return self.headers.get("User-Agent", "").startswith(_PEOPLE)

    @property
    def accepts_gzip(self) -> bool:
        """Whether the caller takes a compressed answer."""
        return "gzip" in self.headers.get("Accept-Encoding", "")


class Exchange:
    """A request whose answer lasts."""

    def __init__(self, http: HttpRequest, request: web.BaseRequest, outlet: WholeConnection) -> None:
        self.http = http
        self.request = request
        self.outlet: Outlet = outlet
        self._connection = outlet
        self.own_headers: tuple[
            tuple[str, str], ...
        ] = ()  # beside those of a server that answers behind this one
        self.has_begun = False  # whether the head of the answer is sent
        self.on_begin: Callable[[int], None] | None = None  # told of the status when it is
        self._passage: StreamPassage | None = None

    async def through(self, passage: StreamPassage, answer: Callable[[Exchange], Awaitable[T]]) -> T:
        """Return what `answer` returns; what it sends and hands on passes the seam.

        Raises:
            ApiError: the seam refuses the stream, or ends it.
            Exception: as `answer` raised it.
        """
        self.outlet = SeamOutlet(self.outlet, passage)
        self._passage = passage
        with passage:
            await passage.begin()
            return await passage.run(answer(self))

    async def begin(self, response: web.StreamResponse) -> None:
        """Send the head of the answer; from here on there is no other way to tell of an error than to break off."""
        response.headers["Audit-Id"] = self.http.audit_id
        for warning in bounded(self.http.warnings):
            response.headers.add("Warning", header(warning))
        for name, value in self.own_headers:
            response.headers.add(name, value)
        await response.prepare(self.request)
        self.has_begun = True
        if self.on_begin is not None:
            self.on_begin(response.status)

    async def begin_websocket(self, socket: web.WebSocketResponse) -> None:
        """Do as `begin` does, where the connection becomes a WebSocket."""
        self._connection.expect_frames()
        await self.begin(socket)

    def take_over(self, headers: Iterable[tuple[str, str]]) -> ByteStream:
        """Answer 101 with some headers; return the bytes of the connection. Who takes it over closes it.

        What the handler returns afterwards goes nowhere (`taken_response`).

        Raises:
            ConnectionError: the caller has gone.
        """
        from machinery.process.byte_stream import ByteCarrier

        carrier = ByteCarrier()
        transport, before = self._connection.hand_to(carrier)
        carrier.on_lost = before.connection_lost
        stream = carrier.carry(transport)
        head = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers)]
        stream.post("\r\n".join((*head, "", "")).encode("latin-1"))
        self.has_begun = True
        if self.on_begin is not None:
            self.on_begin(101)
        return stream

    def taken_response(self) -> web.StreamResponse:
        """Return what a handler returns whose connection is taken over, and closed."""
        from aiohttp import web

        return web.StreamResponse(status=101)

    async def send(self, data: T, send: Callable[[T], Awaitable[None]]) -> None:
        """Send a piece of the answer, unless the seam drops it.

        Raises:
            ApiError: the seam ends the stream.
            Exception: as `send` raised it.
        """
        passage = self._passage
        if passage is None or passage.passes() or await passage.arrived(data):
            await send(data)

    async def hand_on(self, item: T, send: Callable[[T], Awaitable[None]]) -> None:
        """Send on what the caller has sent, unless the seam drops it.

        Raises:
            ApiError: the seam ends the stream.
            Exception: as `send` raised it.
        """
        await (send(item) if self._passage is None else self._passage.write(item, send))


def random_id() -> str:
    """Return a random UUID."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _query(text: str) -> MultiMapping[str]:
    from yarl import URL

    return URL.build(query_string=text, encoded=True).query


_remembered_query: Final = lru_cache(maxsize=512)(_query)
