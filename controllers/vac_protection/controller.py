"""What the protection of VolumeAttributesClasses watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.vac_protection.plan import CLASSES, Seen, plan
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.requests import EventType
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.store import Change

_BY_ATTRIBUTES: Final = "attributes-class"
_CLAIM_FIELDS: Final = (
    "spec.volumeAttributesClassName",
    "status.currentVolumeAttributesClassName",
    "status.modifyVolumeStatus",
)


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    classes = caches.ask_for_metadata(CLASSES)
    claims = caches.ask(
        PERSISTENT_VOLUME_CLAIMS, fields=_CLAIM_FIELDS, indexes={_BY_ATTRIBUTES: _classes_of_claim}
    )
    volumes = caches.ask(
        PERSISTENT_VOLUMES,
        fields=("spec.volumeAttributesClassName",),
        indexes={_BY_ATTRIBUTES: _classes_of_volume},
    )

    def look(key: Key, _moment: Moment) -> Seen | None:
        found = classes.store.get(*key)
        if found is None:
            return None
        name = found.metadata.name
        stores = (claims.store, volumes.store)
        return Seen(found.metadata, any(store.count(_BY_ATTRIBUTES, name) for store in stores))

    def had(names: Iterable[str], has: Iterable[str]) -> Iterable[Key]:
        """Return the deleted ones of the classes that somebody has no more."""
        for name in {*names} - {*has}:
            of_class = classes.store.get("", name)
            if of_class is not None and of_class.metadata.deletionTimestamp:
                yield key_of(of_class.metadata)

    def classes_of_claim(change: Change[PersistentVolumeClaim]) -> Iterable[Key]:
        return had(*(_classes_of_claim(each) if each else () for each in (change.old, change.new)))

    def classes_of_volume(change: Change[PersistentVolume]) -> Iterable[Key]:
        return had(*(_classes_of_volume(each) if each else () for each in (change.old, change.new)))

    def itself_unless_gone(change: Change[MetadataOnly]) -> Iterable[Key]:
        return () if change.kind is EventType.DELETED else itself(change)

    return Controller(
        "volumeattributesclass-protection-controller",
        (
            Watched(classes, itself_unless_gone),
            Watched(claims, classes_of_claim),
            Watched(volumes, classes_of_volume),
        ),
        look,
        plan,
        writes=frozenset({"patch volumeattributesclasses.storage.k8s.io"}),
    )


def _classes_of_claim(claim: PersistentVolumeClaim) -> tuple[str, ...]:
    modified = claim.status.modifyVolumeStatus
    found = (
        claim.spec.volumeAttributesClassName,
        claim.status.currentVolumeAttributesClassName,
        modified.targetVolumeAttributesClassName if modified else "",
    )
    return tuple(dict.fromkeys(name for name in found if name))


def _classes_of_volume(volume: PersistentVolume) -> tuple[str, ...]:
    return (volume.spec.volumeAttributesClassName,) if volume.spec.volumeAttributesClassName else ()
