"""Claims of volumes: their spec, of their own or in the template of a StatefulSet, and what volumes have in common with it.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.byte_amounts import fraction_warnings
from apiserver.core.values import Json
from machinery.model import names, quantity
from machinery.model.errors import Cause

ACCESS_MODES: Final = frozenset({"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"})
VOLUME_MODES: Final = frozenset({"Block", "Filesystem"})
CLAIM: Final = "PersistentVolumeClaim"
_ALONE: Final = "ReadWriteOncePod"


def claim_warnings(own: Json, path: str) -> tuple[str, ...]:
    """Return what to warn of in the spec of a claim: amounts that are no whole number of bytes."""
    resources = own.get("resources") or {}
    return tuple(
        warning
        for name in ("requests", "limits")
        for warning in fraction_warnings(resources.get(name), f"{path}.resources.{name}", "storage")
    )


def default_claim_spec(own: Json) -> Json:
    """Fill the spec of a claim."""
    own.setdefault("volumeMode", "Filesystem")
    own.setdefault("resources", {})
    return own


def claim_spec_causes(own: Json, path: str) -> list[Cause]:
    """Find what is wrong with the spec of a claim, which has its defaults."""
    found: list[Cause] = []
    if not own.get("accessModes"):
        found.append(field_errors.required(f"{path}.accessModes", "at least 1 access mode is required"))
    if "selector" in own:
        found += labelselector.validate(own["selector"], f"{path}.selector")
    found += access_mode_causes(own.get("accessModes") or [], path)
    found += _size_causes(own.get("resources") or {}, f"{path}.resources[storage]")
    if name := own.get("storageClassName"):
        found += class_name_causes(name, f"{path}.storageClassName")
    found += mode_causes(own, path)
    found += _source_causes(own, path)
    if name := own.get("volumeAttributesClassName"):
        found += class_name_causes(name, f"{path}.volumeAttributesClassName")
    return found


def access_mode_causes(modes: list[str], path: str) -> list[Cause]:
    """Check how a volume may be used: one that only one pod may use is used in no other way."""
    path = f"{path}.accessModes"
    found = [cause for mode in modes for cause in field_errors.one_of(path, mode, ACCESS_MODES)]
    if _ALONE in modes and ACCESS_MODES & set(modes) - {_ALONE}:
        text = "may not use ReadWriteOncePod with other access modes"
        found.append(field_errors.forbidden(path, text))
    return found


def mode_causes(own: Json, path: str) -> list[Cause]:
    """Check whether a volume is a filesystem or a block device."""
    return field_errors.one_of(f"{path}.volumeMode", own.get("volumeMode", "Filesystem"), VOLUME_MODES)


def class_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of a class."""
    return field_errors.each_invalid(path, name, names.dns_subdomain_errors(name))


def positive_causes(amount: str, path: str) -> list[Cause]:
    """Check that there is some of something."""
    if quantity.parse(amount) > 0:
        return []
    return [field_errors.invalid(path, amount, "must be greater than zero")]


def _size_causes(resources: Json, path: str) -> list[Cause]:
    size = (resources.get("requests") or {}).get("storage")
    return [field_errors.required(path)] if size is None else positive_causes(size, path)


def _source_causes(own: Json, path: str) -> list[Cause]:
    source, reference = own.get("dataSource"), own.get("dataSourceRef")
    found: list[Cause] = []
    if source is not None:
        found += _reference_causes(source, f"{path}.dataSource")
    if reference is None:
        return found
    found += _reference_causes(reference, f"{path}.dataSourceRef")
    if namespace := reference.get("namespace"):
        where = f"{path}.dataSourceRef.namespace"
        found += field_errors.each_invalid(where, namespace, names.dns_label_errors(namespace))
        text = "may not be specified when dataSourceRef.namespace is specified"
    else:
        text = "must match dataSourceRef"
    if source is not None and (namespace or not _is_same(source, reference)):
        found.append(field_errors.invalid(path, f"{path}.dataSource", text))
    return found


def _is_same(source: Json, reference: Json) -> bool:
    return all(source.get(name) == reference.get(name) for name in ("apiGroup", "kind", "name"))


def _reference_causes(reference: Json, path: str) -> list[Cause]:
    kind, group = reference.get("kind", ""), reference.get("apiGroup", "")
    found = [field_errors.required(f"{path}.{name}") for name in ("name", "kind") if not reference.get(name)]
    if not group and kind != CLAIM:
        text = f"must be '{CLAIM}' when referencing the default apiGroup"
        found.append(field_errors.invalid(path, kind, text))
    if group:
        found += field_errors.each_invalid(f"{path}.apiGroup", group, names.dns_subdomain_errors(group))
    return found
