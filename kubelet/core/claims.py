"""Which volume a claim of a pod stands for, and why it cannot be had now, in the words of Kubernetes' kubelet.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod, Volume
from machinery.model.owners import controller_of
from machinery.model.storage import ephemeral_claim

BOUND: Final = "Bound"
BLOCK: Final = "Block"
FILESYSTEM: Final = "Filesystem"
_OF_GROWTH: Final = frozenset(
    {"Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError"}
)
_ALONE: Final = ["ReadWriteOncePod"]
_OLD_MOUNT_OPTIONS: Final = "volume.beta.kubernetes.io/mount-options"


def claim_name(pod: Pod, volume: Volume) -> str:
    """Return the name of the claim that a volume of a pod stands for, "" for none."""
    if volume.persistentVolumeClaim is not None:
        return volume.persistentVolumeClaim.claimName
    return ephemeral_claim(pod.metadata.name, volume.name) if volume.ephemeral is not None else ""


def is_used(pod: Pod, volume: Volume) -> tuple[bool, bool]:
    """Whether a container mounts a volume, and whether one has it as a device."""
    spec, name = pod.spec, volume.name
    containers = [*spec.initContainers, *spec.containers]
    mounts = [mount for each in containers for mount in each.volumeMounts]
    mounts += [mount for each in spec.ephemeralContainers for mount in each.volumeMounts]
    devices = [device for each in containers for device in each.volumeDevices]
    return any(each.name == name for each in mounts), any(each.name == name for each in devices)


def claim_problem(pod: Pod, volume: Volume, claim: PersistentVolumeClaim) -> str:
    """Say why a claim does not give the pod a volume now; "" where it does."""
    meta = claim.metadata
    if volume.ephemeral is not None and not _is_for(pod, claim):
        whose = f"{pod.metadata.namespace}/{pod.metadata.name}"
        return f"PVC {meta.namespace}/{meta.name} was not created for pod {whose} (pod is not owner)"
    if meta.deletionTimestamp:
        return "PVC is being deleted"
    if claim.status.phase != BOUND:
        return "PVC is not bound"
    return "" if claim.spec.volumeName else "PVC has empty pvc.Spec.VolumeName"


def binding_problem(claim: PersistentVolumeClaim, volume: PersistentVolume) -> str:
    """Say why a volume is not the claim's, whatever the claim says; "" where it is."""
    name, reference = volume.metadata.name, volume.spec.claimRef
    if reference is None:
        return (
            f"found PV object {name} but it has a nil pv.Spec.ClaimRef"
            " indicating it is not yet bound to the claim"
        )
    if reference.uid != claim.metadata.uid:
        return (
            f"found PV object {name} but its pv.Spec.ClaimRef.UID {reference.uid}"
            f" does not point to claim.UID {claim.metadata.uid}"
        )
    return ""


def mode_problem(pod: Pod, volume: Volume, found: PersistentVolume) -> str:
    """Say that a device is mounted, or a file system used as a device; "" where neither is."""
    is_mounted, is_device = is_used(pod, volume)
    mode = found.spec.volumeMode or FILESYSTEM
    if is_mounted and mode != FILESYSTEM:
        return f"volume {volume.name} has volumeMode {mode}, but is specified in volumeMounts"
    if is_device and mode != BLOCK:
        return f"volume {volume.name} has volumeMode {mode}, but is specified in volumeDevices"
    return ""


def grown_status(claim: PersistentVolumeClaim, size: str) -> dict[str, Any]:
    """Return the change of a claim's status once its volume's file system is so large: nothing of the growth is left to do."""
    kept = [each for each in claim.status.conditions if each.type not in _OF_GROWTH]
    return {
        "capacity": {"storage": size},
        "conditions": msgspec.to_builtins(kept),
        "allocatedResourceStatuses": {"storage": None},
    }


def is_for_one_pod(volume: PersistentVolume) -> bool:
    """Whether only one pod may use a volume at a time."""
    return volume.spec.accessModes == _ALONE


def mount_options(volume: PersistentVolume) -> Sequence[str]:
    """Return the options that a volume is to be mounted with."""
    old = volume.metadata.annotations.get(_OLD_MOUNT_OPTIONS, "")
    return old.split(",") if old else volume.spec.mountOptions


def _is_for(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    owner = controller_of(claim.metadata)
    return owner is not None and owner.uid == pod.metadata.uid
