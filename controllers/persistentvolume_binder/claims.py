"""Plan for a claim: the volume that it is bound to, or what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controllers.core.actions import (
    NORMAL,
    NOTHING_TO_DO,
    WARNING,
    Action,
    Facts,
    Lookup,
    Plan,
    RecordEvent,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.persistentvolume_binder.binding import bind, leave_unbound
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import (
    BETA_STORAGE_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
)
from machinery.model.volume_matching import (
    class_of_claim,
    find_volume,
    has_class,
    is_bound_to,
    refusal,
    waits_for_consumer,
)

_IN_TREE = "kubernetes.io/"  # provisioners that would be part of the controllers themselves: there is none
_LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
_LOST_VOLUME = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
_MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"
_NOTHING_THERE = "no persistent volumes available for this claim and no storage class is set"


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """What the plan for a claim knows."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume | None = None  # that it names, if there is one
    volumes: Sequence[PersistentVolume] = ()  # where it names none: of its class, or that refer to it
    storage_class: StorageClass | None = None  # its own
    default_class: str = ""  # that it would get if it had none; "" for none
    waiting_pods: tuple[str, ...] = ()  # which use it and have no node yet


def plan_claim(seen: SeenClaim, facts: Facts) -> Plan:
    """Plan for a claim."""
    claim = seen.claim
    if BIND_COMPLETED in claim.metadata.annotations:
        return _keep(seen, facts)
    if claim.metadata.deletionTimestamp:
        return NOTHING_TO_DO
    return _bind_named(seen) if claim.spec.volumeName else _bind_any(seen)


def _keep(seen: SeenClaim, facts: Facts) -> Plan:
    """Keep a bound claim bound; where its volume is not there, and no cache is behind, it is lost."""
    claim, volume = seen.claim, seen.volume
    if not claim.spec.volumeName:
        return _lose(claim, "ClaimLost", _LOST_REFERENCE)
    if volume is None:
        question = Lookup(PERSISTENT_VOLUMES, "", claim.spec.volumeName)
        if claim.status.phase == "Lost":
            return NOTHING_TO_DO
        if question not in facts.objects:
            return Plan(needs=(question,))
        is_there = facts.objects[question] is not None
        return NOTHING_TO_DO if is_there else _lose(claim, "ClaimLost", _LOST_VOLUME)
    reference = volume.spec.claimRef
    if reference is None or reference.uid == claim.metadata.uid:
        return Plan(bind(volume, claim))
    return _lose(claim, "ClaimMisbound", _MISBOUND)


def _lose(claim: PersistentVolumeClaim, reason: str, message: str) -> Plan:
    if claim.status.phase == "Lost":
        return NOTHING_TO_DO
    return Plan((*leave_unbound(claim, "Lost"), event(claim, WARNING, reason, message)))


def _bind_named(seen: SeenClaim) -> Plan:
    """Bind a claim to the volume that it names, if that is there, fits and is free."""
    claim, volume = seen.claim, seen.volume
    if volume is None:
        return _wait(claim)
    name = volume.metadata.name
    if is_bound_to(volume, claim):
        return Plan(bind(volume, claim))
    if volume.spec.claimRef is not None:
        text = f'volume "{name}" already bound to a different claim.'
        said = event(claim, WARNING, "FailedBinding", text)
        return Plan((said,)) if BOUND_BY_CONTROLLER in claim.metadata.annotations else _wait(claim, said)
    if why := refusal(claim, volume):
        text = f'Cannot bind to requested volume "{name}": {why}'
        return _wait(claim, event(claim, WARNING, "VolumeMismatch", text))
    return Plan(bind(volume, claim))


def _bind_any(seen: SeenClaim) -> Plan:
    """Bind a claim to a volume that fits; without one, say what it waits for."""
    claim = seen.claim
    is_delayed = waits_for_consumer(seen.storage_class)
    volume = find_volume(claim, seen.volumes, is_delayed=is_delayed)
    if volume is not None:
        return Plan(bind(volume, claim))
    if seen.default_class and not has_class(claim):
        change = {"spec": {"storageClassName": seen.default_class}}
        return Plan((patch_at_revision(PERSISTENT_VOLUME_CLAIMS, claim, change),))
    if is_delayed and SELECTED_NODE not in claim.metadata.annotations:
        return _wait(claim, _first_consumer(seen))
    if class_of_claim(claim):
        return Plan(_provision(claim, seen.storage_class))
    return _wait(claim, event(claim, NORMAL, "FailedBinding", _NOTHING_THERE))


def _wait(claim: PersistentVolumeClaim, *said: RecordEvent) -> Plan:
    return Plan((*said, *leave_unbound(claim, "Pending")))


def _first_consumer(seen: SeenClaim) -> RecordEvent:
    pods = seen.waiting_pods
    if not pods:
        text = "waiting for first consumer to be created before binding"
        return event(seen.claim, NORMAL, "WaitForFirstConsumer", text)
    what = "pod" if len(pods) == 1 else "pods"
    text = f"waiting for {what} {','.join(pods)} to be scheduled"
    return event(seen.claim, NORMAL, "WaitForPodScheduled", text)


def _provision(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> tuple[Action, ...]:
    """Have a new volume made: every provisioner is a program of its own, which the claim's annotation calls."""
    if storage_class is None:
        text = f'storageclass.storage.k8s.io "{class_of_claim(claim)}" not found'
        return (event(claim, WARNING, "ProvisioningFailed", text),)
    provisioner = storage_class.provisioner
    if provisioner.startswith(_IN_TREE):
        text = f"no volume plugin matched name: {provisioner}"
        return (event(claim, WARNING, "ProvisioningFailed", text),)
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )
    return (*_call(claim, provisioner), event(claim, NORMAL, "ExternalProvisioning", text))


def _call(claim: PersistentVolumeClaim, provisioner: str) -> tuple[Action, ...]:
    if claim.metadata.annotations.get(STORAGE_PROVISIONER) == provisioner:
        return ()
    notes = dict.fromkeys((BETA_STORAGE_PROVISIONER, STORAGE_PROVISIONER), provisioner)
    change = {"metadata": {"annotations": notes}}
    return (patch_at_revision(PERSISTENT_VOLUME_CLAIMS, claim, change),)
