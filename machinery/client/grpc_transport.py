"""Requests over the apiserver's gRPC door: the default transport of our components."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, TypeVar

from machinery.client.api import Api
from machinery.client.failover import Server, over
from machinery.client.field_manager import field_manager
from machinery.client.seam_transport import through
from machinery.client.servers import NotSent
from machinery.client.tls import ClientTls, RenewableTls
from machinery.client.transport import ApiRequest, Method, Page, raise_status, read_event
from machinery.model.clock import Clock
from machinery.model.errors import TooLarge, Unavailable
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import DeleteOptions, EventType, PatchType, WatchEvent
from machinery.model.resources import KubeObject
from machinery.model.seam import Ends, Seam
from machinery.rpc.channel import Channel
from machinery.rpc.status import Closed, Metadata, RpcError
from machinery.wire.cause_headers import SERVER_KEY, header, request_metadata
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.rpc_errors import from_own_rpc
from machinery.wire.stubs import Stub, insecure_channel

T = TypeVar("T", bound=KubeObject)

_PATCHES: Final = {
    PatchType.JSON: pb.PatchRequest.JSON,
    PatchType.MERGE: pb.PatchRequest.MERGE,
    PatchType.STRATEGIC_MERGE: pb.PatchRequest.STRATEGIC_MERGE,
    PatchType.APPLY: pb.PatchRequest.APPLY,
}
_EVENTS: Final = {
    pb.WatchEvent.ADDED: EventType.ADDED,
    pb.WatchEvent.MODIFIED: EventType.MODIFIED,
    pb.WatchEvent.DELETED: EventType.DELETED,
    pb.WatchEvent.BOOKMARK: EventType.BOOKMARK,
}


def connect_grpc(
    servers: str,
    tls: ClientTls | RenewableTls | None,
    *,
    caller: str,
    clock: Clock,
    seam: Seam | None = None,
    log: EventLog = SILENT,
) -> Api:
    """Open the door at host:port (or "unix:/path" without TLS), or at one of several with commas between.

    Connects, and reconnects, by itself. To the seam, the second of several is "apiserver-2".

    Raises:
        OSError: a file of the credentials cannot be read.
    """

    def opened(server: str, name: str) -> Server:
        channel = tls.channel(server, clock) if tls else insecure_channel(server, clock)
        transport = GrpcTransport(channel, caller=caller)
        return Server(server, through(transport, seam, Ends(caller, name, "resources")), transport.reach)

    return Api(over(opened, servers, caller=caller, clock=clock, log=log))


class GrpcTransport:
    """Requests over one channel, for one identity. Implements `machinery.client.transport.Transport`."""

    def __init__(self, channel: Channel, *, caller: str) -> None:
        self._channel = channel
        self._caller = caller
        self._stub = Stub(channel, SERVICE, SERVICE_PATH)
        self.answered_by = ""
        self._large: set[str] = set()  # resources whose lists were too large for one message
        self._is_known = False  # whether `answered_by` holds; another may answer after every error

    async def reach(self, timeout_s: float) -> float:
        """Connect where there is no connection; return how much of the time is left.

        Raises:
            NotSent: there is no connection.
            Unavailable: this end has been closed.
        """
        try:
            _, left_s = await self._channel.reach(timeout_s)
        except Closed as error:
            raise Unavailable(f"the connection to the apiserver is closed: {error}") from error
        except RpcError as error:
            raise NotSent(f"the connection to the apiserver cannot be opened: {error.details}") from error
        return timeout_s if left_s is None else left_s

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        return (await self._unary(request, timeout_s)).json  # type: ignore[no-any-return]

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, a DeleteCollection or a CreateEach.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        if request.method != "List":
            return _page(await self._unary(request, timeout_s), request)
        if str(request.resource) not in self._large:
            try:
                return _page(await self._unary(request, timeout_s), request)
            except TooLarge:
                self._large.add(str(request.resource))
        return await self._in_parts(request, timeout_s)

    async def _in_parts(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List that is too large for one message, each part read before the next one comes."""
        metadata = request_metadata(self._caller)
        with self._errors():
            call = self._stub.ListInParts(
                _message(request, self._caller), timeout=timeout_s, metadata=metadata
            )
            try:
                pages = [_page(part, request) async for part in call]
            finally:
                call.cancel()
        if not pages:
            raise Unavailable("the apiserver ended a list before it began")
        items = list(chain.from_iterable(page.items for page in pages))
        return pages[0]._replace(items=items, size_bytes=sum(page.size_bytes for page in pages))

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[list[WatchEvent[T]]]:
        """Yield the batches of a Watch; the stream is cancelled when this is closed.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        with self._errors():
            call = self._stub.Watch(_message(request, self._caller), metadata=request_metadata(self._caller))
        try:
            with self._errors():
                async for batch in call:
                    yield [_event(event, type_) for event in batch.events]
        finally:
            call.cancel()

    async def aclose(self) -> None:
        """End every call and the connection."""
        await self._channel.close()

    async def _unary(self, request: ApiRequest, timeout_s: float) -> Any:
        method, message = getattr(self._stub, request.method), _message(request, self._caller)
        with self._errors():
            metadata = request_metadata(self._caller, request.fence)
            if self._is_known:
                return await method(message, timeout=timeout_s, metadata=metadata)
            return await method(
                message, timeout=timeout_s, metadata=metadata, on_trailers=self._note_who_answered
            )

    def _note_who_answered(self, trailers: Metadata) -> None:
        """Remember the name that the server gave itself."""
        self.answered_by, self._is_known = str(dict(trailers).get(SERVER_KEY, "")), True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what RPCs end with as ApiErrors."""
        try:
            yield
        except RpcError as error:
            self._is_known = False
            raise from_own_rpc(error) from error


def _page(reply: pb.ObjectList, request: ApiRequest) -> Page:
    items, size_bytes = [], 0
    for item in reply.items:
        json = item.json
        size_bytes += len(json)
        items.append(request.read(json))
    return Page(items, reply.revision, getattr(reply, "continue"), size_bytes)


def _message(request: ApiRequest, caller: str) -> Any:
    """Return the message of a request: its target, and what its method has beside it."""
    target = pb.Target(
        group=request.resource.group,
        version=request.resource.version,
        resource=request.resource.plural,
        namespace=request.namespace,
        name=request.name,
        subresource=request.subresource,
    )
    return _MESSAGES[request.method](target, request, caller)


def _list(target: pb.Target, request: ApiRequest, _caller: str) -> pb.ListRequest:
    return pb.ListRequest(
        target=target,
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        limit=request.limit,
        resource_version=request.resource_version,
        **{"continue": request.continue_},
    )


def _create_each(target: pb.Target, request: ApiRequest, caller: str) -> pb.CreateEachRequest:
    item = pb.CreateEachRequest.Item
    items = [
        item(namespace=one.namespace, name=one.name, json=one.body, cause=header(one.causes))
        for one in request.each
    ]
    return pb.CreateEachRequest(target=target, items=items, field_manager=field_manager(caller))


def _update_each(target: pb.Target, request: ApiRequest, caller: str) -> pb.UpdateEachRequest:
    item = pb.UpdateEachRequest.Item
    items = [
        item(namespace=one.namespace, name=one.name, json=one.body, cause=header(one.causes))
        for one in request.each
    ]
    return pb.UpdateEachRequest(target=target, items=items, field_manager=field_manager(caller))


def _patch_each(target: pb.Target, request: ApiRequest, caller: str) -> pb.PatchEachRequest:
    item = pb.PatchEachRequest.Item
    items = [
        item(namespace=one.namespace, name=one.name, patch=one.body, cause=header(one.causes))
        for one in request.each
    ]
    kind = _PATCHES[request.patch_type]
    return pb.PatchEachRequest(target=target, type=kind, items=items, field_manager=field_manager(caller))


def _watch(target: pb.Target, request: ApiRequest, _caller: str) -> pb.WatchRequest:
    return pb.WatchRequest(
        target=target,
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        resource_version=request.resource_version,
        allow_bookmarks=True,
        timeout_seconds=request.server_timeout_s,
    )


def _patch(target: pb.Target, request: ApiRequest, caller: str) -> pb.PatchRequest:
    kind = _PATCHES[request.patch_type]
    return pb.PatchRequest(target=target, type=kind, patch=request.body, field_manager=field_manager(caller))


def _create(target: pb.Target, request: ApiRequest, caller: str) -> pb.CreateRequest:
    return pb.CreateRequest(target=target, json=request.body, field_manager=field_manager(caller))


def _update(target: pb.Target, request: ApiRequest, caller: str) -> pb.UpdateRequest:
    return pb.UpdateRequest(target=target, json=request.body, field_manager=field_manager(caller))


def _delete_collection(target: pb.Target, request: ApiRequest, _caller: str) -> pb.DeleteCollectionRequest:
    return pb.DeleteCollectionRequest(
        target=target,
        options=_options(request.delete_options),
        label_selector=request.label_selector,
        field_selector=request.field_selector,
    )


_MESSAGES: Final[dict[Method, Callable[[pb.Target, ApiRequest, str], Any]]] = {
    "Get": lambda target, request, _caller: pb.GetRequest(target=target, query=dict(request.query)),
    "List": _list,
    "Watch": _watch,
    "Create": _create,
    "CreateEach": _create_each,
    "Update": _update,
    "UpdateEach": _update_each,
    "Patch": _patch,
    "PatchEach": _patch_each,
    "Delete": lambda target, request, _caller: pb.DeleteRequest(
        target=target, options=_options(request.delete_options)
    ),
    "DeleteCollection": _delete_collection,
    "Discover": lambda target, _request, _caller: pb.DiscoverRequest(target=target),
}


def _options(options: DeleteOptions | None) -> pb.DeleteOptions | None:
    if options is None:
        return None
    return pb.DeleteOptions(
        grace_period_seconds=options.grace_period_s,
        propagation_policy=options.propagation_policy,
        uid=options.uid,
        resource_version=options.resource_version,
    )


def _event(event: pb.WatchEvent, type_: type[T]) -> WatchEvent[T]:
    if event.type == pb.WatchEvent.ERROR:
        raise_status(event.object.json)
    return read_event(_EVENTS[event.type], event.object.revision, event.object.json, type_)
