"""The rules of the write path, in their order, for every kind: what the registry calls.

    read            JSON of a client → normalized, defaulted object (400, 501)
    create          → the object to store at first (422)          = prepare_create, check_create, canonical
    update          → the object to store instead of the old one  = prepare_update, check_update, canonical
    update_status   → the same for the status subresource

Admission (`apiserver.core.admission`) stands between `read` and the others. Nobody here knows revisions: the
registry compares `metadata.resourceVersion` before it calls, and stores what it gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from apiserver.core import field_errors, metadata
from apiserver.core.decode import read_json
from apiserver.core.kind import Kind
from apiserver.core.metadata import MayOwn, everything_owns
from apiserver.core.normalize import WrongValue, normalize
from apiserver.core.rules import Reader, WriteContext
from apiserver.core.schema import Schemas
from apiserver.core.strictness import MOST, strict_errors
from apiserver.core.values import Json, kept
from machinery.model.errors import BadRequest, Cause, NotImplementedHere
from machinery.model.kinds import KindNames, Subresource

_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REPEATED_OWNERS: Final = (
    ".metadata.ownerReferences contains duplicate entries{}; API server dedups owner references in 1.20+, and may reject "
    "such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}"
)
_TYPE_AND_METADATA: Final = frozenset({"apiVersion", "kind", "metadata"})


def repeated_owners_warning(uids: Sequence[str], *, is_admitted: bool) -> str:
    """Return that owners were dropped, when an object was sent, or when admission had made it."""
    when = " after mutating admission happens" if is_admitted else ""
    return _REPEATED_OWNERS.format(when, ", ".join(uids))


class FieldValidation(Enum):
    """What happens to unknown and repeated fields: the query parameter fieldValidation."""

    STRICT = "Strict"  # refused
    WARN = "Warn"  # dropped, with a warning: the default
    IGNORE = "Ignore"  # dropped


@dataclass(frozen=True, slots=True)
class Document:
    """What a client sent, where that is more than the object: what is said in vain is told in its order."""

    repeats: bool = False  # it says keys twice
    value: Any = None  # a merge patch, in whose order unknown fields are told; None: the object's own
    found: tuple[str, ...] = ()  # what was found in a patch of another form already


OBJECT: Final = Document()
"""The object itself, without repeated keys."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """A client's object in its stored form, and what to warn the client of."""

    obj: Json
    warnings: tuple[str, ...] = ()


class DoesNotFit(BadRequest):
    """An object does not fit its schema, or says more than that knows."""

    def __init__(self, prefix: str, problem: str) -> None:
        super().__init__(prefix + problem)
        self.problem = problem  # without saying what cannot be handled


def field_validation(text: str) -> FieldValidation:
    """Read the query parameter; "" is Warn.

    Raises:
        BadRequest: there is no such value.
    """
    try:
        return FieldValidation(text or "Warn")
    except ValueError as error:
        raise BadRequest(
            f'fieldValidation: Unsupported value: "{text}": supported values: "Ignore", "Strict", "Warn"',
        ) from error


def read(
    schemas: Schemas,
    kind: Kind,
    raw: Any,
    *,
    namespace: str = "",
    name: str = "",
    validation: FieldValidation = FieldValidation.WARN,
    document: Document = OBJECT,
    is_patched: bool = False,
) -> Read:
    """Bring a client's object into stored form, with its defaults.

    Of an object that was patched, owners are told as those that admission has made. `namespace` and `name` are the request's ("" for none: a create has no name); the object has to agree.

    Raises:
        BadRequest: it does not fit the schema, or not the request.
        NotImplementedHere: it asks for what Kubarium has not built.
    """
    if kind.rules.read is None:
        obj, warnings = read_as(
            schemas,
            kind.definition,
            kind.api_version,
            kind.kind,
            raw,
            validation=validation,
            document=document,
        )
    else:
        obj, warnings = _read_by_rules(schemas, kind, kind.rules.read, raw, validation, document)
    obj["metadata"] = _placed(kind, obj.get("metadata") or {}, namespace, name)
    if repeated := metadata.drop_repeated_owners(obj["metadata"]):
        warnings = (*warnings, repeated_owners_warning(repeated, is_admitted=is_patched))
    if resets_owners(raw):
        obj["metadata"]["managedFields"] = []
    if missing := kind.rules.unbuilt(obj):
        raise NotImplementedHere(
            missing, kind=kind.plural, group=kind.group, name=obj["metadata"].get("name", "")
        )
    return Read(kind.rules.default(obj), warnings)


def resets_owners(raw: Any) -> bool:
    """Whether a client's object forgets who owns its fields by an empty list, which no stored form has."""
    meta = raw.get("metadata")
    return isinstance(meta, dict) and meta.get("managedFields") == []


def read_as(
    schemas: Schemas,
    definition: str,
    api_version: str,
    kind: str,
    raw: Any,
    *,
    validation: FieldValidation = FieldValidation.WARN,
    document: Document = OBJECT,
) -> tuple[Json, tuple[str, ...]]:
    """Normalize an object of any schema, stored or not (Binding, Scale, DeleteOptions); with its warnings.

    Raises:
        BadRequest: it does not fit the schema.
    """
    if not isinstance(raw, dict):
        raise BadRequest("the body of the request has to be a JSON object")
    _check_type(raw, api_version, kind)
    version = api_version.rpartition("/")[2]
    prefix = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    try:
        result = normalize(schemas, definition, raw)
    except WrongValue as wrong:
        raise DoesNotFit(prefix, wrong.describe()) from wrong
    found = () if validation is FieldValidation.IGNORE else document.found
    if validation is not FieldValidation.IGNORE and (document.repeats or result.has_unknown):
        said = raw if document.value is None else document.value
        more = strict_errors(said, schemas.struct(definition))
        found = (*found, *more)[:MOST]
    if found and validation is FieldValidation.STRICT:
        raise DoesNotFit(prefix, f"strict decoding error: {', '.join(found)}")
    rest = {key: value for key, value in result.obj.items() if key not in {"apiVersion", "kind"}}
    return {"apiVersion": api_version, "kind": kind, **rest}, found


def read_metadata(schemas: Schemas, raw: Any) -> Json:
    """Normalize an ObjectMeta, wherever it stands.

    Raises:
        ValueError: it is none, in the words of its fault.
    """
    try:
        return normalize(schemas, _OBJECT_META, raw).obj
    except WrongValue as wrong:
        raise ValueError(wrong.describe()) from wrong


def _read_by_rules(
    schemas: Schemas, kind: Kind, read_rest: Reader, raw: Any, validation: FieldValidation, document: Document
) -> tuple[Json, tuple[str, ...]]:
    """Read an object whose kind has no published schema: its metadata as of all objects, the rest by its rules."""
    if not isinstance(raw, dict):
        raise BadRequest("the body of the request has to be a JSON object")
    for name, field in (("Kind", "kind"), ("apiVersion", "apiVersion")):
        if not raw.get(field):
            raise BadRequest(f"Object '{name}' is missing in '{field_errors.quoted(raw)}'")
    _check_type(raw, kind.api_version, kind.kind)
    prefix = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    try:
        meta = normalize(schemas, _OBJECT_META, raw.get("metadata") or {})
    except WrongValue as wrong:
        raise DoesNotFit(prefix, wrong.describe()) from wrong
    rest, unknown = read_rest({key: value for key, value in raw.items() if key not in _TYPE_AND_METADATA})
    found: list[str] = []
    if validation is not FieldValidation.IGNORE:
        found += document.found
        if document.repeats:
            found += strict_errors(raw if document.value is None else document.value)
        if meta.has_unknown:
            found += _unknown_in_metadata(schemas, raw["metadata"])
        found += unknown
    if found and validation is FieldValidation.STRICT:
        raise DoesNotFit(prefix, f"strict decoding error: {', '.join(found[:MOST])}")
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta.obj, **rest}
    return obj, tuple(found[:MOST])


def _unknown_in_metadata(schemas: Schemas, raw: Json) -> list[str]:
    found = strict_errors(raw, schemas.struct(_OBJECT_META))
    return [each.replace('"', '"metadata.', 1) for each in found if each.startswith("unknown")]


def read_posted(
    schemas: Schemas, posted: KindNames | Subresource, body: bytes, validation: FieldValidation
) -> tuple[Json, tuple[str, ...]]:
    """Read the body of a request that posts an object that is not stored: a review, a Binding; with its warnings.

    Raises:
        BadRequest: it is no such object.
    """
    raw, repeats = read_json(body, posted.kind, find_repeated=validation is not FieldValidation.IGNORE)
    if isinstance(posted, Subresource) and raw.get("apiVersion") in posted.older:
        raw["apiVersion"] = posted.api_version
    return read_as(
        schemas,
        posted.definition,
        posted.api_version,
        posted.kind,
        raw,
        validation=validation,
        document=Document(repeats=repeats),
    )


def create(kind: Kind, obj: Json, context: WriteContext) -> Json:
    """Return the object to store, from one that was read and admitted: `prepare_create`, then `check_create`.

    Raises:
        BadRequest: it carries a resourceVersion.
        Invalid: it breaks rules; all of them are named.
    """
    stamped = prepare_create(kind, obj, context)
    check_create(kind, stamped)
    return canonical(kind, stamped)


def prepare_create(kind: Kind, obj: Json, context: WriteContext) -> Json:
    """Set the identity of a new object and what else the server sets in it (an allocator may add to the result).

    Raises:
        BadRequest: it carries a resourceVersion.
    """
    return kind.rules.prepare.create(metadata.stamp_created(kind, obj, context), context)


def check_create(kind: Kind, stamped: Json, may_own: MayOwn = everything_owns) -> None:
    """Check a new object that was prepared.

    Raises:
        Invalid: it breaks rules; all of them are named.
    """
    found = [*metadata.validate_created(kind, stamped, may_own), *kind.rules.validate.create(stamped)]
    if found:
        raise field_errors.invalid_object(kind.group_kind, stamped["metadata"].get("name", ""), found)


def check_content(kind: Kind, obj: Json) -> None:
    """Check a new object, except for its metadata, before anything else is done with it.

    Raises:
        Invalid: it breaks rules.
    """
    if found := kind.rules.validate.create(obj):
        raise field_errors.invalid_object(kind.group_kind, obj["metadata"].get("name", ""), found)


def check_in_sent(
    sent: Kind, stamped: Json, old: Json | None, may_own: MayOwn = everything_owns
) -> tuple[str, ...]:
    """Check what is to be stored by the rules of the version that it was sent in, and by no others; return warnings.

    Raises:
        Invalid: it breaks rules of that version.
    """
    shown = sent.rules.convert(stamped, sent.api_version)
    if old is None:
        check_create(sent, shown, may_own)
        return ()
    return check_update(sent, shown, sent.rules.convert(old, sent.api_version), may_own)


def check_sent(sent: Kind, stamped: Json, old: Json | None) -> None:
    """Check what is to be stored by the rules of the version that it was sent in, beside those of the stored one.

    Raises:
        Invalid: it breaks rules of that version.
    """
    rules, version = sent.rules, sent.api_version
    shown = rules.convert(stamped, version)
    found = (
        rules.validate.create(shown)
        if old is None
        else rules.validate.update(shown, rules.convert(old, version))
    )
    if found:
        raise field_errors.invalid_object(sent.group_kind, shown["metadata"].get("name", ""), found)


def update(kind: Kind, new: Json, old: Json, context: WriteContext) -> Json:
    """Return the object to store in place of `old`; equal to `old` where nothing changed.

    Raises:
        Invalid: the change breaks rules.
    """
    stamped = prepare_update(kind, new, old, context)
    check_update(kind, stamped, old)
    return canonical(kind, stamped)


def prepare_update(kind: Kind, new: Json, old: Json, context: WriteContext) -> Json:
    """Carry over what an update cannot change in silence (an allocator may add to the result)."""
    return metadata.stamp_updated(kind, kind.rules.prepare.update(new, old, context), old)


def check_update(kind: Kind, stamped: Json, old: Json, may_own: MayOwn = everything_owns) -> tuple[str, ...]:
    """Check a change that was prepared; return what is to be warned of: what was wrong before, and has not changed.

    Raises:
        Invalid: the change breaks rules.
    """
    found = [
        *metadata.validate_updated(kind, stamped, old, may_own),
        *kind.rules.validate.update(stamped, old),
    ]
    return _warnings_of(kind, old, found) if found else ()


def canonical(kind: Kind, obj: Json) -> Json:
    """Return an object that was checked in the form in which it is stored."""
    return obj if kind.rules.canonical is None else kind.rules.canonical(obj)


def update_status(
    kind: Kind, new: Json, old: Json, context: WriteContext, may_own: MayOwn = everything_owns
) -> Json:
    """Return the object to store for a write to the status subresource.

    Raises:
        Invalid: the status breaks rules.
    """
    stamped = metadata.carry_over(kind.rules.prepare.status(new, old, context), old)
    if keeps := kind.rules.status_keeps:
        stamped["metadata"] = kept(stamped["metadata"], old["metadata"], *keeps)
    found = [
        *metadata.validate_updated(kind, stamped, old, may_own),
        *kind.rules.validate.status(stamped, old),
    ]
    if found:
        _warnings_of(kind, old, found)
    return stamped


def _warnings_of(kind: Kind, old: Json, found: Sequence[Cause]) -> tuple[str, ...]:
    """Return what is only warned of.

    Raises:
        Invalid: there is more.
    """
    if broken := [cause for cause in found if not isinstance(cause, field_errors.Ratcheted)]:
        raise field_errors.invalid_object(kind.group_kind, old["metadata"]["name"], broken)
    return tuple(f"{cause.field}: {cause.message}" for cause in found)


def _check_type(raw: Json, api_version: str, kind: str) -> None:
    given_version, given_kind = raw.get("apiVersion") or api_version, raw.get("kind") or kind
    if given_version != api_version:
        raise BadRequest(
            f"the API version in the data ({given_version}) does not match the expected API version ({api_version})",
        )
    if given_kind != kind:
        version = api_version.rpartition("/")[2]
        raise BadRequest(f'{given_kind} in version "{version}" cannot be handled as a {kind}')


def _placed(kind: Kind, meta: Json, namespace: str, name: str) -> Json:
    given = meta.get("namespace", "")
    if kind.namespaced and namespace and given and given != namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if name and not meta.get("name"):
        raise BadRequest("the name of the object (based on URL) was undeterminable: name must be provided")
    if name and meta["name"] != name:
        raise BadRequest(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    placed = dict(meta)
    if kind.namespaced and namespace:
        placed["namespace"] = namespace
    return placed
