"""create, update and patch."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers, writes
from apiserver.core.apply.update import with_managed
from apiserver.core.decode import NotJson, read_any, read_carefully, read_json, repeated_keys
from apiserver.core.kind import Kind
from apiserver.core.patch import apply_patch, refused
from apiserver.core.strictness import strict_errors
from apiserver.core.values import Json, metadata
from apiserver.core.writes import FieldValidation
from apiserver.registry.modify import Decide, Done, Modifier, Place, Put, Step
from apiserver.registry.parts import Parts
from apiserver.registry.preparing import Preparing, check_version, without_version, wrong_uid
from apiserver.registry.tracking import Tracking
from apiserver.request import ObjectReply, Request
from apiserver.storage.interface import Stored
from machinery.model.errors import BadRequest, Definite, UnsupportedMediaType
from machinery.model.go_json import mismatch
from machinery.model.requests import PatchType

GENERATED_NAMES: Final = 8  # names that are tried for a generateName


class Writes:
    """Writes objects."""

    def __init__(self, parts: Parts, preparing: Preparing, modifier: Modifier, tracking: Tracking) -> None:
        self._parts = parts
        self._tracking = tracking
        self._preparing = preparing
        self._modifier = modifier

    async def create(self, kind: Kind, request: Request) -> ObjectReply:
        """Store a new object.

        Raises:
            AlreadyExists: the name is taken.
        """
        read = await aside(len(request.body), self._read_new, kind, request)
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

        async def decide(old: Json | None, size_bytes: int) -> Step:
            if old is None:
                return await self._create_on_update(kind, request, read.obj)
            check_version(kind, read.obj, old)
            weight = len(request.body) + size_bytes
            new = await aside(weight, self._tracking.tracked, kind, request, read.obj, old)
            return await self._preparing.replacement(kind, request, new, old, weight)

        done = await self.modify(kind, request, decide)
        return warned(done.reply, (*read.warnings, *kind.rules.unenforced(read.obj)))

    async def patch(self, kind: Kind, request: Request) -> ObjectReply:
        """Change a part of an object; a configuration that is applied may create it.

        Raises:
            NotFound: there is no such object.
            Conflict: the patch is about another version of it, or others own what a configuration changes.
        """
        check_patch(kind, request.patch_type)
        patch = await aside(len(request.body), patch_of, request)
        warnings: tuple[str, ...] = ()

        async def decide(old: Json | None, size_bytes: int) -> Step:
            nonlocal warnings
            if old is None and request.patch_type is not PatchType.APPLY:
                raise answers.not_found(kind, request.name)
            weight = len(request.body) + size_bytes
            read = await aside(weight, self.patched, kind, request, patch, old)
            warnings = (*read.warnings, *kind.rules.unenforced(read.obj))
            if old is None:
                return await self._create_by_apply(kind, request, read.obj)
            check_version(kind, read.obj, old, patched=True)
            return await self._preparing.replacement(kind, request, read.obj, old, weight)

        done = await self.modify(kind, request, decide)
        return warned(done.reply, warnings)

    async def modify(self, kind: Kind, request: Request, decide: Decide) -> Done:
        """Store what is decided on the request's object."""
        place = Place(kind, request.namespace, request.name, request, request.writing.dry_run)
        return await self._modifier.modify(place, decide)

    def read_body(self, kind: Kind, request: Request, name: str = "") -> writes.Read:
        """Read the object of a request, in the version that is stored."""
        validation = writes.field_validation(request.writing.field_validation)
        is_careful = validation is not FieldValidation.IGNORE
        raw, repeats = read_json(request.body, kind.kind, find_repeated=is_careful)
        sent = self._version_of(request) or kind
        read = writes.read(
            self._parts.schemas,
            sent,
            raw,
            namespace=request.namespace,
            name=name,
            validation=validation,
            document=writes.Document(repeats=repeats, found=_said_twice(request) if is_careful else ()),
        )
        if sent is not kind and sent.rules.convert_all is not None and not name:
            writes.check_content(sent, read.obj)  # who converts is spared what is wrong anyway
        return _in_version(kind, read)

    def patched(self, kind: Kind, request: Request, patch: Patch, old: Json | None) -> writes.Read:
        """Change an object as a patch says, and return it in its stored form, with the owners of its fields.

        There is no object only where a configuration is applied.

        Raises:
            BadRequest: the patch is malformed.
            Invalid: it cannot be applied, or what comes of it does not fit the schema.
            Conflict: others own what a configuration changes.
        """
        if request.patch_type is PatchType.APPLY:
            return self._applied(kind, request, patch, old)
        assert request.patch_type  # noqa: S101 - `patch_of` has seen it
        assert old is not None  # noqa: S101 - nothing else creates
        sent = self._version_of(request) or kind
        shown = objects.in_version(sent, old)
        changed = apply_patch(self._parts.schemas, sent.definition, request.patch_type, shown, patch.value)
        validation = writes.field_validation(request.writing.field_validation)
        try:
            read = self._read_changed(kind, request, shown, changed, validation, patch.document)
        except writes.DoesNotFit as error:
            problem, wrong = error.problem, error.__cause__
            raise refused(request.patch_type, patch.value, changed, problem, wrong) from error
        return writes.Read(self._tracking.tracked(kind, request, read.obj, old), read.warnings)

    def _applied(self, kind: Kind, request: Request, patch: Patch, old: Json | None) -> writes.Read:
        """Apply a configuration; what it says in vain was found when it was read, or does not fit the schema."""
        applied = self._tracking.applied(kind, request, patch.value, old)
        if patch.document.found and request.writing.field_validation == FieldValidation.STRICT.value:
            raise BadRequest(f"error strict decoding YAML: {', '.join(patch.document.found)}")
        if old is not None and not applied.changed:
            return writes.Read(with_managed(old, applied.managed_fields), patch.document.found)
        sent = self._version_of(request) or kind
        shown = objects.in_version(sent, old or {"apiVersion": sent.api_version})
        read = self._read_changed(kind, request, shown, applied.obj, FieldValidation.IGNORE, writes.OBJECT)
        return writes.Read(with_managed(read.obj, applied.managed_fields), patch.document.found)

    def _read_changed(
        self,
        kind: Kind,
        request: Request,
        shown: Json,
        changed: Any,
        validation: FieldValidation,
        document: writes.Document,
    ) -> writes.Read:
        """Read what has become of an object as a client's, in the version that is stored."""
        sent = self._version_of(request) or kind
        untouched = _untouched(shown, changed) if request.subresource == "status" else {}
        if untouched:
            changed = {name: part for name, part in changed.items() if name not in untouched}
        read = writes.read(
            self._parts.schemas,
            sent,
            _without_same_owners(shown, changed),
            namespace=request.namespace,
            name=request.name,
            validation=validation,
            document=document,
            is_patched=True,
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
        if not kind.rules.create_on_update:
            raise answers.not_found(kind, request.name)
        if uid := metadata(obj).get("uid"):
            raise answers.conflict(kind, request.name, wrong_uid(uid, ""))
        await self._parts.guard.admit(replace(request, verb="create"))
        new = await aside(len(request.body), self._tracking.tracked, kind, request, obj, None)
        return await self._preparing.new_object(kind, request, without_version(new))

    async def _create_by_apply(self, kind: Kind, request: Request, obj: Json) -> Step:
        if uid := metadata(obj).get("uid"):
            text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise answers.conflict(kind, request.name, text)
        await self._parts.guard.admit(replace(request, verb="create"))
        return await self._preparing.new_object(kind, request, without_version(obj))

    def _read_new(self, kind: Kind, request: Request) -> writes.Read:
        read = self.read_body(kind, request)
        return writes.Read(self._tracking.tracked(kind, request, read.obj, None), read.warnings)


_PATCH_PREFIXES: Final = {
    PatchType.JSON: "error decoding patch: ",
    PatchType.MERGE: "error decoding patch: ",
    PatchType.APPLY: "error decoding YAML: ",
}
_CONVERTING: Final = "error converting YAML to JSON: "


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
    """
    if request.patch_type is None:
        raise BadRequest("a patch needs a type")
    validation = writes.field_validation(request.writing.field_validation)
    try:
        return _read_patch(request.patch_type, request, is_careful=validation is not FieldValidation.IGNORE)
    except NotJson as error:
        raise BadRequest(f"{_PATCH_PREFIXES.get(request.patch_type, '')}{error.problem}") from error


def _read_patch(patch_type: PatchType, request: Request, *, is_careful: bool) -> Patch:
    if not is_careful:
        return _patch(patch_type, read_any(request.body), writes.OBJECT)
    value, repeats = read_carefully(request.body)
    if patch_type is PatchType.MERGE:
        return _patch(patch_type, value, writes.Document(repeats, value))
    if patch_type is PatchType.APPLY:
        found = tuple(f"{_CONVERTING}{each}" for each in _said_twice(request, value if repeats else None))
        return _patch(patch_type, _plain(value, request, repeats=repeats), writes.Document(found=found))
    if not repeats:
        return _patch(patch_type, value, writes.OBJECT)
    prefix = "json patch " if patch_type is PatchType.JSON else ""
    found = tuple(f"{prefix}{each}" for each in strict_errors(value))
    return _patch(patch_type, _plain(value, request, repeats=True), writes.Document(repeats, found=found))


def _plain(value: Any, request: Request, *, repeats: bool) -> Any:
    """Return a patch as it is merged: what it says twice is told by then."""
    return read_any(request.body) if repeats else value


def _said_twice(request: Request, value: Any = None) -> tuple[str, ...]:
    """Return what YAML says twice, in the one sentence of Kubernetes' reader; `value` is JSON of one line, read as YAML."""
    lines = request.repeated or tuple(
        f"line 1: key {msgspec.json.encode(key).decode()} already set in map" for key in repeated_keys(value)
    )
    return ("yaml: unmarshal errors:" + "".join(f"\n  {line}" for line in lines),) if lines else ()


def _patch(patch_type: PatchType, value: Any, document: writes.Document) -> Patch:
    if patch_type is PatchType.APPLY and not isinstance(value, dict):
        raise BadRequest("error decoding YAML: the configuration has to be an object")
    wanted = (list, "[]interface {}") if patch_type is PatchType.JSON else (dict, "map[string]interface {}")
    if not isinstance(value, wanted[0]):
        raise BadRequest(f"{_PATCH_PREFIXES.get(patch_type, '')}{mismatch(value, wanted[1])}")
    return Patch(value, document)


def _without_same_owners(shown: Json, changed: Any) -> Any:
    """Return an object without managedFields that are those of another state of it: nothing of them is said, then."""
    if not isinstance(changed, dict) or not isinstance(meta := changed.get("metadata"), dict):
        return changed
    entries = meta.get("managedFields")
    if entries is None or entries is not metadata(shown).get("managedFields"):
        return changed
    return {**changed, "metadata": {name: item for name, item in meta.items() if name != "managedFields"}}


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
    return read if obj is read.obj else writes.Read(kind.rules.default(obj), read.warnings)


def warned(reply: ObjectReply, warnings: tuple[str, ...]) -> ObjectReply:
    """Return a reply with warnings before those that it has: what was read is told first."""
    if not warnings:
        return reply
    every = (*warnings, *reply.warnings)
    return ObjectReply(reply.json, reply.uid, reply.revision, reply.created, every)


def _is_marked(stored: Stored) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in objects.decode(stored.value)["metadata"]
