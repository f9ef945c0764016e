"""The rules of the kind CustomResourceDefinition itself: what the write path does with a definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.custom import formats
from apiserver.core.custom.conditions import with_condition
from apiserver.core.custom.definition_rules import (
    check_definition,
    check_definition_change,
    check_status_change,
)
from apiserver.core.custom.schema_rules import CheckRules, no_rules
from apiserver.core.custom.structure import subschemas
from apiserver.core.deletion import Deletion, Mark, Wanted, by_finalizers
from apiserver.core.field_errors import quoted
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table.table import NAME, Column, Table
from apiserver.core.table.table import name as name_of
from apiserver.core.values import Json, metadata, spec
from machinery.model.clock import Timescale

_OF_NUMBERS: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"  # the finalizer: its objects go first
STORAGE_PREFIX: Final = "/registry/apiextensions.k8s.io/customresourcedefinitions"


TABLE: Final = Table(
    (NAME, Column("Created At", "date", description="When the definition was created.")),
    lambda definition, _moment: [name_of(definition), metadata(definition).get("creationTimestamp", "")],
)


def definition_kind_rules(*, check_rules: CheckRules = no_rules) -> Rules:
    """Return the rules of definitions."""
    return Rules(
        default=default_definition,
        prepare=Prepare(create=_created, update=_updated),
        validate=Validate(
            create=lambda obj: check_definition(obj, check_rules),
            update=lambda new, old: check_definition_change(new, old, check_rules),
            status=check_status_change,
        ),
        any_finalizer=True,
        counts_generation=True,
        storage_prefix=STORAGE_PREFIX,
        plan_deletion=plan_deletion,
        table=TABLE,
        warnings=format_warnings,
    )


def format_warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    """Return which formats are no check, as nobody knows them; those that were there before are not told again."""
    known = {*_unknown_formats(old or {})}
    found = dict.fromkeys(name for name in _unknown_formats(new) if name not in known)
    return tuple(f"unrecognized format {quoted(name)}" for name in sorted(found))


def _unknown_formats(definition: Json) -> Iterator[str]:
    for version in spec(definition).get("versions") or ():
        for each in subschemas((version.get("schema") or {}).get("openAPIV3Schema") or {}):
            if (name := each.get("format")) and not _is_known(each.get("type") or "", name):
                yield name


def _is_known(type_: str, name: str) -> bool:
    return formats.is_known(name) if type_ in {"", "string"} else name in _OF_NUMBERS.get(type_, ())


def default_definition(definition: Json) -> Json:
    """Fill in names that follow from the kind, and that versions differ in their name alone. In place."""
    wanted = definition.setdefault("spec", {})
    names = wanted.setdefault("names", {})
    if kind := names.get("kind"):
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    conversion = wanted.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    return definition


def plan_deletion(definition: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
    """Mark a definition, for its objects have to go before it; the finalizer is set with the first delete."""
    meta = metadata(definition)
    if meta.get("deletionTimestamp"):
        return by_finalizers(definition, wanted, now_s, timescale)
    finalizers = meta.get("finalizers") or []
    kept = {**meta, "finalizers": finalizers if CLEANUP in finalizers else [*finalizers, CLEANUP]}
    plan = by_finalizers({**definition, "metadata": kept}, wanted, now_s, timescale)
    if not isinstance(plan, Mark):
        return plan
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    return Mark(
        with_condition(
            plan.obj,
            "Terminating",
            status=True,
            reason="InstanceDeletionPending",
            message=text,
            now=timescale.format(now_s),
        )
    )


def _created(definition: Json, _context: WriteContext) -> Json:
    status: Json = {"conditions": [], "acceptedNames": {"kind": "", "plural": ""}}
    return {**definition, "status": {**status, "storedVersions": _stored(definition)}}


def _updated(new: Json, old: Json, context: WriteContext) -> Json:
    """Keep the status; a version that is stored from now on is one of the stored ones."""
    kept = with_old_status(new, old, context)
    status = kept.get("status") or {}
    before = status.get("storedVersions") or []
    added = [name for name in _stored(new) if name not in before]
    return {**kept, "status": {**status, "storedVersions": [*before, *added]}} if added else kept


def _stored(definition: Json) -> list[str]:
    return [
        each["name"]
        for each in spec(definition).get("versions") or ()
        if each.get("storage") and each.get("name")
    ]
