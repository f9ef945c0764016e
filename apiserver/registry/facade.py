"""What the doors call: one method a verb."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apiserver import objects
from apiserver.core import answers
from apiserver.core.kinds import KINDS, Kind
from apiserver.core.values import Json
from apiserver.registry.admitting import Admitting
from apiserver.registry.deletion import Deletes
from apiserver.registry.modify import Modifier
from apiserver.registry.parts import Guard, Parts
from apiserver.registry.preparing import Preparing
from apiserver.registry.reads import Reads
from apiserver.registry.subresources import Subresources
from apiserver.registry.writes import Writes
from apiserver.request import ListReply, ObjectReply, Request, WatchReply
from machinery.model.errors import ApiError, Unavailable
from machinery.process.metrics import Metrics

_R = TypeVar("_R")
Handler = Callable[[Request], Awaitable[ObjectReply]]


class Registry:
    """Every read and every write of both doors. The caller has been authorized."""

    def __init__(self, parts: Parts, metrics: Metrics | None = None, *, is_open: bool = True) -> None:
        self._parts = parts
        self._handlers: dict[tuple[str, str, str, str], Handler] = {}
        preparing, modifier = Preparing(parts, Admitting(parts)), Modifier(parts)
        self._reads = Reads(parts)
        self._writes = Writes(parts, preparing, modifier)
        self._deletes = Deletes(parts, preparing, modifier, self._reads)
        self._subresources = Subresources(parts, preparing, self._reads, self._writes, self._deletes)
        self._open = asyncio.Event()
        if is_open:
            self._open.set()
        metrics = metrics or Metrics()
        self._served = metrics.counter(
            "apiserver_requests_total", "Requests that reached the registry", ("verb", "resource", "code")
        )
        self._durations = metrics.histogram(
            "apiserver_request_duration_seconds",
            "Wall time in the registry; watches until established",
            ("verb",),
        )

    def extend(self, group: str, resource: str, subresource: str, verb: str, handler: Handler) -> None:
        """Serve what is not stored, or what another part of the apiserver owns.

        Reviews are ("authorization.k8s.io", "subjectaccessreviews", "", "create"), tokens
        ("", "serviceaccounts", "token", "create").
        """
        self._handlers[group, resource, subresource, verb] = handler

    def guard(self, guard: Guard) -> None:
        """Ask the gate, too, where only the registry knows what a write comes to."""
        self._parts.guard = guard

    def open(self) -> None:
        """Say that the cluster's own objects are there: those who `wait_open` go on."""
        self._open.set()

    async def wait_open(self, within_s: float | None = 5.0) -> None:
        """Wait until the registry can authorize and serve; doors do, before anything else.

        Raises:
            Unavailable: it takes longer than `within_s` wall seconds.
        """
        if self._open.is_set():
            return
        try:
            async with asyncio.timeout(within_s):
                await self._open.wait()
        except TimeoutError:
            raise self._not_ready() from None

    def _not_ready(self) -> Unavailable:
        problem = self._parts.feed.problem or "it is still reading its state"
        return Unavailable(f"the apiserver is not ready: {problem}", retry_after_s=1)

    async def get(self, request: Request) -> ObjectReply:
        """Read one object, or a subresource of it."""
        return await self._one(request, self._reads.get)

    async def list(self, request: Request) -> ListReply:
        """Read a collection."""
        return await self._measured(request, self._in_kind(request, self._reads.list))

    async def watch(self, request: Request) -> WatchReply:
        """Follow a collection; returns when the watch is established."""
        return await self._measured(request, self._in_kind(request, self._reads.watch))

    async def create(self, request: Request) -> ObjectReply:
        """Store a new object, or create a subresource."""
        return await self._one(request, self._writes.create)

    async def update(self, request: Request) -> ObjectReply:
        """Replace an object or a subresource."""
        return await self._one(request, self._writes.update)

    async def patch(self, request: Request) -> ObjectReply:
        """Change a part of an object or of a subresource."""
        return await self._one(request, self._writes.patch)

    async def delete(self, request: Request) -> ObjectReply:
        """Delete an object."""
        return await self._one(request, self._deletes.delete)

    async def delete_collection(self, request: Request) -> ListReply:
        """Delete all selected objects; answers with them as they were."""
        return await self._measured(request, self._in_kind(request, self._deletes.delete_collection))

    def snapshot(self, group: str, resource: str) -> Sequence[Json]:
        """Give all objects of a resource from the cache, decoded; no I/O, maybe a moment old (for authorizers).

        Raises:
            Unavailable: the cluster's own objects are not there yet, so nothing can be told from their absence.
        """
        if not self._open.is_set():
            raise self._not_ready()
        cache = self._parts.feed.cache(KINDS[group, resource])
        return [objects.decode(obj.json) for obj in cache.every()]

    def subscribe(self, group: str, resource: str, changed: Callable[[], None]) -> None:
        """Call back after every change of a resource's cache."""
        self._parts.feed.cache(KINDS[group, resource]).subscribe(changed)

    async def _one(
        self, request: Request, serve: Callable[[Kind, Request], Awaitable[ObjectReply]]
    ) -> ObjectReply:
        place = (request.group, request.resource, request.subresource, request.verb)
        if handler := self._handlers.get(place):
            return await self._measured(request, handler(request))
        if request.subresource:
            serve = self._subresources.serve
        return await self._measured(request, self._in_kind(request, serve))

    async def _in_kind(self, request: Request, serve: Callable[[Kind, Request], Awaitable[_R]]) -> _R:
        return await serve(self._kind(request), request)

    def _kind(self, request: Request) -> Kind:
        kind = KINDS.get((request.group, request.resource))
        if kind is None or kind.version != request.version:
            raise self._unknown(request)
        if request.verb not in kind.verbs and not request.subresource:
            raise answers.not_allowed(request.group, request.resource)
        return kind

    def _unknown(self, request: Request) -> ApiError:
        """Say why a resource that is not stored does not answer."""
        if any(place[:2] == (request.group, request.resource) for place in self._handlers):
            return answers.not_allowed(request.group, request.resource)
        return answers.no_such_resource(request.group, request.resource)

    async def _measured(self, request: Request, serving: Awaitable[_R]) -> _R:
        """Count the request and measure it."""
        loop = asyncio.get_running_loop()
        begun, code = loop.time(), "200"
        try:
            return await serving
        except ApiError as error:
            code = str(error.code)
            raise
        except BaseException:
            code = "500"
            raise
        finally:
            self._served.add(1, request.verb, request.resource, code)
            self._durations.observe(loop.time() - begun, request.verb)
