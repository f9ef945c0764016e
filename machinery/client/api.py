"""The component's view of the apiserver: one interface, whatever carries it.

Transports: `machinery.client.grpc_transport` (the default), `machinery.client.rest_transport` (any Kubernetes
apiserver), and in tests an apiserver's registry in the same process. One contract suite runs on all of them.

Every call has a deadline (`timeout_s`, wall seconds) and ends with an object or with one error of
`machinery.model.errors`. No call is retried here: only the caller knows whether a write may be repeated.
Typed objects lose the fields that their Struct does not have: never `update` an object that others write to,
`patch` it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from machinery.model.requests import EVERYTHING, DeleteOptions, Listing, PatchType, Selection, WatchEvent
from machinery.model.resources import KubeObject, Resource

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")

CALL_TIMEOUT_S = 10.0  # wall seconds; longer than a leader change of a three-member etcd


class Api(Protocol):
    """Requests to the apiserver, for one identity."""

    async def get(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Read one object, as of now."""
        ...

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
        """Read a collection, or a page of it. resource_version "0" allows the server's cache."""
        ...

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
        Ends normally when the server ends it (resume from the last revision). Raises Expired when the
        revision is compacted (list again), Unavailable when the connection breaks or the server stops
        answering keepalives. Close it with `aclose()`.
        """
        ...

    async def create(
        self,
        resource: Resource[T],
        obj: T,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Write a new object, into the namespace that its metadata names."""
        ...

    async def update(
        self,
        resource: Resource[T],
        obj: T,
        *,
        subresource: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> T:
        """Replace an object; with a resourceVersion in its metadata only that version."""
        ...

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
        """Change some fields. `patch` is anything that msgspec encodes: dicts, lists, Structs."""
        ...

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete, or ask to: graceful deletion and finalizers may keep the object for a while."""
        ...

    async def delete_collection(
        self,
        resource: Resource[T],
        selection: Selection,
        *,
        options: DeleteOptions | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete every object that is selected."""
        ...

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
        """Create a subresource: "binding" and "eviction" of a pod, "token" of a ServiceAccount."""
        ...

    async def aclose(self) -> None:
        """End every call and the connection. Idempotent."""
        ...
