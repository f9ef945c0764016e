"""What the binder watches and looks at. The key of a volume has no namespace, that of a claim has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.core.volumes import (
    BY_CLAIM,
    BY_WAITING_FOR,
    POD_CLAIM_FIELDS,
    by_claim,
    by_waiting_for,
    claim_entry,
)
from controllers.persistentvolume_binder.claims import SeenClaim
from controllers.persistentvolume_binder.plan import Seen, plan
from controllers.persistentvolume_binder.volumes import SeenVolume
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.requests import EventType
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from machinery.model.storage import BIND_COMPLETED
from machinery.model.store import Change
from machinery.model.volume_matching import (
    AVAILABLE,
    class_of_claim,
    class_of_volume,
    default_class,
    has_class,
    is_default,
)

_BY_CLASS: Final = "class"  # volumes
_UNBOUND: Final = "unbound"  # claims that name no volume, by their class
_UNDECIDED: Final = "?"  # the class of those that leave it to the cluster: no class has this name
_DEFAULT: Final = "default"  # classes that are marked so
_BY_VOLUME: Final = "volume"  # claims by the volume that they name


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "persistentvolume-controller",
        (
            Watched(reader.claims, reader.of_claim),
            Watched(reader.volumes, reader.of_volume),
            Watched(reader.classes, reader.of_class),
        ),
        reader.look,
        plan,
        writes=frozenset(
            {
                "patch persistentvolumes",
                "patch persistentvolumes/status",
                "patch persistentvolumeclaims",
                "patch persistentvolumeclaims/status",
            }
        ),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.claims = caches.ask(
            PERSISTENT_VOLUME_CLAIMS, indexes={_UNBOUND: _by_class_if_unbound, _BY_VOLUME: _by_volume}
        )
        self.volumes = caches.ask(PERSISTENT_VOLUMES, indexes={BY_CLAIM: by_claim, _BY_CLASS: _by_class})
        self.classes = caches.ask(STORAGE_CLASSES, indexes={_DEFAULT: _if_default})
        self._pods = caches.ask(PODS, fields=POD_CLAIM_FIELDS, indexes={BY_WAITING_FOR: by_waiting_for})

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a claim with the volumes that it may have, or a volume with the claim that it refers to."""
        namespace, name = key
        if namespace:
            claim = self.claims.store.get(namespace, name)
            return None if claim is None else self._look_at_claim(claim)
        volume = self.volumes.store.get("", name)
        if volume is None:
            return None
        reference = volume.spec.claimRef
        claim = self.claims.store.get(reference.namespace, reference.name) if reference else None
        return SeenVolume(volume, claim)

    def _look_at_claim(self, claim: PersistentVolumeClaim) -> SeenClaim:
        if claim.spec.volumeName:
            return SeenClaim(claim, self.volumes.store.get("", claim.spec.volumeName))
        name, volumes = class_of_claim(claim), self.volumes.store
        entry = claim_entry(*key_of(claim.metadata))
        marked = self.classes.store.by_index(_DEFAULT, "") if not has_class(claim) else ()
        default = default_class(marked)
        pods = self._pods.store.by_index(BY_WAITING_FOR, entry)
        return SeenClaim(
            claim,
            volumes=[*volumes.by_index(BY_CLAIM, entry), *volumes.by_index(_BY_CLASS, name)],
            storage_class=self.classes.store.get("", name) if name else None,
            default_class=default.metadata.name if default else "",
            waiting_pods=tuple(pod.metadata.name for pod in pods),
        )

    def of_claim(self, change: Change[PersistentVolumeClaim]) -> Iterator[Key]:
        """Return a claim itself, and the volumes that refer to it, or that it names."""
        claim = change.object
        if change.kind is not EventType.DELETED:
            yield key_of(claim.metadata)
        for volume in self.volumes.store.by_index(BY_CLAIM, claim_entry(*key_of(claim.metadata))):
            yield "", volume.metadata.name
        if claim.spec.volumeName:
            yield "", claim.spec.volumeName

    def of_volume(self, change: Change[PersistentVolume]) -> Iterator[Key]:
        """Return a volume itself, the claims at both ends of a reference to or from it, and those that it may suit now."""
        volume = change.object
        if change.kind is not EventType.DELETED:
            yield "", volume.metadata.name
        for state in (change.old, change.new):
            if state is not None and (reference := state.spec.claimRef):
                yield reference.namespace, reference.name
        for claim in self.claims.store.by_index(_BY_VOLUME, volume.metadata.name):
            yield key_of(claim.metadata)
        if volume.spec.claimRef is None and volume.status.phase == AVAILABLE and change.new is not None:
            yield from self._unbound(class_of_volume(volume))

    def of_class(self, change: Change[StorageClass]) -> Iterator[Key]:
        """Return the claims that wait for a class, and those that it may be given to."""
        if change.kind is not EventType.DELETED:
            yield from self._unbound(change.object.metadata.name)
            if is_default(change.object):
                yield from self._unbound(_UNDECIDED)

    def _unbound(self, storage_class: str) -> Iterator[Key]:
        for claim in self.claims.store.by_index(_UNBOUND, storage_class):
            yield key_of(claim.metadata)


def _by_class_if_unbound(claim: PersistentVolumeClaim) -> Iterable[str]:
    if claim.spec.volumeName or BIND_COMPLETED in claim.metadata.annotations:
        return ()
    name = class_of_claim(claim)
    return (name,) if has_class(claim) else (name, _UNDECIDED)


def _if_default(storage_class: StorageClass) -> Iterable[str]:
    return ("",) if is_default(storage_class) else ()


def _by_volume(claim: PersistentVolumeClaim) -> Iterable[str]:
    return (claim.spec.volumeName,) if claim.spec.volumeName else ()


def _by_class(volume: PersistentVolume) -> Iterable[str]:
    return (class_of_volume(volume),)
