"""Namespaces.

https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import deletion, field_errors
from apiserver.core.metadata import finalizer_name_causes
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, name_field
from apiserver.core.table import configuration as table
from apiserver.core.values import Json, kept, spec
from machinery.model import names
from machinery.model.clock import Timescale
from machinery.model.errors import Cause

NAME_LABEL: Final = "kubernetes.io/metadata.name"
FINALIZER: Final = "kubernetes"


def _default(obj: Json) -> Json:
    """Carry the name as a label, as far as it is known yet."""
    meta = obj["metadata"]
    if name := meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: name}
    obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("phase", "Active")
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    meta = obj["metadata"]
    labels = {**(meta.get("labels") or {}), NAME_LABEL: meta.get("name", "")}
    finalizers = [*(spec(obj).get("finalizers") or [])]
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    return {
        **obj,
        "metadata": {**meta, "labels": labels},
        "spec": {**spec(obj), "finalizers": finalizers},
        "status": {"phase": "Active"},
    }


def _prepare_update(new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep spec.finalizers and status: they have paths of their own."""
    return kept(new, old, "spec", "status")


def finalized(old: Json, new: Json, _now: str) -> Json:
    """Apply spec.finalizers of a write to the finalize subresource, and nothing else.

    Raises:
        Invalid: one of them is none.
    """
    finalizers = spec(new).get("finalizers") or []
    if found := _finalizer_causes(new, indexed=True):
        raise field_errors.invalid_object("Namespace", old["metadata"]["name"], found)
    rest = {key: value for key, value in spec(old).items() if key != "finalizers"}
    return {**old, "spec": {**rest, "finalizers": finalizers} if finalizers else rest}


def _plan_deletion(
    obj: Json, wanted: deletion.Wanted, now_s: float, timescale: Timescale
) -> deletion.Deletion:
    """Begin to empty a namespace; it goes when its finalizers have, those of the spec first."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp"):
        changed = deletion.with_finalizers(meta, wanted.propagation_policy)
        changed = {**changed, "deletionTimestamp": timescale.format(now_s)}
        status = {**(obj.get("status") or {}), "phase": "Terminating"}
        return deletion.Mark({**obj, "metadata": changed, "status": status})
    if _is_held(obj):
        return deletion.Pending()
    return deletion.by_finalizers(obj, wanted, now_s, timescale)


def _is_held(obj: Json) -> bool:
    return bool(spec(obj).get("finalizers"))


def _finalizer_causes(obj: Json, *, indexed: bool = False) -> list[Cause]:
    path = "spec.finalizers"
    return [
        cause
        for index, name in enumerate(spec(obj).get("finalizers") or [])
        for cause in finalizer_name_causes(name, f"{path}[{index}]" if indexed else path)
    ]


def _label_causes(obj: Json) -> list[Cause]:
    name, labels = obj["metadata"].get("name", ""), obj["metadata"].get("labels") or {}
    if labels.get(NAME_LABEL) == name:
        return []
    return [
        field_errors.invalid(f"metadata.labels[{NAME_LABEL}]", labels.get(NAME_LABEL, ""), f"must be {name}")
    ]


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    phase, deleted = (new.get("status") or {}).get("phase", ""), new["metadata"].get("deletionTimestamp")
    if deleted and phase != "Terminating":
        return [
            field_errors.invalid(
                "status.phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"
            )
        ]
    if not deleted and phase != "Active":
        return [
            field_errors.invalid(
                "status.phase", phase, "may only be 'Active' if `deletionTimestamp` is empty"
            )
        ]
    return []


def _fields(obj: Json) -> dict[str, str]:
    return {**name_field(obj), "status.phase": (obj.get("status") or {}).get("phase", "")}


RULES: Final = Rules(
    name_errors=names.dns_label_errors,
    default=_default,
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    validate=Validate(
        create=_finalizer_causes, update=lambda new, _old: _label_causes(new), status=_validate_status
    ),
    subresources={"finalize": finalized},
    contains_objects=True,
    plan_deletion=_plan_deletion,
    is_held=_is_held,
    fields=_fields,
    table=table.NAMESPACES,
)
