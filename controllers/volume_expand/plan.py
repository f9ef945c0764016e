"""Plan for one claim that asks for more than it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, NORMAL, NOTHING_TO_DO, Facts, Plan, event
from controllers.core.merge_patch import patch_at_revision, patch_status
from controllers.core.moment import Moment
from machinery.model import quantity
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import NODE_FOLDERS, PROVISIONED_BY
from machinery.model.volume_matching import is_bound_to, size_of_claim, size_of_volume

STORAGE: Final = "storage"
RESIZES: Final = frozenset(
    {"Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError"}
)
_EXTERNAL: Final = "waiting for an external controller to expand this PVC"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume


def is_to_grow(claim: PersistentVolumeClaim) -> bool:
    """Whether a claim is bound, and asks for more than it has."""
    return claim.status.phase == "Bound" and size_of_claim(claim) > _has(claim)


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a claim: its volume grows first, so that the claim never says more than there is."""
    claim, volume = seen.claim, seen.volume
    if not is_bound_to(volume, claim) or claim.metadata.deletionTimestamp:
        return NOTHING_TO_DO
    if volume.metadata.annotations.get(PROVISIONED_BY) != NODE_FOLDERS:
        return Plan((event(claim, NORMAL, "ExternalExpanding", _EXTERNAL),))
    if size_of_volume(volume) < size_of_claim(claim):
        grown = {"spec": {"capacity": {STORAGE: _asks_for(claim)}}}
        started = f"External resizer is resizing volume {volume.metadata.name}"
        return Plan(
            (event(claim, NORMAL, "Resizing", started), patch_at_revision(PERSISTENT_VOLUMES, volume, grown))
        )
    done = event(claim, NORMAL, "VolumeResizeSuccessful", "Resize volume succeeded")
    writes = patch_status(PERSISTENT_VOLUME_CLAIMS, claim, _grown(claim, volume))
    return Plan(tuple(replace(write, on_success=done) for write in writes))


def _grown(claim: PersistentVolumeClaim, volume: PersistentVolume) -> msgspec.Struct:
    """Return the status of a claim that has what its volume has: nothing of the resize is left to be done."""
    status = claim.status
    statuses = {name: text for name, text in status.allocatedResourceStatuses.items() if name != STORAGE}
    return msgspec.structs.replace(
        status,
        capacity={**status.capacity, STORAGE: volume.spec.capacity[STORAGE]},
        allocatedResources={**status.allocatedResources, STORAGE: volume.spec.capacity[STORAGE]},
        allocatedResourceStatuses=statuses,
        conditions=[each for each in status.conditions if each.type not in RESIZES],
    )


def _has(claim: PersistentVolumeClaim) -> Fraction:
    return quantity.parse(claim.status.capacity.get(STORAGE, "0"))


def _asks_for(claim: PersistentVolumeClaim) -> str:
    return claim.spec.resources.requests[STORAGE] if claim.spec.resources else "0"
