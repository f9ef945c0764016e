"""PersistentVolumeClaims. The rules of their spec are in apiserver.core.volume_claims.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import storage as table
from apiserver.core.values import Json, metadata, spec
from apiserver.core.volume_claims import CLAIM, claim_spec_causes, claim_warnings, default_claim_spec
from machinery.model import names, quantity
from machinery.model.errors import Cause

_OLD_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_SNAPSHOT: Final = ("snapshot.storage.k8s.io", "VolumeSnapshot")
_SAME: Final = ("apiGroup", "kind", "name")
_RESIZES: Final = frozenset(
    {
        "ControllerResizeInProgress",
        "ControllerResizeInfeasible",
        "NodeResizePending",
        "NodeResizeInProgress",
        "NodeResizeInfeasible",
    }
)
_SIZE: Final = "spec.resources.requests.storage"


def _default(obj: Json) -> Json:
    default_claim_spec(obj.setdefault("spec", {}))
    obj.setdefault("status", {}).setdefault("phase", "Pending")
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    own = _with_both_sources(_without_odd_source(spec(obj), {}))
    return {**obj, "spec": own, "status": {"phase": "Pending"}}


def _prepare_update(new: Json, old: Json, context: WriteContext) -> Json:
    own = _with_both_sources(_without_odd_source(spec(new), spec(old)))
    return with_old_status({**new, "spec": own}, old, context)


def _without_odd_source(own: Json, before: Json) -> Json:
    """Drop a source of another kind than there were at first, in the field that was there first."""
    if {"dataSource", "dataSourceRef"} & {*before} or "dataSourceRef" in own or "dataSource" not in own:
        return own
    source = own["dataSource"]
    kind = source.get("apiGroup", ""), source.get("kind", "")
    if kind in {("", CLAIM), _SNAPSHOT}:
        return own
    return {name: value for name, value in own.items() if name != "dataSource"}


def _with_both_sources(own: Json) -> Json:
    """Say in both fields where the data comes from, unless that is in another namespace."""
    source, reference = own.get("dataSource"), own.get("dataSourceRef")
    if (reference or {}).get("namespace") or (source is None) == (reference is None):
        return own
    given: Json = source if reference is None else reference  # type: ignore[assignment] # one of them is there
    same = {name: given[name] for name in _SAME if name in given}
    return {**own, "dataSource": same, "dataSourceRef": same}


def _validate(obj: Json) -> list[Cause]:
    return claim_spec_causes(spec(obj), "spec")


def _validate_update(new: Json, old: Json) -> list[Cause]:
    own, before = spec(new), _with_both_sources(spec(old))
    found = [*_validate(new), *_annotation_causes(new, old)]
    if _fixed(own, before, new) != _fixed(before, before, new):
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
            "claims"
        )
        found.append(field_errors.forbidden("spec", text))
    found += _size_causes(own, before, old.get("status") or {})
    found += field_errors.unchanged("volumeMode", own.get("volumeMode"), before.get("volumeMode"))
    return found + _attributes_causes(own, before)


def _fixed(own: Json, before: Json, claim: Json) -> Json:
    """Return what may not change in a claim: with the old values in place of what may."""
    fixed = {**own, "volumeAttributesClassName": None}
    if not before.get("volumeName"):  # the volume is named once
        fixed["volumeName"] = None
    if "storageClassName" not in before and _may_name_class(own, claim):
        fixed["storageClassName"] = None
    resources = own.get("resources") or {}
    if (claim.get("status") or {}).get("phase") == "Bound":
        requests = {**(resources.get("requests") or {}), "storage": None}
        resources = {**resources, "requests": requests}
    return {**fixed, "resources": resources}


def _may_name_class(own: Json, claim: Json) -> bool:
    annotations = metadata(claim).get("annotations") or {}
    return _OLD_CLASS not in annotations or annotations[_OLD_CLASS] == own.get(
        "storageClassName", annotations[_OLD_CLASS]
    )


def _annotation_causes(new: Json, old: Json) -> list[Cause]:
    """Check that the class that an annotation names stays, or becomes the one of the field."""
    after, before = ((metadata(obj).get("annotations") or {}).get(_OLD_CLASS) for obj in (new, old))
    is_moved = (
        before is not None
        and "storageClassName" not in spec(old)
        and spec(new).get("storageClassName") == before
        and after in {None, before}
    )
    if is_moved or (after or "") == (before or ""):
        return []
    path = f"metadata.annotations[{_OLD_CLASS}]"
    return [field_errors.invalid(path, after or "", "field is immutable")]


def _size(own: Json) -> Any:
    return quantity.parse(((own.get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _size_causes(own: Json, before: Json, status: Json) -> list[Cause]:
    """Check that a claim does not shrink; only growth that has not come about may be taken back."""
    there = quantity.parse((status.get("capacity") or {}).get("storage", "0"))
    if _size(own) >= _size(before) or _size(own) > there:
        return []
    return [field_errors.forbidden(_SIZE, "field can not be less than status.capacity")]


def _attributes_causes(own: Json, before: Json) -> list[Cause]:
    name, was = own.get("volumeAttributesClassName"), before.get("volumeAttributesClassName")
    if was is None or name == was or name:
        return []
    what = "nil" if name is None else "an empty string"
    text = f"update from non-nil value to {what} is forbidden"
    return [field_errors.forbidden("spec.volumeAttributesClassName", text)]


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    found = _amount_causes(status.get("capacity") or {}, "status.capacity")
    path = "status.allocatedResourceStatus"
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        found += _key_causes(name, path)
        if state not in _RESIZES:
            found.append(field_errors.not_supported(path, name, _RESIZES))
    path = "status.allocatedResources"
    for name, amount in (status.get("allocatedResources") or {}).items():
        found += _key_causes(name, path) or _amount_causes({name: amount}, path)
    return found


def _amount_causes(amounts: Json, path: str) -> list[Cause]:
    return [
        field_errors.invalid(f"{path}[{name}]", amount, "must be a valid resource quantity")
        for name, amount in amounts.items()
        if quantity.parse(amount) < 0
    ]


def _key_causes(name: str, path: str) -> list[Cause]:
    if errors := names.label_key_errors(name):
        return field_errors.each_invalid(path, name, errors)
    if name == "storage" or ("/" in name and "kubernetes.io/" not in name):
        return []
    return [field_errors.not_supported(path, name, ["storage"])]


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    found = claim_warnings(spec(new), "spec")
    if _OLD_CLASS in (metadata(new).get("annotations") or {}):
        text = 'deprecated since v1.8; use "storageClassName" attribute instead'
        found = (f"metadata.annotations[{_OLD_CLASS}]: {text}", *found)
    return found


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    deletion_returns_object=True,
    warnings=_warnings,
    table=table.PERSISTENT_VOLUME_CLAIMS,
)
