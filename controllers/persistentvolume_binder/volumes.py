"""Plan for a volume: it is available, or bound to a claim, or its claim is gone and it is reclaimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NOTHING_TO_DO, WARNING, Facts, Lookup, Plan, event
from controllers.persistentvolume_binder.binding import enter_phase, unbind
from machinery.model.k8s.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS
from machinery.model.storage import PROVISIONED_BY
from machinery.model.volume_matching import differs_in_mode

_OVER: Final = ("Released", "Failed")


@dataclass(frozen=True, slots=True)
class SeenVolume:
    """What the plan for a volume knows."""

    volume: PersistentVolume
    claim: PersistentVolumeClaim | None = None  # that has the name which the volume refers to


def plan_volume(seen: SeenVolume, facts: Facts) -> Plan:
    """Plan for a volume; a claim that no cache shows is looked for before its volume is released."""
    volume, claim = seen.volume, seen.claim
    reference = volume.spec.claimRef
    if reference is None or not reference.uid:
        return Plan(enter_phase(volume, "Available"))
    if claim is None or claim.metadata.uid != reference.uid:
        return _release_unless_claimed(volume, reference, facts)
    if not claim.spec.volumeName:
        return _unfinished(volume, claim)
    if claim.spec.volumeName == volume.metadata.name:
        return Plan(enter_phase(volume, "Bound"))
    if PROVISIONED_BY in volume.metadata.annotations and _policy(volume) == "Delete":
        return _release(volume)  # it was made for a claim that got another
    return Plan((unbind(volume),))


def _policy(volume: PersistentVolume) -> str:
    return volume.spec.persistentVolumeReclaimPolicy


def _unfinished(volume: PersistentVolume, claim: PersistentVolumeClaim) -> Plan:
    """Leave it to the claim's own plan, which finishes the binding; say why it cannot."""
    if not differs_in_mode(claim, volume):
        return NOTHING_TO_DO
    names = volume.metadata.name, claim.metadata.name
    of_volume = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{names[1]}" due to incompatible volumeMode.'
    of_claim = f'Cannot bind PersistentVolume "{names[0]}" to requested PersistentVolumeClaim due to incompatible volumeMode.'
    return Plan(
        (
            event(volume, WARNING, "VolumeMismatch", of_volume),
            event(claim, WARNING, "VolumeMismatch", of_claim),
        )
    )


def _release_unless_claimed(volume: PersistentVolume, reference: ObjectReference, facts: Facts) -> Plan:
    if volume.status.phase in _OVER:
        return _release(volume)
    question = Lookup(PERSISTENT_VOLUME_CLAIMS, reference.namespace, reference.name)
    if question not in facts.objects:
        return Plan(needs=(question,))
    found = facts.objects[question]
    if found is not None and found.uid == reference.uid:
        return NOTHING_TO_DO  # the cache will show it
    return _release(volume)


def _release(volume: PersistentVolume) -> Plan:
    """Say that a volume is free of its claim; then reclaim it, where that is not its provisioner's to do."""
    if volume.status.phase not in _OVER:
        return Plan(enter_phase(volume, "Released"))
    if _policy(volume) == "Recycle":
        return _fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    if _policy(volume) == "Delete" and PROVISIONED_BY not in volume.metadata.annotations:
        name = volume.metadata.name
        text = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
        return _fail(volume, "VolumeFailedDelete", text)
    return NOTHING_TO_DO


def _fail(volume: PersistentVolume, reason: str, message: str) -> Plan:
    if volume.status.phase == "Failed":
        return NOTHING_TO_DO
    return Plan((*enter_phase(volume, "Failed", message), event(volume, WARNING, reason, message)))
