"""Volumes, claims and classes for tests: each builder needs only what the test is about."""

from __future__ import annotations

from typing import Any

from machinery.model.k8s.core_v1 import (
    HostPathVolumeSource,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.k8s.storage_v1 import CSIDriver, CSIDriverSpec, CSIStorageCapacity, StorageClass
from machinery.model.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER
from tests.support.builders import changed, meta

ONCE = "ReadWriteOnce"


def claim(
    name: str = "data",
    size: str = "1Gi",
    *,
    modes: tuple[str, ...] = (ONCE,),
    storage_class: str | None = "",
    phase: str = "Pending",
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> PersistentVolumeClaim:
    """Return the claim default/NAME, which names no class on purpose."""
    return PersistentVolumeClaim(
        metadata=meta(name, "default", **(metadata or {})),
        spec=PersistentVolumeClaimSpec(
            accessModes=list(modes),
            resources=VolumeResourceRequirements(requests={"storage": size}),
            storageClassName=storage_class,
            volumeMode=spec.pop("volumeMode", "Filesystem"),
            **spec,
        ),
        status=PersistentVolumeClaimStatus(phase=phase),
    )


def bound(found: PersistentVolumeClaim, volume: str) -> PersistentVolumeClaim:
    """Return a claim that has been bound to a volume."""
    notes = {BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}
    return changed(
        found,
        metadata__annotations=notes,
        spec__volumeName=volume,
        status__phase="Bound",
        status__accessModes=[ONCE],
        status__capacity={"storage": "1Gi"},
    )


def volume(
    name: str = "pv",
    size: str = "1Gi",
    *,
    modes: tuple[str, ...] = (ONCE,),
    storage_class: str = "",
    phase: str = "Available",
    of: PersistentVolumeClaim | None = None,
    uid: str | None = None,
    policy: str = "Retain",
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> PersistentVolume:
    """Return a volume; `of` is the claim that it refers to, `uid` the one that it says this has ("" for none)."""
    return PersistentVolume(
        metadata=meta(name, **(metadata or {})),
        spec=PersistentVolumeSpec(
            accessModes=list(modes),
            capacity={"storage": size},
            storageClassName=storage_class,
            claimRef=reference(of, uid) if of else None,
            persistentVolumeReclaimPolicy=policy,
            volumeMode=spec.pop("volumeMode", "Filesystem"),
            hostPath=HostPathVolumeSource(path=f"/data/{name}"),
            **spec,
        ),
        status=PersistentVolumeStatus(phase=phase),
    )


def reference(to: PersistentVolumeClaim, uid: str | None = None) -> ObjectReference:
    """Return a volume's reference to a claim."""
    found = to.metadata
    return ObjectReference(
        apiVersion="v1",
        kind="PersistentVolumeClaim",
        namespace=found.namespace,
        name=found.name,
        uid=found.uid if uid is None else uid,
    )


def only_on(node: str) -> VolumeNodeAffinity:
    """Return the affinity to one node, by its hostname."""
    by_name = NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[node])
    return VolumeNodeAffinity(
        required=NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchExpressions=[by_name])])
    )


def storage_class(name: str = "standard", *, waits: bool = True, **fields: Any) -> StorageClass:
    """Return a class; one that `waits` binds its claims when a pod is given a node."""
    return StorageClass(
        metadata=meta(name, **fields.pop("metadata", {})),
        provisioner=fields.pop("provisioner", "example.com/disks"),
        reclaimPolicy=fields.pop("reclaimPolicy", "Delete"),
        volumeBindingMode="WaitForFirstConsumer" if waits else "Immediate",
        **fields,
    )


def csi_driver(name: str = "", *, tells: bool | None = True) -> CSIDriver:
    """Return a driver of volumes that tells how much room it has; without a name that of `storage_class`."""
    name = name or storage_class().provisioner
    return CSIDriver(metadata=meta(name), spec=CSIDriverSpec(storageCapacity=tells))


def room(
    free: str | None,
    labels: dict[str, str] | None,
    name: str = "room",
    *,
    of: str = "standard",
    most: str | None = None,
    not_on: str = "",
) -> CSIStorageCapacity:
    """Return how much room there is for the nodes with some labels, None for no nodes, and except for one."""
    unlike = LabelSelectorRequirement(key="kubernetes.io/hostname", operator="NotIn", values=[not_on])
    topology = LabelSelector(matchLabels=labels or {}, matchExpressions=[unlike] if not_on else [])
    return CSIStorageCapacity(
        metadata=meta(name, "default"),
        storageClassName=of,
        nodeTopology=None if labels is None else topology,
        capacity=free,
        maximumVolumeSize=most,
    )
