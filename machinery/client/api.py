"""The component's view of the apiserver: the methods, spelled once, over whatever transport carries them.

Transports: `machinery.client.grpc_transport` (the default), `machinery.client.rest_transport` (any Kubernetes
apiserver), and in tests an apiserver's registry in the same process. One contract suite runs on all of them.

Every call has a deadline (`timeout_s`, wall seconds) and ends with an object or with one error of
`machinery.model.errors`. No call is retried here: only the caller knows whether a write may be repeated.
Typed objects lose the fields that their Struct does not have: never `update` an object that others write to,
`patch` it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from machinery.client.transport import ApiRequest, One, Transport, refusal_in
from machinery.model.causes import CauseRef
from machinery.model.errors import ApiError
from machinery.model.kubelet_paths import NODE_PAGE
from machinery.model.requests import EVERYTHING, DeleteOptions, Listing, PatchType, Selection, WatchEvent
from machinery.model.resources import NODES, KubeObject, Resource
from machinery.wire import objects

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")

CALL_TIMEOUT_S: Final = 10.0  # wall seconds; longer than a leader change of a three-member etcd


class Discovered(msgspec.Struct, frozen=True, gc=False):
    """A resource, or a subresource ("pods/status"), of a version."""

    name: str
    kind: str = ""
    namespaced: bool = False
    verbs: list[str] = []


class _Discovery(msgspec.Struct, frozen=True):
    resources: list[Discovered]


class Api:
    """Requests to the apiserver, for one identity.

    Every method raises the `ApiError` that the server answered, `Unavailable` where it cannot be reached, and
    `DeadlineExceeded` where no answer came in time; a write of which the answer is missing may have been done
    (`OutcomeUnknown`).
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def answered_by(self) -> str:
        """The name of the apiserver that answered last ("apiserver-2"); "" where it does not say."""
        return self._transport.answered_by

    @property
    def transport(self) -> Transport:
        """The way that its requests take: for whoever makes one way for several of it."""
        return self._transport

    def over(self, wrap: Callable[[Transport], Transport]) -> Api:
        """Return the same methods over a transport that is wrapped around this one's; it is closed with this one."""
        return Api(wrap(self._transport))

    async def get(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Read one object, or a subresource of it ("scale"), as of now.

        Raises:
            NotFound: there is none of this name.
        """
        request = ApiRequest("Get", resource, namespace, name, subresource)
        body = await self._transport.call(request, timeout_s)
        return objects.decode(body, resource.type)

    async def read(
        self,
        resource: Resource[Any],
        name: str,
        subresource: str = "",
        *,
        namespace: str = "",
        query: tuple[tuple[str, str], ...] = (),
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> dict[str, Any]:
        """Read a subresource, or whatever stands at a path like one's, as JSON; `query` is for other servers than the apiserver.

        Raises:
            NotFound: there is none.
        """
        request = ApiRequest("Get", resource, namespace, name, subresource, query=query)
        found: dict[str, Any] = objects.decode(await self._transport.call(request, timeout_s), dict)
        return found

    async def list(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
        keep: Callable[[T], T] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Listing[T]:
        """Read a collection, or a page of it. resource_version "0" allows the server's cache.

        Each object is reduced by `keep` as it comes, so that what it leaves is never there for all of them at once.

        Raises:
            Expired: the revision, or that of the continue token, is compacted.
        """

        def read(item: bytes) -> T:
            return objects.decode(item, resource.type)

        request = ApiRequest(
            "List",
            resource,
            selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            limit=limit,
            continue_=continue_,
            resource_version=resource_version,
            read=read if keep is None else lambda item: keep(read(item)),
        )
        page = await self._transport.page(request, timeout_s)
        return Listing([*page.items], page.revision, page.continue_)

    async def discover(
        self, group: str, version: str, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Sequence[Discovered]:
        """Read what a version of a group serves, subresources included.

        Raises:
            NotFound: nobody serves it.
            Unavailable: another server would have to say it, which does not answer.
        """
        place: Resource[Any] = Resource(group, version, "", "", namespaced=False, type=_Discovery)
        body = await self._transport.call(ApiRequest("Discover", place), timeout_s)
        return objects.decode(body, _Discovery).resources

    def watch(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_s: float = 0,
    ) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield batches of events after `resource_version`, in order, bookmarks included.

        A batch may be empty: the first one always comes at once and says that the watch is established.
        Ends normally when the server ends it (resume from the last revision). Close it with `aclose()`.

        Raises:
            Expired: the revision is compacted (list again).
            Unavailable: the connection broke, or the server stopped answering keepalives.
        """
        request = ApiRequest(
            "Watch",
            resource,
            selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            resource_version=resource_version,
            server_timeout_s=int(timeout_s),
        )
        return self._transport.stream(request, resource.type)

    async def create(self, resource: Resource[T], obj: T, *, timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Write a new object, into the namespace that its metadata names.

        Raises:
            AlreadyExists: the name is taken.
        """
        request = ApiRequest("Create", resource, obj.metadata.namespace, body=objects.encode(obj))
        return objects.decode(await self._transport.call(request, timeout_s), resource.type)

    async def create_each(
        self,
        resource: Resource[T],
        objs: Sequence[tuple[T, tuple[CauseRef, ...]]],
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Sequence[T | ApiError]:
        """Write several new objects of one kind by one request, each because of causes of its own.

        What comes of one does not touch the others: for each, in order, the object that was stored is returned, or why
        it was not. At most `machinery.wire.resources.EACH_LIMIT` objects.

        Raises:
            ApiError: nobody knows of any of them, or the request as a whole was refused.
        """
        each = tuple(One(obj.metadata.namespace, objects.encode(obj), causes) for obj, causes in objs)
        page = await self._transport.page(ApiRequest("CreateEach", resource, each=each), timeout_s)
        return [_created(item, resource.type) for item in page.items]

    async def update(
        self, resource: Resource[T], obj: T, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Replace an object; with a resourceVersion in its metadata only that version.

        Raises:
            Conflict: it has another version by now.
        """
        meta, body = obj.metadata, objects.encode(obj)
        request = ApiRequest("Update", resource, meta.namespace, meta.name, subresource, body=body)
        return objects.decode(await self._transport.call(request, timeout_s), resource.type)

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
        """Change some fields. `patch` is anything that msgspec encodes: dicts, lists, Structs.

        Raises:
            Conflict: the patch names a resourceVersion that has passed, or another manager owns its fields.
        """
        body = objects.encode(patch)
        request = ApiRequest("Patch", resource, namespace, name, subresource, body=body, patch_type=kind)
        return objects.decode(await self._transport.call(request, timeout_s), resource.type)

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete, or ask to: graceful deletion and finalizers may keep the object for a while.

        Raises:
            NotFound: there is none of this name.
            Conflict: a precondition of the options does not hold.
        """
        request = ApiRequest("Delete", resource, namespace, name, delete_options=options)
        await self._transport.call(request, timeout_s)

    async def delete_collection(
        self,
        resource: Resource[T],
        selection: Selection,
        *,
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete every object that is selected.

        Raises:
            ApiError: it was refused, or it is not known which of them were deleted.
        """
        request = ApiRequest(
            "DeleteCollection",
            resource,
            selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            delete_options=options,
        )
        await self._transport.page(request, timeout_s)

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
        """Create a subresource: "binding" and "eviction" of a pod, "token" of a ServiceAccount.

        Raises:
            NotFound: there is no object of this name.
            Conflict: the state of the object does not allow it.
        """
        request = ApiRequest("Create", resource, namespace, name, subresource, body=objects.encode(body))
        return objects.decode(await self._transport.call(request, timeout_s), reply)

    async def ask_node(
        self,
        node: str,
        method: Literal["Get", "Create", "Delete"],
        path: str,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> bytes:
        """Return a page of a node's kubelet (`nodes/NODE/proxy/PATH`), or what it says to a request that has no body.

        Raises:
            NotFound: there is no such node, or its kubelet has no such page.
            Unavailable: the kubelet does not answer.
        """
        request = ApiRequest(method, NODES, "", node, f"{NODE_PAGE}{path}")
        return await self._transport.call(request, timeout_s)

    async def aclose(self) -> None:
        """End every call and the connection. Idempotent."""
        await self._transport.aclose()


def _created(item: bytes, type_: type[T]) -> T | ApiError:
    return refusal_in(item) or objects.decode(item, type_)
