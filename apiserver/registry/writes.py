"""create, update and patch."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from apiserver import objects
from apiserver.aside import aside, weigh
from apiserver.core import answers, writes
from apiserver.core.decode import read_any, read_carefully, read_json
from apiserver.core.kind import Kind
from apiserver.core.patch import apply_patch, check_built
from apiserver.core.strictness import strict_errors
from apiserver.core.values import Json, metadata
from apiserver.core.writes import FieldValidation
from apiserver.registry.modify import Decide, Done, Modifier, Place, Put, Step
from apiserver.registry.parts import Parts
from apiserver.registry.preparing import Preparing, check_version, without_version
from apiserver.request import ObjectReply, Request
from apiserver.storage.interface import Stored
from machinery.model.errors import BadRequest, Definite, UnsupportedMediaType
from machinery.model.requests import PatchType

GENERATED_NAMES: Final = 8  # names that are tried for a generateName


class Writes:
    """Writes objects."""

    def __init__(self, parts: Parts, preparing: Preparing, modifier: Modifier) -> None:
        self._parts = parts
        self._preparing = preparing
        self._modifier = modifier

    async def create(self, kind: Kind, request: Request) -> ObjectReply:
        """Store a new object.

        Raises:
            AlreadyExists: the name is taken.
        """
        read = await aside(len(request.body), self.read_body, kind, request)
        generated = not metadata(read.obj).get("name")
        for attempt in range(1, GENERATED_NAMES + 1 if generated else 2):
            put = await self._preparing.new_object(kind, request, read.obj)
            name = put.obj["metadata"]["name"]
            found = await self._store_new(kind, request, name, put)
            if isinstance(found, ObjectReply):
                return warned(found, (*read.warnings, *kind.rules.unenforced(read.obj)))
            if attempt == GENERATED_NAMES or not generated:
                being_deleted = found is not None and _is_marked(found)
                raise answers.already_exists(kind, name, being_deleted=being_deleted, generated=generated)
        raise AssertionError("unreachable")

    async def update(self, kind: Kind, request: Request) -> ObjectReply:
        """Replace an object; create it where the kind allows that.

        Raises:
            NotFound: there is no such object, and this does not create one.
            Conflict: the request is about another version of it.
        """
        read = await aside(len(request.body), self.read_body, kind, request, request.name)

        async def decide(old: Json | None) -> Step:
            if old is None:
                return await self._create_on_update(kind, request, read.obj)
            check_version(kind, read.obj, old)
            return await self._preparing.replacement(kind, request, read.obj, old)

        done = await self.modify(kind, request, decide)
        return warned(done.reply, (*read.warnings, *kind.rules.unenforced(read.obj)))

    async def patch(self, kind: Kind, request: Request) -> ObjectReply:
        """Change a part of an object.

        Raises:
            NotFound: there is no such object.
            Conflict: the patch is about another version of it.
        """
        check_patch(kind, request.patch_type)
        patch = await aside(len(request.body), patch_of, request)
        warnings: tuple[str, ...] = ()

        async def decide(old: Json | None) -> Step:
            nonlocal warnings
            if old is None:
                raise answers.not_found(kind, request.name)
            weight = len(request.body) + weigh(old)
            read = await aside(weight, self.patched, kind, request, patch, old)
            warnings = (*read.warnings, *kind.rules.unenforced(read.obj))
            check_version(kind, read.obj, old)
            return await self._preparing.replacement(kind, request, read.obj, old)

        done = await self.modify(kind, request, decide)
        return warned(done.reply, warnings)

    async def modify(self, kind: Kind, request: Request, decide: Decide) -> Done:
        """Store what is decided on the request's object."""
        place = Place(kind, request.namespace, request.name, request, request.writing.dry_run)
        return await self._modifier.modify(place, decide)

    def read_body(self, kind: Kind, request: Request, name: str = "") -> writes.Read:
        """Read the object of a request, in the version that is stored."""
        validation = writes.field_validation(request.writing.field_validation)
        raw, repeats = read_json(request.body, find_repeated=validation is not FieldValidation.IGNORE)
        sent = self._version_of(request) or kind
        read = writes.read(
            self._parts.schemas,
            sent,
            raw,
            namespace=request.namespace,
            name=name,
            validation=validation,
            document=writes.Document(repeats=repeats),
        )
        return _in_version(kind, read)

    def patched(self, kind: Kind, request: Request, patch: Patch, old: Json) -> writes.Read:
        """Apply the patch of a request and read the result as a client's object, in the version that is stored."""
        assert request.patch_type  # noqa: S101 - `patch_of` has seen it
        sent = self._version_of(request) or kind
        shown = objects.in_version(sent, old)
        changed = apply_patch(self._parts.schemas, sent.definition, request.patch_type, shown, patch.value)
        untouched = _untouched(shown, changed) if request.subresource == "status" else {}
        read = writes.read(
            self._parts.schemas,
            sent,
            {name: part for name, part in changed.items() if name not in untouched} if untouched else changed,
            namespace=request.namespace,
            name=request.name,
            validation=writes.field_validation(request.writing.field_validation),
            document=patch.document,
        )
        return _in_version(kind, writes.Read({**untouched, **read.obj, **untouched}, read.warnings))

    def _version_of(self, request: Request) -> Kind | None:
        return self._parts.catalogue.kind(request.group, request.version, request.resource)

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
        if not kind.rules.create_on_update or version not in {"", "0"}:
            raise answers.not_found(kind, request.name)
        await self._parts.guard.admit(replace(request, verb="create"))
        return await self._preparing.new_object(kind, request, without_version(obj))


class Patch(NamedTuple):
    """The patch of a request."""

    value: Any
    document: writes.Document


def check_patch(kind: Kind, patch_type: PatchType | None) -> None:
    """Check that objects of a kind can be patched in this way.

    Raises:
        UnsupportedMediaType: it takes the published schema of the kind, and there is none.
    """
    if patch_type is PatchType.STRATEGIC_MERGE and kind.rules.read is not None:
        accepted = ", ".join(each.value for each in PatchType if each is not PatchType.STRATEGIC_MERGE)
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )


def patch_of(request: Request) -> Patch:
    """Read the patch of a request. A merge patch looks like the object; of others only repeated keys are told.

    Raises:
        BadRequest: it is no JSON, or its type is missing; there is no such validation of fields.
        NotImplementedHere: it is of a type that is not built.
    """
    if request.patch_type is None:
        raise BadRequest("a patch needs a type")
    check_built(request.patch_type)
    validation = writes.field_validation(request.writing.field_validation)
    if validation is FieldValidation.IGNORE:
        return Patch(read_any(request.body), writes.OBJECT)
    value, repeats = read_carefully(request.body)
    if request.patch_type is PatchType.MERGE:
        return Patch(value, writes.Document(repeats, value))
    if not repeats:
        return Patch(value, writes.OBJECT)
    prefix = "json patch " if request.patch_type is PatchType.JSON else ""
    found = tuple(f"{prefix}{each}" for each in strict_errors(value))
    return Patch(
        read_any(request.body), writes.Document(repeats, found=found)
    )  # told: what is merged is plain


def _untouched(old: Json, changed: Any) -> Json:
    """Return the parts that a patch of the status left as they are stored: nothing of them is written, so nothing is read."""
    if not isinstance(changed, dict):
        return {}  # told by `writes.read`
    return {
        name: part
        for name, part in old.items()
        if isinstance(part, dict) and name not in {"metadata", "status"} and changed.get(name) is part
    }


def _in_version(kind: Kind, read: writes.Read) -> writes.Read:
    obj = objects.in_version(kind, read.obj)
    return read if obj is read.obj else writes.Read(obj, read.warnings)


def warned(reply: ObjectReply, warnings: tuple[str, ...]) -> ObjectReply:
    """Return a reply with warnings before those that it has: what was read is told first."""
    if not warnings:
        return reply
    every = (*warnings, *reply.warnings)
    return ObjectReply(reply.json, reply.uid, reply.revision, reply.created, every)


def _is_marked(stored: Stored) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in objects.decode(stored.value)["metadata"]
