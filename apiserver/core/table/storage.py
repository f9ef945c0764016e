"""Volumes, claims of volumes, and their classes."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name, wide
from apiserver.core.values import Json, metadata, spec

_UNSET: Final = "<unset>"
_DEFAULT_MARKS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_OLD_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_MODES: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _storage_class(obj: Json, moment: Moment) -> Cells:
    annotations = metadata(obj).get("annotations") or {}
    is_default = any(annotations.get(mark) == "true" for mark in _DEFAULT_MARKS)
    return [
        f"{name(obj)} (default)" if is_default else name(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        obj.get("allowVolumeExpansion", False),
        age(obj, moment),
    ]


def _volume(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    claim = own.get("claimRef")
    return [
        name(obj),
        (own.get("capacity") or {}).get("storage", "0"),
        _modes(own.get("accessModes") or ()),
        own.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim is not None else "",
        _class(obj),
        own.get("volumeAttributesClassName", _UNSET),
        status.get("reason", ""),
        age(obj, moment),
        own.get("volumeMode", _UNSET),
    ]


def _claim(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    volume = own.get("volumeName", "")
    return [
        name(obj),
        _phase(obj),
        volume,
        (status.get("capacity") or {}).get("storage", "0") if volume else "",
        _modes(status.get("accessModes") or ()) if volume else "",
        _class(obj),
        own.get("volumeAttributesClassName", _UNSET),
        age(obj, moment),
        own.get("volumeMode", _UNSET),
    ]


def _phase(obj: Json) -> str:
    if metadata(obj).get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _class(obj: Json) -> str:
    """Return the class: an annotation, which came first, stands before the field."""
    annotations = metadata(obj).get("annotations") or {}
    return str(annotations.get(_OLD_CLASS, spec(obj).get("storageClassName", "")))


def _modes(modes: tuple[str, ...] | list[str]) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


STORAGE_CLASSES: Final = Table(
    (
        NAME,
        Column("Provisioner", description="Who makes its volumes."),
        Column("ReclaimPolicy", description="What becomes of a volume without its claim."),
        Column("VolumeBindingMode", description="When a claim gets its volume."),
        Column("AllowVolumeExpansion", description="Whether its volumes may grow."),
        AGE,
    ),
    _storage_class,
)
PERSISTENT_VOLUMES: Final = Table(
    (
        NAME,
        Column("Capacity", description="How large it is."),
        Column("Access Modes", description="How it may be used."),
        Column("Reclaim Policy", description="What becomes of it without its claim."),
        Column("Status", description="Whether it is bound."),
        Column("Claim", description="The claim that has it."),
        Column("StorageClass", description="Its class."),
        Column("VolumeAttributesClass", description="The class of its attributes."),
        Column("Reason", description="Why it is in this status."),
        AGE,
        wide("VolumeMode", description="Whether it is a filesystem or a block device."),
    ),
    _volume,
)
PERSISTENT_VOLUME_CLAIMS: Final = Table(
    (
        NAME,
        Column("Status", description="Whether it is bound."),
        Column("Volume", description="The volume that it has."),
        Column("Capacity", description="How large the volume is."),
        Column("Access Modes", description="How the volume may be used."),
        Column("StorageClass", description="Its class."),
        Column("VolumeAttributesClass", description="The class of its attributes."),
        AGE,
        wide("VolumeMode", description="Whether it is a filesystem or a block device."),
    ),
    _claim,
)
