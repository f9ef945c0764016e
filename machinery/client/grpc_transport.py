"""The `Api` over the apiserver's gRPC door: the default transport of our components."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import grpc
import grpc.aio
import msgspec

from machinery.client.api import CALL_TIMEOUT_S, Api
from machinery.client.faults import through
from machinery.client.tls import ClientTls
from machinery.model.errors import Unavailable, from_status
from machinery.model.requests import (
    EVERYTHING,
    DeleteOptions,
    EventType,
    Listing,
    PatchType,
    Selection,
    WatchEvent,
)
from machinery.model.resources import KubeObject, Resource
from machinery.pb import resources_pb2 as pb
from machinery.wire import objects
from machinery.wire.cause_headers import request_metadata
from machinery.wire.faults import FaultGate
from machinery.wire.services import Stub, insecure_channel, secure_channel
from machinery.wire.status import from_rpc

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Batch: TypeAlias = list[WatchEvent[T]]

SERVICE: Final = pb.DESCRIPTOR.services_by_name["Resources"]
PATH: Final = "kubarium.api.v1.Resources"
CALLEE: Final = "apiserver"

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


def connect_grpc(server: str, tls: ClientTls | None, *, caller: str, faults: FaultGate | None = None) -> Api:
    """Open the door at host:port (or "unix:/path" without TLS). Connects, and reconnects, by itself."""
    channel = secure_channel(server, tls.grpc_credentials()) if tls else insecure_channel(server)
    return GrpcApi(channel, caller=caller, faults=faults)


class GrpcApi:
    """Requests over one channel, for one identity."""

    def __init__(self, channel: grpc.aio.Channel, *, caller: str, faults: FaultGate | None = None) -> None:
        self._channel = channel
        self._caller = caller
        self._stub = Stub(through(channel, faults, caller=caller, callee=CALLEE), SERVICE, PATH)

    async def get(
        self, resource: Resource[T], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Read one object, as of now."""
        request = pb.GetRequest(target=_target(resource, namespace, name))
        return objects.decode((await self._unary(self._stub.Get, request, timeout_s)).json, resource.type)

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
        request = pb.ListRequest(
            target=_target(resource, selection.namespace),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            limit=limit,
            resource_version=resource_version,
            **{"continue": continue_},
        )
        reply = await self._unary(self._stub.List, request, timeout_s)
        items = [objects.decode(item.json, resource.type) for item in reply.items]
        return Listing(items, reply.revision, getattr(reply, "continue"))

    async def watch(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_s: float = 0,
    ) -> AsyncIterator[Batch[T]]:
        """Yield batches of events after `resource_version`; the stream is cancelled when this is closed."""
        request = pb.WatchRequest(
            target=_target(resource, selection.namespace),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            resource_version=resource_version,
            allow_bookmarks=True,
            timeout_seconds=int(timeout_s),
        )
        with _errors():
            call = self._stub.Watch(request, metadata=request_metadata(self._caller))
        try:
            with _errors():
                async for batch in call:
                    yield [_event(event, resource) for event in batch.events]
        finally:
            call.cancel()

    async def create(self, resource: Resource[T], obj: T, *, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Write a new object, into the namespace that its metadata names."""
        target = _target(resource, obj.metadata.namespace)
        reply = await self._unary(
            self._stub.Create, pb.CreateRequest(target=target, json=objects.encode(obj)), timeout_s
        )
        return objects.decode(reply.json, resource.type)

    async def update(
        self, resource: Resource[T], obj: T, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Replace an object; with a resourceVersion in its metadata only that version."""
        target = _target(resource, obj.metadata.namespace, obj.metadata.name, subresource)
        reply = await self._unary(
            self._stub.Update, pb.UpdateRequest(target=target, json=objects.encode(obj)), timeout_s
        )
        return objects.decode(reply.json, resource.type)

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
        request = pb.PatchRequest(
            target=_target(resource, namespace, name, subresource),
            type=_PATCHES[kind],
            patch=objects.encode(patch),
            field_manager=self._caller,
        )
        return objects.decode((await self._unary(self._stub.Patch, request, timeout_s)).json, resource.type)

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
        target = _target(resource, namespace, name)
        await self._unary(
            self._stub.Delete, pb.DeleteRequest(target=target, options=_options(options)), timeout_s
        )

    async def delete_collection(
        self,
        resource: Resource[T],
        selection: Selection,
        *,
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete every object that is selected."""
        request = pb.DeleteCollectionRequest(
            target=_target(resource, selection.namespace),
            options=_options(options),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
        )
        await self._unary(self._stub.DeleteCollection, request, timeout_s)

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
        target = _target(resource, namespace, name, subresource)
        answer = await self._unary(
            self._stub.Create, pb.CreateRequest(target=target, json=objects.encode(body)), timeout_s
        )
        return objects.decode(answer.json, reply)

    async def aclose(self) -> None:
        """End every call and the connection."""
        await self._channel.close()

    async def _unary(self, method: Any, request: Any, timeout_s: float) -> Any:
        with _errors():
            return await method(request, timeout=timeout_s, metadata=request_metadata(self._caller))


@contextmanager
def _errors() -> Iterator[None]:
    """Raise what gRPC says as ApiErrors, the closing of the channel under a call included."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    except grpc.aio.UsageError as error:
        raise Unavailable(f"the connection to the apiserver is closed: {error}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("the connection to the apiserver was closed") from error  # it cancels its calls


def _target(resource: Resource[Any], namespace: str, name: str = "", subresource: str = "") -> pb.Target:
    return pb.Target(
        group=resource.group,
        version=resource.version,
        resource=resource.plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


def _options(options: DeleteOptions | None) -> pb.DeleteOptions | None:
    if options is None:
        return None
    return pb.DeleteOptions(
        grace_period_seconds=options.grace_period_s,
        propagation_policy=options.propagation_policy,
        uid=options.uid,
        resource_version=options.resource_version,
    )


def _event(event: pb.WatchEvent, resource: Resource[T]) -> WatchEvent[T]:
    if event.type == pb.WatchEvent.ERROR:
        raise from_status(msgspec.json.decode(event.object.json))
    type_ = _EVENTS[event.type]
    if type_ is EventType.BOOKMARK:
        return WatchEvent(type_, event.object.revision, None)
    return WatchEvent(type_, event.object.revision, objects.decode(event.object.json, resource.type))
