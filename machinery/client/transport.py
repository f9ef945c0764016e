"""The one narrow way to a server: a transport carries an `ApiRequest` there and brings bytes back.

`machinery.client.api.Api` spells the methods that components call, once, and makes of each an `ApiRequest`. Transports
differ in how they write it: `machinery.client.grpc_transport` as messages, `machinery.client.rest_transport` as HTTP.
Whatever stands between (a list of servers, a test that spoils calls) implements the same interface and wraps another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from machinery.model.causes import CauseRef
from machinery.model.errors import ApiError, from_status
from machinery.model.requests import DeleteOptions, EventType, Fence, PatchType, WatchEvent
from machinery.model.resources import KubeObject, Resource
from machinery.wire import objects
from machinery.wire.conversation import Measured, Reading

T = TypeVar("T", bound=KubeObject)

Method: TypeAlias = Literal[  # as the gRPC door and fault plans name them
    "Get",
    "List",
    "Watch",
    "Create",
    "CreateEach",
    "Update",
    "UpdateEach",
    "Patch",
    "PatchEach",
    "Delete",
    "DeleteCollection",
    "Discover",
]


class One(NamedTuple):
    """One of several objects that are written by one request."""

    namespace: str
    body: bytes  # JSON
    causes: tuple[CauseRef, ...]
    name: str = ""  # of an object that is there, also where a subresource of it is created


class ApiRequest(NamedTuple):
    """One request to a server, before it is written for a wire. Fields that a method does not use are empty."""

    method: Method
    resource: Resource[Any]
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    server_timeout_s: int = 0  # wall seconds after which the server ends a watch; 0: as long as it likes
    body: bytes = b""  # JSON
    each: tuple[One, ...] = ()  # CreateEach, UpdateEach and PatchEach only: the objects, or the patches
    patch_type: PatchType = PatchType.MERGE
    delete_options: DeleteOptions | None = None
    query: tuple[
        tuple[str, str], ...
    ] = ()  # Get only: what else stands in the URL, for another server than the apiserver
    read: Callable[[bytes], Any] = (
        bytes  # List only: what is made of each item as it comes, so that no two lists are held
    )
    fence: Fence | None = None  # of a write: refused with Deposed once the lease says otherwise

    @property
    def about(self) -> str:
        """The key of the object, or of the collection, that the request is about."""
        return "/".join(filter(None, (str(self.resource), self.namespace, self.name)))


class Page(NamedTuple):
    """A page of a collection, its items as they came, or as the request had them read."""

    items: Sequence[Any]
    revision: int
    continue_: str  # "" on the last page
    size_bytes: int  # of the items, as they came


def _body(request: ApiRequest) -> bytes:
    return b"[%b]" % b",".join(one.body for one in request.each) if request.each else request.body


def _measured(answer: bytes | Page) -> Measured:
    if isinstance(answer, bytes):
        return Measured(size=len(answer))
    return Measured(answer.revision, answer.size_bytes)


READING: Final = Reading(lambda request: request.about, _body, _measured)
"""How requests and answers are read for a seam."""


class Transport(Protocol):
    """Carries requests of one identity. Retries nothing: only the caller knows whether a write may be repeated.

    Every method raises the errors of `machinery.model.errors`: what the server answered, `Unavailable` where it
    cannot be reached or the connection broke, `DeadlineExceeded` where the answer did not come in time.
    """

    @property
    def answered_by(self) -> str:
        """The name of the server that answered last; "" where none has, or it does not say."""
        ...

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON: of every method that is about one object.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        ...

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, what a DeleteCollection found, or what came of each object of a CreateEach and its kin.

        Of an object that was not written, the item is the Status that says why.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        ...

    def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch, an empty one first. Ending the iteration ends the watch.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        ...

    async def aclose(self) -> None:
        """End every call and the connection. Idempotent."""
        ...


_SUCCESS: Final = msgspec.Raw(b'"Success"')  # the answer to a binding


class _Kinded(msgspec.Struct):
    kind: str = ""
    status: msgspec.Raw = msgspec.Raw(b"")


def refusal_in(item: bytes) -> ApiError | None:
    """Return why one of several objects was not written: an item of the answer is the object, or the Status that refuses it."""
    kinded = objects.decode(item, _Kinded)
    if kinded.kind == "Status" and kinded.status != _SUCCESS:
        return from_status(msgspec.json.decode(item))
    return None


def read_event(type_: EventType, revision: int, body: bytes, object_type: type[T]) -> WatchEvent[T]:
    """Return an event of a watch, its object decoded."""
    if type_ is EventType.BOOKMARK:
        return WatchEvent(type_, revision, None)
    return WatchEvent(type_, revision, objects.decode(body, object_type))


def raise_status(body: bytes) -> None:
    """Raise the error that a Status in JSON is: what ends a watch.

    Raises:
        ApiError: always.
    """
    raise from_status(msgspec.json.decode(body))
