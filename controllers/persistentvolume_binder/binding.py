"""The writes that bind a volume and a claim, and that undo it."""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.core.actions import Action, AllAtOnce, Patch, Write
from controllers.core.merge_patch import patch_at_revision, patch_status
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.requests import reference_to
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER
from machinery.model.volume_matching import is_bound_to


def bind(volume: PersistentVolume, claim: PersistentVolumeClaim) -> tuple[Action, ...]:
    """Bring both references about, the volume's first; where they are there, both statuses."""
    references = (*_refer_to_claim(volume, claim), *_refer_to_volume(claim, volume))
    if references:
        return references
    statuses: tuple[Write, ...] = (*enter_phase(volume, "Bound"), *_become_bound(claim, volume))
    return (AllAtOnce(statuses),) if statuses else ()


def unbind(volume: PersistentVolume) -> Patch:
    """Remove a volume's reference; one that its author made stays, without the uid."""
    if BOUND_BY_CONTROLLER in volume.metadata.annotations:
        change: dict[str, Any] = {
            "metadata": {"annotations": {BOUND_BY_CONTROLLER: None}},
            "spec": {"claimRef": None},
        }
    else:
        change = {"spec": {"claimRef": {"uid": None}}}
    return patch_at_revision(PERSISTENT_VOLUMES, volume, change)


def enter_phase(volume: PersistentVolume, phase: str, message: str = "") -> tuple[Patch, ...]:
    """Bring a volume to a phase; nothing where it is there."""
    if volume.status.phase == phase:
        return ()
    status = {"phase": phase, "message": message or None, "reason": None}
    return (patch_at_revision(PERSISTENT_VOLUMES, volume, {"status": status}, subresource="status"),)


def leave_unbound(claim: PersistentVolumeClaim, phase: str) -> tuple[Patch, ...]:
    """Bring a claim to a phase in which it has no volume."""
    without = msgspec.structs.replace(claim.status, phase=phase, accessModes=[], capacity={})
    return patch_status(PERSISTENT_VOLUME_CLAIMS, claim, without)


def _refer_to_claim(volume: PersistentVolume, claim: PersistentVolumeClaim) -> tuple[Patch, ...]:
    reference = volume.spec.claimRef
    if reference is not None and is_bound_to(volume, claim) and reference.uid:
        return ()
    change: dict[str, Any] = {"spec": {"claimRef": msgspec.to_builtins(reference_to(claim))}}
    if not is_bound_to(volume, claim):
        change["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
    return (patch_at_revision(PERSISTENT_VOLUMES, volume, change),)


def _refer_to_volume(claim: PersistentVolumeClaim, volume: PersistentVolume) -> tuple[Patch, ...]:
    notes, name = claim.metadata.annotations, volume.metadata.name
    change: dict[str, Any] = {}
    new_notes = {} if BIND_COMPLETED in notes else {BIND_COMPLETED: "yes"}
    if claim.spec.volumeName != name:
        change["spec"] = {"volumeName": name}
        new_notes |= {} if BOUND_BY_CONTROLLER in notes else {BOUND_BY_CONTROLLER: "yes"}
    if new_notes:
        change["metadata"] = {"annotations": new_notes}
    return (patch_at_revision(PERSISTENT_VOLUME_CLAIMS, claim, change),) if change else ()


def _become_bound(claim: PersistentVolumeClaim, volume: PersistentVolume) -> tuple[Patch, ...]:
    """Say what a claim has: its size when it becomes bound, for later on it may grow after its volume."""
    status = msgspec.structs.replace(claim.status, phase="Bound", accessModes=volume.spec.accessModes)
    if claim.status.phase != "Bound":
        status = msgspec.structs.replace(
            status,
            capacity=volume.spec.capacity,
            currentVolumeAttributesClassName=volume.spec.volumeAttributesClassName,
        )
    return patch_status(PERSISTENT_VOLUME_CLAIMS, claim, status)
