"""What the doors call: one method a verb."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers
from apiserver.core.connect_options import Options
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.flow_control import FlowControl
from apiserver.opening import Opening
from apiserver.registry.admitting import Admitting
from apiserver.registry.deletion import Deletes
from apiserver.registry.modify import Modifier
from apiserver.registry.parts import Parts
from apiserver.registry.posted import Posted
from apiserver.registry.preparing import AdmittedConnection, Preparing
from apiserver.registry.reads import Reads
from apiserver.registry.subresources import Subresources
from apiserver.registry.tracking import Tracking
from apiserver.registry.writes import Writes
from apiserver.request import ListReply, ObjectReply, Part, Request, WatchReply
from machinery.model.errors import ApiError, Unavailable
from machinery.model.kinds import KindNames
from machinery.process.metrics import Metrics
from machinery.wire.cause_headers import acting_on

_R = TypeVar("_R")
Handler: TypeAlias = Callable[[Request, Posted], Awaitable[ObjectReply]]
Handlers: TypeAlias = Mapping[tuple[str, str, str, str], Handler]
"""Who serves what is not stored, by (group, resource, subresource, verb): reviews are ("authorization.k8s.io",
"subjectaccessreviews", "", "create"), tokens ("", "serviceaccounts", "token", "create"). Each asks for the admission of what
was posted itself, when it has read it."""
Lister: TypeAlias = Callable[[Request], Awaitable[ListReply]]
Listers: TypeAlias = Mapping[tuple[str, str], Lister]
"""Who lists what is not stored, by group and resource."""


class Registry:
    """Every read and every write of both doors. The caller has been authorized.

    Raises:
        ApiError: from every method that serves a request: it is refused, or etcd does not answer.
    """

    def __init__(
        self,
        parts: Parts,
        reads: Reads,
        opening: Opening,
        handlers: Handlers,
        metrics: Metrics,
        flow: FlowControl,
        listers: Listers = MappingProxyType({}),
    ) -> None:
        self._catalogue = parts.catalogue
        self._feed = parts.feed
        self._clock = parts.clock
        self._handlers = handlers
        self._listers = listers
        self._opening = opening
        self.flow = flow
        self._preparing = preparing = Preparing(parts, Admitting(parts))
        modifier = Modifier(parts)
        self._reads = reads
        tracking = Tracking(parts)
        self._writes = Writes(parts, preparing, modifier, tracking)
        self._deletes = Deletes(parts, preparing, modifier, reads)
        self._subresources = Subresources(parts, preparing, reads, self._writes, self._deletes, tracking)
        self._served = metrics.counter(
            "apiserver_requests_total", "Requests that reached the registry", ("verb", "resource", "code")
        )
        self._written_together = metrics.counter(
            "apiserver_written_together_total",
            "Objects that came several in one request",
            ("verb", "resource", "code"),
        )
        self._durations = metrics.histogram(
            "apiserver_registry_duration_seconds",
            "Wall time in the registry; watches until established",
            ("verb",),
        )

    def open(self) -> None:
        """Note that the cluster's own objects are there: those who `wait_open` go on."""
        self._opening.open()

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to wait for in `wait_open`."""
        return self._opening.is_open

    async def wait_open(self, within_s: float | None = 5.0) -> None:
        """Wait until the registry can authorize and serve; doors do, before anything else.

        Raises:
            Unavailable: it takes longer than `within_s` wall seconds.
        """
        await self._opening.wait(within_s)

    async def catch_up(self) -> None:
        """Learn what the store holds by now, as other apiservers' definitions of kinds.

        Raises:
            Unavailable: nobody can tell; the store does not answer, or its watch is behind.
        """
        if self._feed.problem:
            raise Unavailable(self._feed.problem, retry_after_s=1)
        await self._feed.fresh()

    async def try_to_catch_up(self) -> None:
        """Do as `catch_up` does, as far as the store answers."""
        with suppress(ApiError):
            await self.catch_up()

    async def get(self, request: Request) -> ObjectReply:
        """Read one object, or a subresource of it."""
        return await self._one(request, self._reads.get)

    async def list(self, request: Request) -> ListReply:
        """Read a collection."""
        lister = self._listers.get((request.group, request.resource))
        serve = partial(lister, request) if lister else partial(self._in_kind, request, self._reads.list)
        return await self._measured(request, serve)

    async def watch(self, request: Request) -> WatchReply:
        """Follow a collection; returns when the watch is established."""
        return await self._measured(request, partial(self._in_kind, request, self._reads.watch))

    async def create(self, request: Request) -> ObjectReply:
        """Store a new object, or create a subresource."""
        return await self._one(request, self._writes.create)

    async def write_each(self, parts: Sequence[Part]) -> Sequence[ObjectReply | Exception]:
        """Create, update or patch several objects of one kind for one caller, at one seat; each is answered for itself, in order.

        All are of one verb, and one request where requests are counted. What an answer is that is no `ApiError` is a bug.
        """
        return await self._measured(parts[0].request, partial(self._each, parts))

    async def _each(self, parts: Sequence[Part]) -> Sequence[ObjectReply | Exception]:
        """Serve the parts beside each other, so that the store has all their writes at once."""
        served: list[ObjectReply | Exception] = []
        asked = parts[0].request
        for reply in await asyncio.gather(*map(self._part, parts), return_exceptions=True):
            if isinstance(reply, BaseException) and not isinstance(reply, Exception):
                raise reply
            served.append(reply)
            self._written_together.add(1, asked.verb, asked.resource, _code(reply))
        return served

    async def _part(self, part: Part) -> ObjectReply:
        acting_on.set(part.causes)  # in the task of this part alone
        request, writes = part.request, self._writes
        serve = {"create": writes.create, "update": writes.update, "patch": writes.patch}[request.verb]
        return await self._service(request, serve)()

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
        return await self._measured(request, partial(self._in_kind, request, self._deletes.delete_collection))

    async def change(self, request: Request, posted: Json) -> ObjectReply:
        """Change an object by one of another kind that was admitted, as a subresource would; the request names both."""
        return await self._subresources.change(self._kind(request).stored, request, posted)

    async def connect(self, request: Request, options: Options) -> AdmittedConnection:
        """Ask admission about a connection that goes around the store; returns the options with which it is made, and warnings.

        The verb of the request is "connect".
        """
        return await self._preparing.admit_connection(self._kind_of(request), request, options)

    async def _one(
        self, request: Request, serve: Callable[[Kind, Request], Awaitable[ObjectReply]]
    ) -> ObjectReply:
        return await self._measured(request, self._service(request, serve))

    def _service(
        self, request: Request, serve: Callable[[Kind, Request], Awaitable[ObjectReply]]
    ) -> Callable[[], Awaitable[ObjectReply]]:
        """Return what serves a request: a handler, what subresources have, or `serve` for an object that is stored."""
        place = (request.group, request.resource, request.subresource, request.verb)
        if handler := self._handlers.get(place):
            return partial(handler, request, self._preparing.posted(self._kind_of(request), request))
        if request.subresource:
            serve = self._subresources.serve
        return partial(self._in_version, request, serve)

    async def _in_version(
        self, request: Request, serve: Callable[[Kind, Request], Awaitable[ObjectReply]]
    ) -> ObjectReply:
        """Serve a request in the version that is stored, and answer in the version of the request."""
        kind = self._kind(request)
        reply = await serve(kind.stored, request)
        return reply if kind.stored is kind else await aside(len(reply.json), _shown, kind, reply)

    async def _in_kind(self, request: Request, serve: Callable[[Kind, Request], Awaitable[_R]]) -> _R:
        return await serve(self._kind(request), request)

    def _kind_of(self, request: Request) -> KindNames:
        """Return what a request is about that is answered by others."""
        kind = self._catalogue.names(request.group, request.version, request.resource)
        if kind is None:
            raise self._unknown(request)
        return kind

    def _kind(self, request: Request) -> Kind:
        kind = self._catalogue.kind(request.group, request.version, request.resource)
        if kind is None:
            raise self._unknown(request)
        if request.verb not in kind.verbs and not request.subresource:
            raise answers.not_allowed(request.group, request.resource)
        return kind

    def _unknown(self, request: Request) -> ApiError:
        """Return why a resource that is not stored does not answer."""
        if any(place[:2] == (request.group, request.resource) for place in self._handlers):
            return answers.not_allowed(request.group, request.resource)
        return answers.no_such_resource(request.group, request.resource)

    async def _measured(self, request: Request, serve: Callable[[], Awaitable[_R]]) -> _R:
        """Serve the request when it has a seat; count it, and measure it."""
        begun, code = self._clock.monotonic_wall(), "200"
        ticket = None
        try:
            ticket = self.flow.arrive(request)
            if ticket is not None and ticket.seated is not None:
                await self.flow.wait(ticket)
            return await serve()
        except ApiError as error:
            code = str(error.code)
            raise
        except BaseException:
            code = "500"
            raise
        finally:
            if ticket is not None:
                self.flow.leave(ticket)
            self._served.add(1, request.verb, request.resource, code)
            self._durations.observe(self._clock.monotonic_wall() - begun, request.verb)


def _code(reply: ObjectReply | Exception) -> str:
    if isinstance(reply, ObjectReply):
        return "200"
    return str(reply.code) if isinstance(reply, ApiError) else "500"


def _shown(kind: Kind, reply: ObjectReply) -> ObjectReply:
    obj = objects.decode(reply.json)
    if (obj.get("apiVersion"), obj.get("kind")) != (kind.stored.api_version, kind.kind):
        return reply  # a Status, a Scale
    return replace(reply, json=objects.to_json(objects.in_version(kind, obj)))
