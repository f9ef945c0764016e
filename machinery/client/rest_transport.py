"""Requests over HTTPS and JSON: for any Kubernetes apiserver, ours included."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from machinery.client import rest_paths
from machinery.client.api import Api
from machinery.client.failover import Server, over
from machinery.client.http_client import Answer, Broken, HttpClient, NotConnected
from machinery.client.seam_transport import through
from machinery.client.servers import NotSent
from machinery.client.tls import ClientTls, RenewableTls
from machinery.client.transport import ApiRequest, Method, One, Page, raise_status, read_event
from machinery.model.clock import Clock
from machinery.model.errors import (
    BY_CODE,
    ApiError,
    DeadlineExceeded,
    InternalError,
    Unavailable,
    from_status,
)
from machinery.model.k8s.meta_v1 import ListMeta, ObjectMeta
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import (
    EventType,
    WatchEvent,
    read_revision,
)
from machinery.model.resources import KubeObject
from machinery.model.seam import Ends, Seam
from machinery.wire import objects
from machinery.wire.cause_headers import SERVER_KEY, acting, request_metadata

T = TypeVar("T", bound=KubeObject)

_PARTS_AT_ONCE: Final = 8  # of the requests that stand for a CreateEach and its kin
_OF_ONE: Final[dict[Method, Method]] = {
    "CreateEach": "Create",
    "UpdateEach": "Update",
    "PatchEach": "Patch",
}
_METHODS: Final[dict[Method, str]] = {  # calls as the gRPC door and fault plans name them → HTTP
    "Get": "GET",
    "List": "GET",
    "Watch": "GET",
    "Create": "POST",
    "Update": "PUT",
    "Patch": "PATCH",
    "Delete": "DELETE",
    "DeleteCollection": "DELETE",
    "Discover": "GET",
}
SILENCE_LIMIT_S: Final = 120.0  # wall seconds; servers send a bookmark about every minute


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token in a file, read again for each request: ServiceAccount tokens are renewed in place.

    Without a file, it is `token`.
    """

    token_file: str
    ca_file: str
    token: str = ""
    server_name: str = ""  # that the server's certificate has to carry; "": the host that is dialled

    def read(self) -> str:
        """Return the token.

        Raises:
            OSError: the file cannot be read.
        """
        return Path(self.token_file).read_text().strip() if self.token_file else self.token


@dataclass(slots=True, eq=False)
class _Session:
    http: HttpClient
    users: int = 0  # requests under way


class _Page(msgspec.Struct):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = None


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Marked(msgspec.Struct):
    metadata: ObjectMeta


def connect_rest(
    servers: str,
    credentials: ClientTls | RenewableTls | Token | None,
    *,
    caller: str,
    clock: Clock,
    seam: Seam | None = None,
    log: EventLog = SILENT,
) -> Api:
    """Open the door at https://host:port, or at one of several with commas between.

    Connections are made as needed and kept. To the seam, the second of several is "apiserver-2".
    """

    def opened(url: str, name: str) -> Server:
        transport = RestTransport(url, credentials, caller=caller, clock=clock)
        return Server(url, through(transport, seam, Ends(caller, name, "rest")), transport.reach)

    return Api(over(opened, servers, caller=caller, clock=clock, log=log))


class RestTransport:
    """Requests to one server, for one identity. Implements `machinery.client.transport.Transport`."""

    def __init__(
        self,
        server_url: str,
        credentials: ClientTls | RenewableTls | Token | None,
        *,
        caller: str,
        clock: Clock,
    ) -> None:
        self._url = server_url.rstrip("/")
        self._prefix = urlsplit(self._url).path
        self._credentials = credentials
        self._server_name = credentials.server_name if credentials is not None else ""
        self._clock = clock
        self._caller = caller
        self._session: _Session | None = None
        self._leaving: list[_Session] = []  # which show a certificate that was renewed
        self._closed = False
        if isinstance(credentials, RenewableTls):
            credentials.subscribe(self._renew)
        self.answered_by = ""

    async def reach(self, timeout_s: float) -> float:
        """Return at once: a request that finds no connection says so."""
        return timeout_s

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's body.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        async with self._response(request, timeout_s) as response:
            return await response.read()

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List or a DeleteCollection; of a CreateEach and its kin, for which HTTP has no word, those of the parts.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        if request.each:
            slots = asyncio.Semaphore(_PARTS_AT_ONCE)
            parts = (self._part(request, one, timeout_s, slots) for one in request.each)
            found = await asyncio.gather(*parts)
            return Page(found, 0, "", sum(map(len, found)))
        page = objects.decode(await self.call(request, timeout_s), _Page)
        items = [bytes(item) for item in page.items or ()]
        size_bytes, revision = sum(map(len, items)), read_revision(page.metadata.resourceVersion)
        return Page([request.read(item) for item in items], revision, page.metadata.continue_, size_bytes)

    async def _part(self, request: ApiRequest, one: One, timeout_s: float, slots: asyncio.Semaphore) -> bytes:
        """Write one of several objects; return it, or the Status that says why that was not done."""
        part = request._replace(
            method=_OF_ONE[request.method], namespace=one.namespace, name=one.name, body=one.body, each=()
        )
        async with slots:
            with acting(one.causes):  # in the task of this one alone
                try:
                    return await self.call(part, timeout_s)
                except ApiError as error:
                    return msgspec.json.encode(error.to_status())

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[list[WatchEvent[T]]]:
        """Yield the batches of a Watch; the response is closed when this is.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        async with self._response(request, None) as response:
            yield []
            rest = b""
            async for chunk in response.chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield [_event(line, type_) for line in lines if line.strip()]

    async def aclose(self) -> None:
        """End every call and the connections."""
        self._closed = True
        for session in (*self._leaving, self._session):
            if session is not None:
                session.http.close()

    @asynccontextmanager
    async def _response(self, request: ApiRequest, timeout_s: float | None) -> AsyncIterator[Answer]:
        """Send a request and hand its answer over while the connection is open; errors become ApiErrors.

        `timeout_s` are wall seconds for all of it; None limits only the server's silence.
        """
        method, path = _METHODS[request.method], rest_paths.path(request)
        session = self._opened()
        session.users += 1
        try:
            async with self._clock.timeout_wall(timeout_s):
                target = f"{self._prefix}{rest_paths.target(request, self._caller)}"
                body, headers = rest_paths.body(request), self._headers(request)
                async with session.http.request(method, target, headers, body) as answer:
                    self.answered_by = answer.headers.get(SERVER_KEY, self.answered_by)
                    if answer.status >= 300:
                        raise error_of(answer.status, await answer.read())
                    yield answer
        except NotConnected as error:
            raise NotSent(f"{method} {path}: {error}") from error
        except TimeoutError as error:
            if timeout_s is None:
                raise Unavailable(f"{method} {path}: the server has gone silent") from error
            raise DeadlineExceeded(f"no answer to {method} {path} in time") from error
        except Broken as error:
            why = "the connection to the apiserver was closed" if self._closed else error
            raise Unavailable(f"{method} {path}: {why}") from error
        finally:
            session.users -= 1
            if self._leaving:
                self._close_left()

    def _renew(self, _tls: ClientTls) -> None:
        """Open new connections from now on; those of before are closed when nobody uses them."""
        if self._session is not None:
            self._leaving.append(self._session)
            self._session = None

    def _close_left(self) -> None:
        left, self._leaving = (
            [each for each in self._leaving if not each.users],
            [each for each in self._leaving if each.users],
        )
        for session in left:
            session.http.close()

    def _opened(self) -> _Session:
        if self._closed:
            raise Unavailable("the connection to the apiserver is closed")
        if self._session is None:
            self._session = _Session(
                HttpClient(
                    self._url,
                    self._tls(),
                    clock=self._clock,
                    silence_s=SILENCE_LIMIT_S,
                    server_name=self._server_name,
                )
            )
        return self._session

    def _tls(self) -> ssl.SSLContext | None:
        match self._credentials:
            case ClientTls() | RenewableTls():
                return self._credentials.ssl_context()
            case Token(ca_file=ca_file):
                return ClientTls(ca_file).ssl_context()
            case None:
                return None  # the system's own authorities

    def _headers(self, request: ApiRequest) -> dict[str, str]:
        headers = {
            "Content-Type": rest_paths.media_type(request),
            "Accept": "application/json",
            "User-Agent": f"kubarium-{self._caller}",
        }
        if isinstance(self._credentials, Token):
            headers["Authorization"] = f"Bearer {self._read_token(self._credentials)}"
        return headers | dict(request_metadata(self._caller, request.fence))

    @staticmethod
    def _read_token(token: Token) -> str:
        try:
            return token.read()
        except OSError as error:  # a kubelet that renews it may leave it out for a moment
            raise NotSent(f"the token cannot be read: {error}") from error


def error_of(http_status: int, body: bytes) -> ApiError:
    """Read the error that a response is; a body that is no Status (a proxy's) is quoted."""
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return from_status(status)
    leaf = BY_CODE.get(http_status, InternalError)
    return leaf(f"HTTP {http_status}: {body[:500].decode(errors='replace')}")


def _event(line: bytes, type_: type[T]) -> WatchEvent[T]:
    frame = objects.decode(line, _Frame)
    body = bytes(frame.object)
    if frame.type == "ERROR":
        raise_status(body)
    revision = read_revision(objects.decode(body, _Marked).metadata.resourceVersion)
    return read_event(EventType(frame.type), revision, body, type_)
