"""create, update and patch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from apiserver import objects
from apiserver.allocation import Claims
from apiserver.core import answers, causes, deletion, writes
from apiserver.core.admission import Attributes
from apiserver.core.decode import read_any, read_json
from apiserver.core.kinds import Kind
from apiserver.core.patch import apply_patch
from apiserver.core.values import Json, metadata
from apiserver.core.writes import FieldValidation
from apiserver.registry.admitting import Admitting
from apiserver.registry.modify import Decide, Done, Gone, Modifier, Place, Put, Same, Step
from apiserver.registry.parts import Parts
from apiserver.request import ObjectReply, Request
from apiserver.storage.interface import Stored
from machinery.model.errors import ApiError, BadRequest, Definite

GENERATED_NAMES: Final = 8  # names that are tried for a generateName


class Writes:
    """Writes objects."""

    def __init__(self, parts: Parts, admitting: Admitting, modifier: Modifier) -> None:
        self._parts = parts
        self._admitting = admitting
        self._modifier = modifier

    async def create(self, kind: Kind, request: Request) -> ObjectReply:
        """Store a new object.

        Raises:
            AlreadyExists: the name is taken.
        """
        read = self.read_body(kind, request)
        generated = not metadata(read.obj).get("name")
        for attempt in range(1, GENERATED_NAMES + 1 if generated else 2):
            put = await self.new_object(kind, request, read.obj)
            name = put.obj["metadata"]["name"]
            found = await self._store_new(kind, request, name, put)
            if isinstance(found, ObjectReply):
                return _warned(found, read.warnings)
            if attempt == GENERATED_NAMES or not generated:
                being_deleted = found is not None and is_marked(found)
                raise answers.already_exists(kind, name, being_deleted=being_deleted, generated=generated)
        raise AssertionError("unreachable")

    async def update(self, kind: Kind, request: Request) -> ObjectReply:
        """Replace an object; create it where the kind allows that."""
        read = self.read_body(kind, request, name=request.name)
        place = Place(kind, request.namespace, request.name, request, request.writing.dry_run)

        async def decide(old: Json | None) -> Step:
            if old is None:
                return await self._create_on_update(kind, request, read.obj)
            check_version(kind, read.obj, old)
            return await self.replacement(kind, request, read.obj, old)

        done = await self._modifier.modify(place, decide)
        return _warned(done.reply, read.warnings)

    async def patch(self, kind: Kind, request: Request) -> ObjectReply:
        """Change a part of an object."""
        patch = patch_of(request)
        warnings: tuple[str, ...] = ()

        async def decide(old: Json | None) -> Step:
            nonlocal warnings
            if old is None:
                raise answers.not_found(kind, request.name)
            read = self.patched(kind, request, patch, old)
            warnings = read.warnings
            check_version(kind, read.obj, old)
            return await self.replacement(kind, request, read.obj, old)

        done = await self.modify(kind, request, decide)
        return _warned(done.reply, warnings)

    async def modify(self, kind: Kind, request: Request, decide: Decide) -> Done:
        """Store what is decided on the request's object."""
        place = Place(kind, request.namespace, request.name, request, request.writing.dry_run)
        return await self._modifier.modify(place, decide)

    def read_body(self, kind: Kind, request: Request, *, name: str = "") -> writes.Read:
        """Read the object of a request."""
        validation = writes.field_validation(request.writing.field_validation)
        raw, duplicates = read_json(request.body, find_duplicates=validation is not FieldValidation.IGNORE)
        return writes.read(
            self._parts.schemas,
            kind,
            raw,
            namespace=request.namespace,
            name=name,
            validation=validation,
            duplicates=duplicates,
        )

    def patched(self, kind: Kind, request: Request, patch: Any, old: Json) -> writes.Read:
        """Apply the patch of a request and read the result as a client's object."""
        assert request.patch_type  # noqa: S101 - `patch_of` has seen it
        changed = apply_patch(self._parts.schemas, kind.definition, request.patch_type, old, patch)
        return writes.read(
            self._parts.schemas,
            kind,
            changed,
            namespace=request.namespace,
            name=request.name,
            validation=writes.field_validation(request.writing.field_validation),
        )

    async def new_object(self, kind: Kind, request: Request, obj: Json) -> Put:
        """Admit and prepare a new object, with what it needs to claim."""
        attributes = self.attributes(kind, request, metadata(obj).get("name", ""))
        admitted = await self._admitting.admit(attributes, obj, None)
        stamped = writes.prepare_create(kind, admitted, self._parts.context())
        claims = await self._claims(kind, stamped, None, dry_run=request.writing.dry_run)
        return await self._checked(kind, request, claims, None)

    async def replacement(self, kind: Kind, request: Request, new: Json, old: Json) -> Step:
        """Admit and prepare what is to stand in an object's place; removes it where nothing keeps it any more."""
        admitted = await self._admitting.admit(self.attributes(kind, request, request.name), new, old)
        stamped = writes.prepare_update(kind, admitted, old, self._parts.update_context())
        claims = await self._claims(kind, stamped, old, dry_run=request.writing.dry_run)
        return self.settled(kind, await self._checked(kind, request, claims, old), old)

    async def new_status(self, kind: Kind, request: Request, new: Json, old: Json) -> Step:
        """The same for a write to the status subresource."""
        admitted = await self._admitting.admit(self.attributes(kind, request, request.name), new, old)
        stamped = writes.update_status(kind, admitted, old, self._parts.update_context())
        return self.settled(kind, Put(stamped), old)

    def settled(self, kind: Kind, put: Put, old: Json) -> Step:
        """Turn a write into no write, or into the object's end, where it is that."""
        if deletion.is_over(kind, put.obj, old):
            claims = self._parts.allocator.released(old) if kind.group_resource == "services" else put.claims
            return Gone(put.obj, claims)
        return Same(old) if put.obj == without_version(old) else put

    def attributes(self, kind: Kind, request: Request, name: str) -> Attributes:
        """Describe a request to admission."""
        return Attributes(
            user=request.user,
            verb=request.verb,
            kind=kind,
            subresource=request.subresource,
            namespace=request.namespace if kind.namespaced else "",
            name=name,
            dry_run=request.writing.dry_run or request.deleting.dry_run,
            suffix=self._parts.suffix() if kind.group_resource == "pods" else "",
        )

    async def _store_new(
        self, kind: Kind, request: Request, name: str, put: Put
    ) -> ObjectReply | Stored | None:
        namespace = put.obj["metadata"].get("namespace", "")
        place = Place(kind, namespace, name, request, request.writing.dry_run)
        try:
            found = await self._modifier.create(place, put)
        except Definite:
            await put.claims.drop()
            raise
        if not isinstance(found, ObjectReply):
            await put.claims.drop()
        return found

    async def _create_on_update(self, kind: Kind, request: Request, obj: Json) -> Step:
        version = metadata(obj).get("resourceVersion", "")
        if not kind.create_on_update or version not in {"", "0"}:
            raise answers.not_found(kind, request.name)
        await self._parts.guard.admit(replace(request, verb="create"))
        return await self.new_object(kind, request, without_version(obj))

    async def _checked(self, kind: Kind, request: Request, claims: Claims, old: Json | None) -> Put:
        """Check what is to be stored; what was claimed for it is dropped where it is refused."""
        try:
            if old is None:
                writes.check_create(kind, claims.obj)
            else:
                writes.check_update(kind, claims.obj, old)
            await self._parts.guard.admit_grant(request.user, kind, claims.obj, old)
        except ApiError:
            await claims.drop()
            raise
        return Put(claims.obj, claims)

    async def _claims(self, kind: Kind, new: Json, old: Json | None, *, dry_run: bool) -> Claims:
        if kind.group_resource != "services":
            return Claims(new)
        return await self._parts.allocator.claim(new, old, dry_run=dry_run)


def check_version(kind: Kind, new: Json, old: Json) -> None:
    """Check that a write is about the version of the object that is there.

    Raises:
        Conflict: it is about another one.
        Invalid: it does not say which one, and this kind does not take that.
    """
    meta, before = metadata(new), metadata(old)
    name = before["name"]
    if meta.get("uid") and meta["uid"] != before.get("uid"):
        text = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {before.get('uid', '')}"
        raise answers.conflict(kind, name, text)
    version = meta.get("resourceVersion", "")
    if version in {"", "0"}:
        if not kind.unconditional_update:
            cause = causes.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise causes.invalid_object(kind.group_kind, name, [cause])
    elif version != before["resourceVersion"]:
        raise answers.conflict(kind, name)


def patch_of(request: Request) -> Any:
    """Read the patch of a request.

    Raises:
        BadRequest: it is no JSON, or its type is missing.
    """
    if request.patch_type is None:
        raise BadRequest("a patch needs a type")
    return read_any(request.body)


def _warned(reply: ObjectReply, warnings: tuple[str, ...]) -> ObjectReply:
    if not warnings:
        return reply
    return ObjectReply(reply.json, reply.uid, reply.revision, reply.created, warnings)


def is_marked(stored: Stored) -> bool:
    """Tell whether an object is being deleted."""
    return "deletionTimestamp" in objects.decode(stored.value)["metadata"]


def without_version(obj: Json) -> Json:
    """Give the object as it is stored."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}
