"""Claims, volumes, classes, drivers and the room that they have, as the scheduler believes them to be.

Fed by the watch (`set_…`, `remove_…`) and by the loop: what a decision gives to claims counts at once (`reserve`), until the
watch shows the object again, whatever it says, or the decision is undone (`release`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from machinery.model.storage import BIND_COMPLETED, OLD_CLASS, SELECTED_NODE
from machinery.model.volume_matching import class_of_volume
from scheduler.core.pod import ClaimKey
from scheduler.core.storage_capacity import Capacities

essential_claim: Final = trimmer(
    PersistentVolumeClaim,
    (
        *(f"metadata.annotations[{name}]" for name in (BIND_COMPLETED, OLD_CLASS, SELECTED_NODE)),
        "metadata.deletionTimestamp",
        "metadata.ownerReferences",
        "spec",
        "status.phase",
    ),
)
"""Return the part of a claim that scheduling looks at."""

essential_volume: Final = trimmer(
    PersistentVolume,
    (
        f"metadata.annotations[{OLD_CLASS}]",
        "metadata.deletionTimestamp",
        "metadata.labels",
        "spec.accessModes",
        "spec.capacity",
        "spec.claimRef",
        "spec.csi.driver",
        "spec.csi.volumeHandle",
        "spec.nodeAffinity",
        "spec.storageClassName",
        "spec.volumeAttributesClassName",
        "spec.volumeMode",
        "status.phase",
    ),
)
"""Return the part of a volume that scheduling looks at."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A volume that is given to a claim."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume


@dataclass(frozen=True, slots=True)
class PodVolumes:
    """What has to be done for the claims of a pod before it can be bound to a node."""

    bindings: tuple[Binding, ...] = ()
    provisions: tuple[PersistentVolumeClaim, ...] = ()  # claims that get a new volume there


NO_VOLUMES: Final = PodVolumes()


class Storage:
    """What there is. `version` is raised by every change, and by every reservation."""

    def __init__(self) -> None:
        self.version = 0
        self.classes: dict[str, StorageClass] = {}
        self.csi_nodes: dict[str, CSINode] = {}
        self.capacities = Capacities()
        self._claims: dict[ClaimKey, PersistentVolumeClaim] = {}
        self._volumes: dict[str, PersistentVolume] = {}
        self._of_class: dict[str, dict[str, PersistentVolume]] = {}
        self._reserved_claims: dict[ClaimKey, PersistentVolumeClaim] = {}
        self._reserved_volumes: dict[str, PersistentVolume] = {}

    # -- what decisions look at --

    def claim(self, key: ClaimKey) -> PersistentVolumeClaim | None:
        """Return a claim as decisions have left it."""
        return self._reserved_claims.get(key) or self._claims.get(key)

    def volume(self, name: str) -> PersistentVolume | None:
        """Return a volume as decisions have left it."""
        return self._reserved_volumes.get(name) or self._volumes.get(name)

    def volumes_of_class(self, name: str) -> Iterable[PersistentVolume]:
        """Yield the volumes of a class ("" for none) as decisions have left them."""
        return (
            self._reserved_volumes.get(each, volume) for each, volume in self._of_class.get(name, {}).items()
        )

    # -- what the apiserver has --

    def stored_claim(self, key: ClaimKey) -> PersistentVolumeClaim | None:
        """Return a claim as the watch has shown it."""
        return self._claims.get(key)

    def stored_volume(self, name: str) -> PersistentVolume | None:
        """Return a volume as the watch has shown it."""
        return self._volumes.get(name)

    def set_claim(self, claim: PersistentVolumeClaim) -> None:
        """Add or replace a claim."""
        self._changed_claim(_key(claim), claim)

    def remove_claim(self, claim: PersistentVolumeClaim) -> None:
        """Remove a claim."""
        self._changed_claim(_key(claim), None)

    def set_volume(self, volume: PersistentVolume) -> None:
        """Add or replace a volume."""
        self.remove_volume(volume)
        self._volumes[volume.metadata.name] = volume
        self._of_class.setdefault(class_of_volume(volume), {})[volume.metadata.name] = volume

    def remove_volume(self, volume: PersistentVolume) -> None:
        """Remove a volume."""
        self.version += 1
        name = volume.metadata.name
        self._reserved_volumes.pop(name, None)
        if (known := self._volumes.pop(name, None)) is not None:
            self._of_class[class_of_volume(known)].pop(name, None)

    def set_class(self, storage_class: StorageClass) -> None:
        """Add or replace a class."""
        self.version += 1
        self.classes[storage_class.metadata.name] = storage_class

    def remove_class(self, storage_class: StorageClass) -> None:
        """Remove a class."""
        self.version += 1
        self.classes.pop(storage_class.metadata.name, None)

    def set_csi_node(self, node: CSINode) -> None:
        """Add or replace what is said of the drivers of a node."""
        self.version += 1
        self.csi_nodes[node.metadata.name] = node

    def remove_csi_node(self, node: CSINode) -> None:
        """Forget the drivers of a node."""
        self.version += 1
        self.csi_nodes.pop(node.metadata.name, None)

    def set_csi_driver(self, driver: CSIDriver) -> None:
        """Add or replace a driver."""
        self.version += 1
        self.capacities.set_driver(driver)

    def remove_csi_driver(self, driver: CSIDriver) -> None:
        """Remove a driver."""
        self.version += 1
        self.capacities.remove_driver(driver)

    def set_capacity(self, capacity: CSIStorageCapacity) -> None:
        """Add or replace what a driver says of the room that it has."""
        self.version += 1
        self.capacities.set(capacity)

    def remove_capacity(self, capacity: CSIStorageCapacity) -> None:
        """Forget what a driver has said of its room."""
        self.version += 1
        self.capacities.remove(capacity)

    # -- decisions --

    def reserve(self, volumes: PodVolumes, node: str) -> None:
        """Count volumes as given away, and claims as waiting for a new volume on a node."""
        self.version += 1
        for binding in volumes.bindings:
            self._reserved_volumes[binding.volume.metadata.name] = given_to(binding.volume, binding.claim)
        for claim in volumes.provisions:
            self._reserved_claims[_key(claim)] = on_node(claim, node)

    def release(self, volumes: PodVolumes) -> None:
        """Undo a reservation; what the watch has shown since stays. Idempotent."""
        self.version += 1
        for binding in volumes.bindings:
            self._reserved_volumes.pop(binding.volume.metadata.name, None)
        for claim in volumes.provisions:
            self._reserved_claims.pop(_key(claim), None)

    def _changed_claim(self, key: ClaimKey, claim: PersistentVolumeClaim | None) -> None:
        self.version += 1
        self._reserved_claims.pop(key, None)
        if claim is None:
            self._claims.pop(key, None)
        else:
            self._claims[key] = claim


def given_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    """Return a volume as it will be, reserved for a claim."""
    spec = msgspec.structs.replace(volume.spec, claimRef=reference_to(claim))
    return msgspec.structs.replace(volume, spec=spec)


def reference_to(claim: PersistentVolumeClaim) -> ObjectReference:
    """Return the reference of a volume to its claim."""
    meta = claim.metadata
    return ObjectReference(
        apiVersion="v1",
        kind="PersistentVolumeClaim",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
    )


def on_node(claim: PersistentVolumeClaim, node: str) -> PersistentVolumeClaim:
    """Return a claim as it will be, with the node that its volume is to be made on."""
    annotations = {**claim.metadata.annotations, SELECTED_NODE: node}
    meta = msgspec.structs.replace(claim.metadata, annotations=annotations)
    return msgspec.structs.replace(claim, metadata=meta)


def _key(claim: PersistentVolumeClaim) -> ClaimKey:
    return claim.metadata.namespace, claim.metadata.name
