"""delete and deletecollection."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from msgspec.structs import replace

from apiserver import objects
from apiserver.core import answers, deletion
from apiserver.core.deletion import Mark, Pending, Remove, Wanted
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.registry.modify import Gone, Modifier, Place, Put, Same, Step
from apiserver.registry.parts import Parts
from apiserver.registry.preparing import Preparing
from apiserver.registry.reads import Reads
from apiserver.request import Item, ListReply, ObjectReply, Request
from machinery.model.errors import NotFound

AT_ONCE: Final = 16  # deletes of a deletecollection that are on their way


class Deletes:
    """Deletes objects, or marks them as being deleted."""

    def __init__(self, parts: Parts, preparing: Preparing, modifier: Modifier, reads: Reads) -> None:
        self._parts = parts
        self._preparing = preparing
        self._modifier = modifier
        self._reads = reads

    async def delete(self, kind: Kind, request: Request, *, is_admitted: bool = False) -> ObjectReply:
        """Delete one object, or ask to: finalizers and grace periods keep it for a while.

        `is_admitted`: admission was asked about what this follows from.

        Raises:
            NotFound: there is none.
            Conflict: it is not the one that the preconditions mean.
        """
        wanted = _wanted(request)
        deletion.check_options(wanted)
        place = Place(kind, request.namespace, request.name, request, request.deleting.dry_run)

        async def decide(old: Json | None, _size_bytes: int) -> Step:
            if old is None:
                raise answers.not_found(kind, request.name)
            return await self._step(kind, request, wanted, old, is_admitted=is_admitted)

        done = await self._modifier.modify(place, decide)
        if not isinstance(done.step, Gone) and request.deleting.tells_pending:
            return replace(done.reply, accepted=True)
        if not isinstance(done.step, Gone) or kind.rules.deletion_returns_object:
            return done.reply
        deleted = objects.to_json(answers.deleted(kind, request.name, done.reply.uid))
        return ObjectReply(deleted, warnings=done.reply.warnings)

    async def delete_collection(self, kind: Kind, request: Request) -> ListReply:
        """Delete every object that a list with the same options has; answers with them as they were.

        Raises:
            ApiError: one of them could not be deleted; others may be gone.
        """
        deletion.check_options(_wanted(request))
        found = await self._reads.list(kind, replace(request, verb="list"))
        gate = asyncio.Semaphore(AT_ONCE)

        async def delete(place: str) -> None:
            namespace, _, name = place.rpartition("/")
            async with gate:
                try:
                    await self.delete(kind.stored, replace(request, namespace=namespace, name=name))
                except NotFound:  # somebody else was faster
                    return

        results = await asyncio.gather(
            *(delete(_place(item)) for item in found.items), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return found

    async def _step(
        self, kind: Kind, request: Request, wanted: Wanted, old: Json, *, is_admitted: bool
    ) -> Step:
        deletion.check_preconditions(kind, old, wanted)
        warnings: tuple[str, ...] = ()
        if not is_admitted:
            warnings = await self._preparing.admit_delete(kind, request, old)
        clock = self._parts.clock
        match kind.rules.plan_deletion(old, wanted, clock.now(), clock.timescale):
            case Remove():
                return Gone(old, self._parts.released(kind, old), warnings)
            case Mark(obj):
                return Put(obj, warnings=warnings)
            case Pending():
                return Same(old, warnings)


class _Named(msgspec.Struct):
    name: str
    namespace: str = ""


class _Marked(msgspec.Struct):
    metadata: _Named  # all that is read of an object


def _place(item: Item) -> str:
    meta = msgspec.json.decode(item.json, type=_Marked).metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def _wanted(request: Request) -> Wanted:
    options = request.deleting
    return Wanted(options.grace_period_s, options.propagation_policy, options.uid, options.resource_version)
