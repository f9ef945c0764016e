"""The `Api` over HTTPS and JSON: for any Kubernetes apiserver, ours included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import msgspec

from machinery.client import rest_paths
from machinery.client.api import CALL_TIMEOUT_S, Api
from machinery.client.rest_faults import RestFaults
from machinery.client.tls import ClientTls
from machinery.model.errors import (
    BY_CODE,
    ApiError,
    DeadlineExceeded,
    InternalError,
    Unavailable,
    from_status,
)
from machinery.model.k8s.meta_v1 import ListMeta, ObjectMeta
from machinery.model.requests import (
    EVERYTHING,
    DeleteOptions,
    EventType,
    Listing,
    PatchType,
    Selection,
    WatchEvent,
    read_revision,
)
from machinery.model.resources import KubeObject, Resource
from machinery.wire import objects
from machinery.wire.cause_headers import request_metadata
from machinery.wire.faults import Fault, FaultGate

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Batch: TypeAlias = list[WatchEvent[T]]

_METHODS: Final = {  # calls as the gRPC door and fault plans name them → HTTP
    "Get": "GET",
    "List": "GET",
    "Watch": "GET",
    "Create": "POST",
    "Update": "PUT",
    "Patch": "PATCH",
    "Delete": "DELETE",
    "DeleteCollection": "DELETE",
}
SILENCE_LIMIT_S: Final = 120.0  # wall seconds; servers send a bookmark about every minute


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token in a file, read again for each request: ServiceAccount tokens are renewed in place."""

    token_file: str
    ca_file: str


class _Page(msgspec.Struct):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = None


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Marked(msgspec.Struct):
    metadata: ObjectMeta


def connect_rest(
    server_url: str, credentials: ClientTls | Token | None, *, caller: str, faults: FaultGate | None = None
) -> Api:
    """Open the door at https://host:port. Connections are made as needed and kept."""
    return RestApi(server_url, credentials, caller=caller, faults=faults)


class RestApi:
    """Requests to one server, for one identity."""

    def __init__(
        self,
        server_url: str,
        credentials: ClientTls | Token | None,
        *,
        caller: str,
        faults: FaultGate | None = None,
    ) -> None:
        self._url = server_url.rstrip("/")
        self._credentials = credentials
        self._caller = caller
        self._faults = RestFaults(faults, caller)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(
        self, resource: Resource[T], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Read one object, as of now."""
        path = rest_paths.path(resource, namespace, name)
        return objects.decode(await self._request("Get", path, timeout_s=timeout_s), resource.type)

    async def list(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Listing[T]:
        """Read a collection, or a page of it."""
        query = rest_paths.query(
            selection, limit=str(limit or ""), resourceVersion=resource_version, **{"continue": continue_}
        )
        body = await self._request(
            "List", rest_paths.path(resource, selection.namespace), query=query, timeout_s=timeout_s
        )
        page = objects.decode(body, _Page)
        items = [objects.decode(bytes(item), resource.type) for item in page.items or ()]
        return Listing(items, read_revision(page.metadata.resourceVersion), page.metadata.continue_)

    async def watch(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_s: float = 0,
    ) -> AsyncIterator[Batch[T]]:
        """Yield batches of events after `resource_version`; the response is closed when this is."""
        query = rest_paths.query(
            selection,
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            timeoutSeconds=str(int(timeout_s) or ""),
        )
        path = rest_paths.path(resource, selection.namespace)
        rule = self._faults.decide("Watch")
        await self._faults.streaming("Watch")
        await self._faults.before(rule, None)
        async with self._response("Watch", path, query=query) as response:
            await self._faults.after(rule, None)
            yield []
            rest = b""
            async for chunk in response.content.iter_any():
                await self._faults.streaming("Watch")
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield [_event(line, resource) for line in lines if line.strip()]

    async def create(self, resource: Resource[T], obj: T, *, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Write a new object, into the namespace that its metadata names."""
        path = rest_paths.path(resource, obj.metadata.namespace)
        return objects.decode(await self._request("Create", path, obj, timeout_s=timeout_s), resource.type)

    async def update(
        self, resource: Resource[T], obj: T, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Replace an object; with a resourceVersion in its metadata only that version."""
        path = rest_paths.path(resource, obj.metadata.namespace, obj.metadata.name, subresource)
        return objects.decode(await self._request("Update", path, obj, timeout_s=timeout_s), resource.type)

    async def patch(
        self,
        resource: Resource[T],
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        subresource: str = "",
        kind: PatchType = PatchType.MERGE,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Change some fields."""
        path = rest_paths.path(resource, namespace, name, subresource)
        query = {"fieldManager": self._caller}
        body = await self._request("Patch", path, patch, query=query, media=kind.value, timeout_s=timeout_s)
        return objects.decode(body, resource.type)

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete, or ask to."""
        path = rest_paths.path(resource, namespace, name)
        await self._request("Delete", path, rest_paths.delete_options(options), timeout_s=timeout_s)

    async def delete_collection(
        self,
        resource: Resource[T],
        selection: Selection,
        *,
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete every object that is selected."""
        path, query = rest_paths.path(resource, selection.namespace), rest_paths.query(selection)
        await self._request(
            "DeleteCollection", path, rest_paths.delete_options(options), query=query, timeout_s=timeout_s
        )

    async def post(
        self,
        resource: Resource[Any],
        name: str,
        subresource: str,
        body: msgspec.Struct,
        reply: type[R],
        *,
        namespace: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> R:
        """Create a subresource of an object."""
        path = rest_paths.path(resource, namespace, name, subresource)
        return objects.decode(await self._request("Create", path, body, timeout_s=timeout_s), reply)

    async def aclose(self) -> None:
        """End every call and the connections."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _request(
        self,
        call: str,
        path: str,
        body: Any = None,
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
    ) -> bytes:
        rule = self._faults.decide(call)
        timeout_s -= await self._faults.before(rule, timeout_s)
        answer = await self._send(call, path, body, query=query, media=media, timeout_s=timeout_s)
        await self._faults.after(rule, timeout_s)
        if rule and rule.fault is Fault.DUPLICATE:
            with suppress(ApiError):  # nobody waits for the answer to a message that the network doubled
                await self._send(call, path, body, query=query, media=media, timeout_s=timeout_s)
        return answer

    async def _send(self, call: str, path: str, body: Any, **options: Any) -> bytes:
        async with self._response(call, path, body, **options) as response:
            return await response.read()

    @asynccontextmanager
    async def _response(
        self,
        call: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and hand its answer over while the connection is open; errors become ApiErrors."""
        import aiohttp

        method = _METHODS[call]
        limits = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=5, sock_read=timeout_s or SILENCE_LIMIT_S
        )
        try:
            async with self._opened().request(
                method,
                self._url + path,
                params=query,
                headers=self._headers(media),
                timeout=limits,
                data=None if body is None else objects.encode(body),
            ) as response:
                if response.status >= 400:
                    raise error_of(response.status, await response.read())
                yield response
        except TimeoutError as error:
            if timeout_s is None:
                raise Unavailable(f"{method} {path}: the server has gone silent") from error
            raise DeadlineExceeded(f"no answer to {method} {path} in time") from error
        except aiohttp.ClientError as error:
            raise Unavailable(f"{method} {path}: {error}") from error
        except RuntimeError as error:  # what aiohttp says to a reader whose session was closed
            if not self._closed:
                raise
            raise Unavailable(f"{method} {path}: the connection to the apiserver was closed") from error

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._closed:
            raise Unavailable("the connection to the apiserver is closed")
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, ssl=self._ssl(), socket_factory=rest_paths.kept_alive_socket
            )
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False, auto_decompress=True)
        return self._session

    def _ssl(self) -> Any:
        match self._credentials:
            case ClientTls():
                return self._credentials.ssl_context()
            case Token(ca_file=ca_file):
                return ClientTls(ca_file).ssl_context()
            case None:
                return True  # the system's own authorities

    def _headers(self, media: str) -> dict[str, str]:
        headers = {
            "Content-Type": media,
            "Accept": "application/json",
            "User-Agent": f"kubarium-{self._caller}",
        }
        if isinstance(self._credentials, Token):
            headers["Authorization"] = f"Bearer {Path(self._credentials.token_file).read_text().strip()}"
        return headers | dict(request_metadata(self._caller))


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


def _event(line: bytes, resource: Resource[T]) -> WatchEvent[T]:
    frame = objects.decode(line, _Frame)
    raw = bytes(frame.object)
    if frame.type == "ERROR":
        raise from_status(msgspec.json.decode(raw))
    revision = read_revision(objects.decode(raw, _Marked).metadata.resourceVersion)
    type_ = EventType(frame.type)
    if type_ is EventType.BOOKMARK:
        return WatchEvent(type_, revision, None)
    return WatchEvent(type_, revision, objects.decode(raw, resource.type))
