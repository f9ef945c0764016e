"""From a client's object to the one that is stored: admit, prepare, claim, check, validate. Nothing is stored here."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from apiserver import audit_notes
from apiserver.allocation import Claims
from apiserver.aside import aside
from apiserver.core import answers, connect_options, deletion, field_errors, writes
from apiserver.core.admission import Attributes
from apiserver.core.kind import Kind
from apiserver.core.values import Json, metadata
from apiserver.registry.admitting import Admitted, Admitting
from apiserver.registry.held import NOTHING_HELD, AllHeld
from apiserver.registry.modify import Gone, Put, Same, Step
from apiserver.registry.parts import Parts
from apiserver.registry.posted import Posted
from apiserver.registry.tracking import after_admission, says_the_same
from apiserver.request import Request, options_of
from machinery.model.errors import ApiError, MethodNotSupported
from machinery.model.kinds import KindNames


class _Mutated(NamedTuple):
    """What mutating admission has made of an object, with owners of its fields that make sense."""

    obj: Json
    admitted: Admitted
    warnings: tuple[str, ...]


class _Draft(NamedTuple):
    """A write on its way: of what kind, asked by whom, and what admission has made of it."""

    kind: Kind
    request: Request
    attributes: Attributes
    admitted: _Mutated


class AdmittedConnection(NamedTuple):
    """A connection as admission wants it."""

    options: connect_options.Options
    warnings: tuple[str, ...] = ()


class Preparing:
    """Runs the rules of `apiserver.core.writes` with what they need from outside."""

    def __init__(self, parts: Parts, admitting: Admitting) -> None:
        self._parts = parts
        self._admitting = admitting

    def posted(self, kind: KindNames, request: Request) -> Posted:
        """Return the admission of what is posted, and not stored as it is."""
        attributes = self._attributes(kind, request, request.name)
        return Posted(self._admitting, attributes, len(request.body))

    async def admit_connection(
        self, kind: KindNames, request: Request, options: connect_options.Options
    ) -> AdmittedConnection:
        """Return the options with which a connection is made that admission was asked about, and warnings.

        Raises:
            ApiError: somebody does not want it.
        """
        if self._admitting.is_idle:
            return AdmittedConnection(options)
        attributes = self._attributes(kind, request, request.name)
        asked = options.to_object()
        answered, warnings = await self._admitting.admit_connection(attributes, asked)
        wanted = options if answered == asked else connect_options.admitted(options, answered)
        return AdmittedConnection(wanted, warnings)

    async def admit_update(self, kind: Kind, request: Request, new: Json, old: Json, weight: int) -> Put:
        """Return an object of which a part was changed that has rules of its own, as the cluster wants it.

        Raises:
            ApiError: the cluster does not want it.
        """
        attributes = self._attributes(kind, request, request.name)
        admitted = await self._admit(attributes, new, old, weight)
        valid = await self._admitting.validate(attributes, admitted.admitted, admitted.obj, old)
        return Put(admitted.obj, warnings=(*admitted.warnings, *valid.warnings))

    async def admit_delete(self, kind: Kind, request: Request, old: Json) -> tuple[str, ...]:
        """Check that an object may be deleted; returns what to warn the client of.

        Raises:
            Forbidden: it has to stay.
        """
        return await self._admitting.admit_delete(self._attributes(kind, request, request.name), old)

    async def new_object(self, kind: Kind, request: Request, obj: Json) -> Put:
        """Admit and prepare a new object, with what it needs to claim.

        Raises:
            MethodNotSupported: nobody creates objects of this kind at the moment.
        """
        if kind.rules.refuses_new:
            raise MethodNotSupported(kind.rules.refuses_new, kind=kind.plural, group=kind.group)
        name = metadata(obj).get("name", "")
        suffix = self._parts.suffix() if kind.rules.needs_suffix else ""
        attributes = self._attributes(kind, request, name, suffix)
        weight = len(request.body)
        admitted = await self._admit(attributes, obj, None, weight)
        context = self._parts.context(request.user, named=bool(name))
        stamped = await aside(weight, writes.prepare_create, kind, admitted.obj, context)
        claims = await self._claims(kind, stamped, None, dry_run=request.writing.dry_run)
        return await self._checked(_Draft(kind, request, attributes, admitted), claims, None, weight)

    async def replacement(self, kind: Kind, request: Request, new: Json, old: Json, weight: int) -> Step:
        """Admit and prepare what is to stand in an object's place; removes it where nothing keeps it any more.

        `weight` is how many bytes of JSON the change is about: the request's and the old object's.
        """
        attributes = self._attributes(kind, request, request.name)
        admitted = await self._admit(attributes, new, old, weight)
        context = self._parts.update_context()
        stamped = await aside(weight, writes.prepare_update, kind, admitted.obj, old, context)
        claims = await self._claims(kind, stamped, old, dry_run=request.writing.dry_run)
        draft = _Draft(kind, request, attributes, admitted)
        return self.settled(kind, await self._checked(draft, claims, old, weight), old)

    async def new_status(self, kind: Kind, request: Request, new: Json, old: Json, weight: int) -> Step:
        """The same for a write to the status subresource."""
        attributes = self._attributes(kind, request, request.name)
        admitted = await self._admit(attributes, new, old, weight)
        context, may_own = self._parts.update_context(), self._parts.catalogue.may_own
        weight += kind.rules.weight
        stamped = await aside(weight, writes.update_status, kind, admitted.obj, old, context, may_own)
        valid = await self._admitting.validate(attributes, admitted.admitted, stamped, old)
        held = NOTHING_HELD if valid.charge is None else valid.charge
        return self.settled(kind, Put(stamped, held, (*admitted.warnings, *valid.warnings)), old)

    async def _admit(self, attributes: Attributes, obj: Json, old: Json | None, weight: int) -> _Mutated:
        admitted = await self._admitting.admit(attributes, obj, old, weight)
        kept, warnings = after_admission(obj, admitted.obj)
        return _Mutated(kept, admitted, warnings)

    def settled(self, kind: Kind, put: Put, old: Json) -> Step:
        """Turn a write into no write, or into the object's end, where it is that."""
        if deletion.is_over(put.obj, old, is_held=kind.rules.is_held(put.obj)):
            return Gone(put.obj, self._parts.released(kind, old), put.warnings)
        return Same(old, put.warnings) if says_the_same(put.obj, old) else put

    def _attributes(self, kind: KindNames, request: Request, name: str, suffix: str = "") -> Attributes:
        """Describe a request to admission."""
        return Attributes(
            user=request.user,
            verb=request.verb,
            kind=kind,
            subresource=request.subresource,
            namespace=request.namespace if kind.namespaced else "",
            name=name,
            dry_run=request.writing.dry_run or request.deleting.dry_run,
            suffix=suffix,
            version=request.version,
            group=request.group,
            options=partial(options_of, request),
            notes=audit_notes.current(),
        )

    async def _checked(self, draft: _Draft, claims: Claims, old: Json | None, weight: int) -> Put:
        """Check what is to be stored; what was claimed for it is dropped where it is refused."""
        kind, may_own = draft.kind, self._parts.catalogue.may_own
        weight += kind.rules.weight
        noted: tuple[str, ...] = ()
        try:
            asked = draft.request
            sent = self._parts.catalogue.kind(asked.group, asked.version, asked.resource) or kind
            if sent is not sent.stored and sent.rules.read is not None:
                noted = await aside(weight, writes.check_in_sent, sent, claims.obj, old, may_own)
            elif old is None:
                await aside(weight, writes.check_create, kind, claims.obj, may_own)
            else:
                noted = await aside(weight, writes.check_update, kind, claims.obj, old, may_own)
            if sent is not sent.stored and sent.rules.read is None:
                await aside(weight, writes.check_sent, sent, claims.obj, old)
            obj = claims.obj
            if kind.rules.canonical is not None:
                obj = await aside(weight, writes.canonical, kind, obj)
            await self._parts.guard.admit_grant(draft.request.user, kind, obj, old)
            admitted = draft.admitted
            said = await aside(weight, kind.rules.warnings, obj, old) if kind.rules.warnings else ()
            valid = await self._admitting.validate(draft.attributes, admitted.admitted, obj, old)
        except ApiError:
            await claims.drop()
            raise
        held = claims if valid.charge is None else AllHeld((claims, valid.charge))
        return Put(obj, held, (*admitted.warnings, *noted, *said, *valid.warnings))

    async def _claims(self, kind: Kind, new: Json, old: Json | None, *, dry_run: bool) -> Claims:
        claimer = self._parts.claimers.get(kind.group_resource)
        return await claimer.claim(new, old, dry_run=dry_run) if claimer else Claims(new)


def check_version(kind: Kind, new: Json, old: Json, *, patched: bool = False) -> None:
    """Check that a write is about the version of the object that is there, and about that object.

    The uid of an object that is sent is a precondition; that of a `patched` one was changed, which validation refuses.

    Raises:
        Conflict: it is about another one.
        Invalid: it does not say which one, and this kind does not take that.
    """
    meta, before = metadata(new), metadata(old)
    name = before["name"]
    if not patched and meta.get("uid") and meta["uid"] != before.get("uid"):
        raise answers.conflict(kind, name, wrong_uid(meta["uid"], before.get("uid", "")))
    version = meta.get("resourceVersion", "")
    if version in {"", "0"}:
        if not kind.rules.unconditional_update:
            cause = field_errors.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise field_errors.invalid_object(kind.group_kind, name, [cause])
    elif version != before["resourceVersion"]:
        raise answers.conflict(kind, name)


def wrong_uid(wanted: str, found: str) -> str:
    """Return what a write is told that is about another object."""
    return f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"


def without_version(obj: Json) -> Json:
    """Return the object as it is stored."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}
