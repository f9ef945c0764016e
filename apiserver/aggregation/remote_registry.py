"""What extension servers serve, for the gRPC door: the verbs of the registry, as requests over HTTP and JSON.

The REST door passes requests on as they are; the components' own door has other messages, so that they are written anew here.
Answers are bounded, and so is the time of all but watches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from apiserver.aggregation.backends import Asked, Backends
from apiserver.aggregation.services import ApiServices
from apiserver.core.aggregation.heads import Head
from apiserver.proxied_http import ProxiedAnswer
from apiserver.request import (
    ListOptions,
    ListReply,
    ObjectReply,
    Request,
    SharedBatch,
    SharedEvent,
    SharedItems,
    UserInfo,
)
from machinery.model.errors import BY_CODE, ApiError, InternalError, Unavailable, from_status
from machinery.model.requests import EventType

_WITHIN_S: Final = 60.0  # wall seconds
_LONGEST_LINE: Final = 8 * 1024 * 1024  # bytes of an event
_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""
    resourceVersion: str = ""


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()


class _ListMeta(msgspec.Struct, frozen=True):
    resourceVersion: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remainingItemCount: int | None = None


class _List(msgspec.Struct, frozen=True):
    kind: str = ""
    apiVersion: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Item(msgspec.Struct, frozen=True):
    json: bytes
    uid: str
    revision: int


class RemoteRegistry:
    """Serves requests whose callers have been authorized.

    Raises:
        ApiError: from every method: what the server refuses, or that it is not available.
    """

    def __init__(self, services: ApiServices, backends: Backends) -> None:
        self.remote = services.remote
        self._backends = backends

    async def discover(self, group: str, version: str, user: UserInfo) -> bytes:
        """Return the APIResourceList of a version."""
        head = self._head(group, version)
        return await self._answer(head, Asked("GET", head.path, user))

    async def get(self, request: Request) -> ObjectReply:
        """Read one object."""
        return _object(await self._one(request))

    async def list(self, request: Request) -> ListReply:
        """Read a collection."""
        return _page(await self._one(request))

    async def create(self, request: Request) -> ObjectReply:
        """Store a new object."""
        return _object(await self._one(request))

    async def update(self, request: Request) -> ObjectReply:
        """Replace an object."""
        return _object(await self._one(request))

    async def patch(self, request: Request) -> ObjectReply:
        """Change a part of an object."""
        return _object(await self._one(request))

    async def delete(self, request: Request) -> ObjectReply:
        """Delete an object."""
        return _object(await self._one(request))

    async def delete_collection(self, request: Request) -> ListReply:
        """Delete all selected objects; the answer is the list of them, where the server says it."""
        return _page(await self._one(request))

    async def watch(self, request: Request) -> RemoteWatch:
        """Follow a collection; returns when the watch is established."""
        head = self._head(request.group, request.version)
        async with AsyncExitStack() as stack:
            line = await stack.enter_async_context(self._backends.connected(head))
            answer = await self._backends.ask(line, head, _asked(request))
            if answer.status != 200:
                raise _error(answer.status, b"")
            return RemoteWatch(answer, stack.pop_all())

    async def _one(self, request: Request) -> bytes:
        return await self._answer(self._head(request.group, request.version), _asked(request))

    async def _answer(self, head: Head, asked: Asked) -> bytes:
        found = await self._backends.call(head, asked, _WITHIN_S)
        if found.status >= 300:
            raise _error(found.status, found.body)
        return found.body

    def _head(self, group: str, version: str) -> Head:
        head = self.remote.get((group, version))
        if head is None or not head.is_available:
            raise Unavailable("service unavailable")
        return head


class RemoteWatch:
    """A watch that is established: iterate over batches, then close it."""

    def __init__(self, answer: ProxiedAnswer, stack: AsyncExitStack) -> None:
        self._answer = answer
        self._stack = stack

    async def __aiter__(self) -> AsyncIterator[SharedBatch]:
        """Yield batches of events in order, an empty one first; ends when the server ends it.

        Raises:
            ApiError: the server says so, or the connection broke.
        """
        yield SharedBatch(())
        rest = b""
        try:
            async for data in self._answer.body():
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    raise Unavailable(f"an event of the watch is larger than {_LONGEST_LINE} bytes")
                if lines:
                    yield SharedBatch([_event(line) for line in lines if line.strip()])
        except ConnectionError as error:
            raise Unavailable(str(error)) from error

    async def aclose(self) -> None:
        """End the watch. Idempotent."""
        await self._stack.aclose()


def _asked(request: Request) -> Asked:
    """Return a request as the server is asked it."""
    namespace = ("namespaces", request.namespace) if request.namespace else ()
    root = ("apis", request.group) if request.group else ("api",)
    places = (*root, request.version, *namespace, request.resource, request.name, request.subresource)
    path = "".join(f"/{quote(part, safe='')}" for part in places if part)
    query = urlencode(_query(request))
    content_type = (
        request.patch_type.value if request.verb == "patch" and request.patch_type else "application/json"
    )
    body = _deletion(request) if request.verb in {"delete", "deletecollection"} else request.body
    return Asked(
        _METHODS[request.verb],
        f"{path}?{query}" if query else path,
        request.user,
        body=body,
        content_type=content_type,
    )


def _query(request: Request) -> dict[str, str]:
    selection: ListOptions = request.selection
    found = dict(request.query) | {
        "labelSelector": selection.label_selector,
        "fieldSelector": selection.field_selector,
        "limit": str(selection.limit or ""),
        "continue": selection.continue_,
        "resourceVersion": selection.resource_version or request.resource_version,
        "resourceVersionMatch": selection.resource_version_match,
        "timeoutSeconds": str(selection.timeout_s or ""),
        "fieldManager": request.writing.field_manager,
        "dryRun": "All" if request.writing.dry_run or request.deleting.dry_run else "",
        "force": "true" if request.writing.force else "",
    }
    if request.verb == "watch":
        found |= {"watch": "true", "allowWatchBookmarks": "true" if selection.allow_bookmarks else ""}
    return {key: text for key, text in found.items() if text}


def _deletion(request: Request) -> bytes:
    deleting = request.deleting
    preconditions = {"uid": deleting.uid, "resourceVersion": deleting.resource_version}
    found: dict[str, Any] = {
        "gracePeriodSeconds": deleting.grace_period_s,
        "propagationPolicy": deleting.propagation_policy,
        "preconditions": {key: text for key, text in preconditions.items() if text},
    }
    given = {key: value for key, value in found.items() if value not in (None, "", {})}
    return msgspec.json.encode({"kind": "DeleteOptions", "apiVersion": "v1", **given})


def _object(body: bytes) -> ObjectReply:
    meta = _read(body, _Object).metadata
    return ObjectReply(body, uid=meta.uid, revision=_number(meta.resourceVersion))


def _page(body: bytes) -> ListReply:
    found = _read(body, _List)
    meta = found.metadata
    return ListReply(
        found.apiVersion,
        found.kind.removesuffix("List"),
        SharedItems([_item(bytes(raw)) for raw in found.items or ()]),
        _number(meta.resourceVersion),
        meta.continue_,
        meta.remainingItemCount,
        is_cached=False,
    )


def _item(body: bytes) -> _Item:
    meta = _read(body, _Object).metadata
    return _Item(body, meta.uid, _number(meta.resourceVersion))


def _event(line: bytes) -> SharedEvent:
    event = _read(line, _Event)
    body = bytes(event.object)
    if event.type == "ERROR":
        raise from_status(_read(body, dict[str, Any]))
    item = _item(body)
    try:
        return SharedEvent(EventType(event.type), body, item.uid, item.revision)
    except ValueError as error:
        raise Unavailable(f"the server sends an event that is none: {event.type[:64]}") from error


def _error(status: int, body: bytes) -> ApiError:
    try:
        told = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
    except (msgspec.MsgspecError, RecursionError):
        told = {}
    if told.get("kind") == "Status":
        return from_status({"code": status, **told})
    return BY_CODE.get(status, InternalError)(f"the server has answered {status}")


def _read(body: bytes, type_: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Unavailable(f"the server's answer makes no sense: {error}") from error


def _number(text: str) -> int:
    """Return a resourceVersion as this door writes it: one that is no number it cannot."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
