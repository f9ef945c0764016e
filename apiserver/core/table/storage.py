"""Volumes, claims of volumes, and their classes."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, NONE, Cells, Column, Moment, Table, age, name, wide
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


def _attributes_class(obj: Json, moment: Moment) -> Cells:
    return [name(obj), obj.get("driverName", ""), age(obj, moment)]


def _driver(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    audiences = [each.get("audience", "") for each in own.get("tokenRequests") or ()]
    return [
        name(obj),
        own.get("attachRequired", True),
        own.get("podInfoOnMount", False),
        own.get("storageCapacity", False),
        ",".join(audiences) if audiences else _UNSET,
        own.get("requiresRepublish", False),
        ",".join(own.get("volumeLifecycleModes") or ()) or NONE,
        age(obj, moment),
    ]


def _csi_node(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(spec(obj).get("drivers") or ()), age(obj, moment)]


def _storage_capacity(obj: Json, _moment: Moment) -> Cells:
    return [name(obj), obj.get("storageClassName", ""), obj.get("capacity", _UNSET)]


def _attachment(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    return [
        name(obj),
        own.get("attacher", ""),
        (own.get("source") or {}).get("persistentVolumeName", ""),
        own.get("nodeName", ""),
        (obj.get("status") or {}).get("attached", False),
        age(obj, moment),
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
VOLUME_ATTRIBUTES_CLASSES: Final = Table(
    (NAME, Column("DriverName", description="The driver that knows its parameters."), AGE),
    _attributes_class,
)
CSI_DRIVERS: Final = Table(
    (
        NAME,
        Column(
            "AttachRequired",
            "boolean",
            description="Whether its volumes are attached before they are mounted.",
        ),
        Column("PodInfoOnMount", "boolean", description="Whether it is told the pod that it mounts for."),
        Column("StorageCapacity", "boolean", description="Whether it publishes how much it has left."),
        Column("TokenRequests", description="The audiences of the tokens that it is given."),
        Column("RequiresRepublish", "boolean", description="Whether it wants to be asked again and again."),
        Column("Modes", description="The kinds of volumes that it has."),
        AGE,
    ),
    _driver,
)
CSI_NODES: Final = Table(
    (NAME, Column("Drivers", "integer", description="How many drivers have registered at the node."), AGE),
    _csi_node,
)
CSI_STORAGE_CAPACITIES: Final = Table(
    (
        NAME,
        Column("StorageClassName", description="The class that it is told for."),
        Column("Capacity", description="How much there is."),
    ),
    _storage_capacity,
)
VOLUME_ATTACHMENTS: Final = Table(
    (
        NAME,
        Column("Attacher", format="name", description="Who attaches the volume."),
        Column("PV", description="The volume."),
        Column("Node", description="The node that it is attached to."),
        Column("Attached", "boolean", description="Whether it is attached."),
        AGE,
    ),
    _attachment,
)
