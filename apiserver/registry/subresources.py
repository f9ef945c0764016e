"""The subresources that are stored with their object: status, scale, binding, eviction, finalize."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers, scaling, writes
from apiserver.core.apply.update import with_managed
from apiserver.core.decode import read_json
from apiserver.core.deletion import Wanted, check_preconditions
from apiserver.core.disruption import not_now
from apiserver.core.kind import Kind, for_part
from apiserver.core.patch import apply_patch
from apiserver.core.values import Json, metadata
from apiserver.core.writes import FieldValidation
from apiserver.registry.deletion import Deletes
from apiserver.registry.disruption import DisruptionBudgets, Unbudgeted
from apiserver.registry.modify import Put, Same, Step
from apiserver.registry.parts import Parts
from apiserver.registry.preparing import Preparing, check_version, without_version
from apiserver.registry.reads import Reads
from apiserver.registry.tracking import AppliedScale, Tracking
from apiserver.registry.writes import Writes, check_patch, patch_of, warned
from apiserver.request import DeleteOptions, ObjectReply, Request
from machinery.model.errors import BadRequest, Conflict, NotImplementedHere
from machinery.model.requests import PatchType

_EVICTION_ATTEMPTS: Final = 20
Serve = Callable[[Kind, Request], Awaitable[ObjectReply]]


class Subresources:
    """Serves (subresource, verb)."""

    def __init__(
        self,
        parts: Parts,
        preparing: Preparing,
        reads: Reads,
        writes_: Writes,
        deletes: Deletes,
        tracking: Tracking,
    ) -> None:
        self._parts = parts
        self._tracking = tracking
        self._preparing = preparing
        self._reads = reads
        self._writes = writes_
        self._deletes = deletes
        self._budgets = DisruptionBudgets(parts.catalogue, parts.storage, reads, parts.now)
        self._table: dict[tuple[str, str], Serve] = {
            ("status", "get"): reads.get,
            ("status", "update"): self._update_status,
            ("status", "patch"): self._patch_status,
            ("scale", "get"): self._get_scale,
            ("scale", "update"): self._update_scale,
            ("scale", "patch"): self._patch_scale,
            ("binding", "create"): self._post,
            ("eviction", "create"): self._evict,
            ("finalize", "update"): self._replace_part,
        }

    async def serve(self, kind: Kind, request: Request) -> ObjectReply:
        """Serve a request to a subresource.

        Raises:
            NotFound: the kind has no such subresource.
            MethodNotSupported: it has no such verb.
            NotImplementedHere: the registry does not serve it.
        """
        known = kind.subresources.get(request.subresource)
        if known is None:
            raise answers.no_such_resource(kind.group, kind.plural)
        if request.verb not in known.verbs:
            raise answers.not_allowed(kind.group, kind.plural)
        if request.subresource in kind.rules.parts:
            return await self._serve_part(kind, request)
        serve = self._table.get((request.subresource, request.verb))
        if serve is None:
            text = (
                f"{kind.group_resource}/{request.subresource} is not served by this door: use the REST door"
            )
            raise NotImplementedHere(text, kind=kind.plural, group=kind.group, name=request.name)
        return await serve(kind, request)

    async def _serve_part(self, kind: Kind, request: Request) -> ObjectReply:
        """Read the object, or change only the part of it that the subresource is about."""
        if request.verb == "get":
            return await self._reads.get(kind, request)
        write = self._writes.update if request.verb == "update" else self._writes.patch
        return await write(for_part(kind, request.subresource), request)

    async def _update_status(self, kind: Kind, request: Request) -> ObjectReply:
        read = await aside(len(request.body), self._writes.read_body, kind, request, request.name)

        async def decide(old: Json | None, size_bytes: int) -> Step:
            found = _found(kind, request, old)
            check_version(kind, read.obj, found)
            weight = len(request.body) + size_bytes
            new = await aside(weight, self._tracking.tracked, kind, request, read.obj, found)
            return await self._preparing.new_status(kind, request, new, found, weight)

        return warned((await self._writes.modify(kind, request, decide)).reply, read.warnings)

    async def _patch_status(self, kind: Kind, request: Request) -> ObjectReply:
        check_patch(kind, request.patch_type)
        patch = await aside(len(request.body), patch_of, request)
        warnings: tuple[str, ...] = ()

        async def decide(old: Json | None, size_bytes: int) -> Step:
            nonlocal warnings
            found = _found(kind, request, old)
            weight = len(request.body) + size_bytes
            read = await aside(weight, self._writes.patched, kind, request, patch, found)
            warnings = read.warnings
            check_version(kind, read.obj, found, patched=True)
            return await self._preparing.new_status(kind, request, read.obj, found, weight)

        return warned((await self._writes.modify(kind, request, decide)).reply, warnings)

    async def _get_scale(self, kind: Kind, request: Request) -> ObjectReply:
        reply = await self._reads.get(kind, request)
        return _scale_reply(kind, objects.decode(reply.json), reply.revision)

    async def _update_scale(self, kind: Kind, request: Request) -> ObjectReply:
        validation = writes.field_validation(request.writing.field_validation)
        find_repeated = validation is not FieldValidation.IGNORE
        read = partial(read_json, request.body, "Scale", find_repeated=find_repeated)
        raw, repeats = await aside(len(request.body), read)
        return await self._scale(kind, request, lambda _old: raw, writes.Document(repeats=repeats))

    async def _patch_scale(self, kind: Kind, request: Request) -> ObjectReply:
        check_patch(kind, request.patch_type)
        patch = await aside(len(request.body), patch_of, request)
        patch_type = request.patch_type
        assert kind.rules.scale  # noqa: S101 - its table of subresources says so
        assert patch_type  # noqa: S101 - patch_of has seen it
        mapping = kind.rules.scale

        def patched(old: Json) -> Any:
            if patch_type is PatchType.APPLY:
                return self._tracking.applied_scale(kind, request, patch.value, old)
            current = scaling.scale_of(mapping, old)
            return apply_patch(self._parts.schemas, scaling.DEFINITION, patch_type, current, patch.value)

        return await self._scale(kind, request, patched, patch.document)

    async def _scale(
        self, kind: Kind, request: Request, wanted: Callable[[Json], Any], document: writes.Document
    ) -> ObjectReply:
        warnings: tuple[str, ...] = ()

        async def decide(old: Json | None, size_bytes: int) -> Step:
            nonlocal warnings
            found = _found(kind, request, old)
            weight = len(request.body) + size_bytes
            new, warnings = await aside(weight, self._scaled, kind, request, wanted, document, found)
            return await self._preparing.replacement(kind, request, new, found, weight)

        reply = (await self._writes.modify(kind, request, decide)).reply
        return warned(_scale_reply(kind, objects.decode(reply.json), reply.revision), warnings)

    def _scaled(
        self,
        kind: Kind,
        request: Request,
        wanted: Callable[[Json], Any],
        document: writes.Document,
        old: Json,
    ) -> tuple[Json, tuple[str, ...]]:
        """Return the object with the number of the Scale that is wanted, and the warnings of that."""
        raw = wanted(old)
        validation = writes.field_validation(request.writing.field_validation)
        applied = raw if isinstance(raw, AppliedScale) else None
        given = applied.scale if applied else raw
        scale, warnings = scaling.read_scale(self._parts.schemas, given, request.name, validation, document)
        entries = applied.entries if applied else self._tracking.scaled(kind, request, scale, old)
        return with_managed(scaling.scaled(kind, old, scale), entries), warnings

    async def _post(self, kind: Kind, request: Request) -> ObjectReply:
        """Change the object by one of another kind that is posted to it."""
        posted, warnings = await aside(len(request.body), self._read_posted, kind, request)
        wanted, admission_warnings = await self._preparing.posted(kind, request).admit(posted)

        return warned(await self.change(kind, request, wanted), (*warnings, *admission_warnings))

    async def change(self, kind: Kind, request: Request, posted: Json) -> ObjectReply:
        """Change the object by one of another kind that was admitted.

        Raises:
            NotFound: there is no such object.
        """
        change = kind.rules.subresources[request.subresource]

        async def decide(old: Json | None, _size_bytes: int) -> Step:
            return Put(change(_found(kind, request, old), posted, self._parts.now()))

        await self._writes.modify(kind, request, decide)
        return _created()

    async def _evict(self, kind: Kind, request: Request) -> ObjectReply:
        """Mark the object and delete it, where no budget stands in the way.

        Admission is asked about the eviction, and not about the deletion that follows from it, as in Kubernetes.
        """
        eviction, warnings = await aside(len(request.body), self._read_posted, kind, request)
        eviction, admission_warnings = await self._preparing.posted(kind, request).admit(eviction)
        warnings = (*warnings, *admission_warnings)
        options = eviction.get("deleteOptions") or {}
        preconditions = options.get("preconditions") or {}
        deleting = DeleteOptions(
            grace_period_s=options.get("gracePeriodSeconds"),
            propagation_policy=options.get("propagationPolicy", ""),
            uid=preconditions.get("uid", ""),
            resource_version=preconditions.get("resourceVersion", ""),
            dry_run=request.writing.dry_run or bool(options.get("dryRun")),
        )
        await self._evict_as_seen(kind, request, eviction, deleting)
        return warned(_created(), warnings)

    async def _evict_as_seen(
        self, kind: Kind, request: Request, eviction: Json, deleting: DeleteOptions
    ) -> None:
        """Evict an object; where that needs no budget, only as long as nothing about it has changed.

        Raises:
            TooManyRequests: it was not ready, and has changed.
            Conflict: it does not run yet, and changes all the time; or a precondition does not hold.
        """
        for attempt in range(_EVICTION_ATTEMPTS):
            found, unbudgeted = await self._take_budget(kind, request, deleting)
            pin = "" if unbudgeted is None or deleting.resource_version else found
            pinned = replace(deleting, resource_version=pin) if pin else deleting
            try:
                await self._mark_and_delete(kind, request, eviction, pinned)
            except Conflict:
                if not pin or unbudgeted is None or attempt == _EVICTION_ATTEMPTS - 1:
                    raise
                if unbudgeted.budget:
                    raise not_now(unbudgeted.budget) from None
            else:
                return

    async def _mark_and_delete(
        self, kind: Kind, request: Request, eviction: Json, deleting: DeleteOptions
    ) -> None:
        if not deleting.dry_run:
            marked = await self._mark(kind, request, eviction, deleting)
            if deleting.resource_version:  # it was that one; the mark has made another of it
                deleting = replace(deleting, resource_version=str(marked.revision))
        delete = replace(request, verb="delete", subresource="", deleting=deleting)
        await self._deletes.delete(kind, delete, is_admitted=True)

    async def _take_budget(
        self, kind: Kind, request: Request, deleting: DeleteOptions
    ) -> tuple[str, Unbudgeted | None]:
        """Return the resourceVersion of the object, and why its eviction was charged to no budget."""
        reply = await self._reads.get(kind, replace(request, verb="get", subresource=""))
        found = objects.decode(reply.json)
        check_preconditions(kind, found, Wanted(uid=deleting.uid, resource_version=deleting.resource_version))
        unbudgeted = await self._budgets.take(request, found, dry_run=deleting.dry_run)
        return str(reply.revision), unbudgeted

    async def _mark(
        self, kind: Kind, request: Request, eviction: Json, deleting: DeleteOptions
    ) -> ObjectReply:
        wanted = Wanted(uid=deleting.uid, resource_version=deleting.resource_version)
        change = kind.rules.subresources[request.subresource]

        async def decide(old: Json | None, _size_bytes: int) -> Step:
            found = _found(kind, request, old)
            check_preconditions(kind, found, wanted)
            if metadata(found).get("deletionTimestamp"):
                return Same(found)
            return Put(without_version(change(found, eviction, self._parts.now())))

        return (await self._writes.modify(kind, request, decide)).reply

    async def _replace_part(self, kind: Kind, request: Request) -> ObjectReply:
        """Apply the part of the object that the subresource is about."""
        read = await aside(len(request.body), self._writes.read_body, kind, request, request.name)
        change = kind.rules.subresources[request.subresource]

        async def decide(old: Json | None, size_bytes: int) -> Step:
            found = _found(kind, request, old)
            check_version(kind, read.obj, found)
            changed = await aside(len(request.body), change, found, read.obj, self._parts.now())
            weight = len(request.body) + size_bytes
            tracked = await aside(weight, self._tracking.tracked, kind, request, changed, found)
            put = await self._preparing.admit_update(kind, request, without_version(tracked), found, weight)
            return self._preparing.settled(kind, put, found)

        return warned((await self._writes.modify(kind, request, decide)).reply, read.warnings)

    def _read_posted(self, kind: Kind, request: Request) -> tuple[Json, tuple[str, ...]]:
        """Read the body of a request that posts an object of a kind that is not stored; with its warnings."""
        posted = kind.subresources[request.subresource]
        validation = writes.field_validation(request.writing.field_validation)
        obj, warnings = writes.read_posted(self._parts.schemas, posted, request.body, validation)
        meta = metadata(obj)
        if meta.get("name", request.name) != request.name:
            raise BadRequest(f"name in URL does not match name in {posted.kind} object")
        if meta.get("namespace", request.namespace) != request.namespace:
            raise BadRequest(
                f"the namespace of the {posted.kind} does not match the namespace sent on the request"
            )
        placed = {**meta, "name": request.name, "namespace": request.namespace}
        return {**obj, "metadata": placed}, warnings


def _found(kind: Kind, request: Request, old: Json | None) -> Json:
    if old is None:
        raise answers.not_found(kind, request.name)
    return old


def _scale_reply(kind: Kind, obj: Json, revision: int) -> ObjectReply:
    assert kind.rules.scale  # noqa: S101 - its table of subresources says so
    scale = scaling.scale_of(kind.rules.scale, obj)
    return ObjectReply(objects.to_json(scale), obj["metadata"].get("uid", ""), revision)


def _created() -> ObjectReply:
    return ObjectReply(objects.to_json(answers.success(201)), created=True)
