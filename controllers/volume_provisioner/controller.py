"""What the provisioner watches and looks at. The key of a volume has no namespace, that of a claim has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.volume_provisioner.deleting import SeenVolume
from controllers.volume_provisioner.making import SeenClaim, volume_name
from controllers.volume_provisioner.plan import Seen, plan
from machinery.model.k8s.core_v1 import Node, PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import StorageClass
from machinery.model.requests import EventType
from machinery.model.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from machinery.model.storage import (
    FOLDER_OF_NODE,
    NODE_FOLDERS,
    PROVISIONED_BY,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
)
from machinery.model.store import Change
from machinery.model.volume_matching import class_of_claim

_WAITING: Final = "waiting for a folder"  # claims, by their class
_OF_NODE: Final = "folder of node"  # volumes, by the node that has their folder
_FOR_NODE: Final = "waiting for a node"  # claims, by the node on which they are to have a folder


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "volume-provisioner",
        (
            Watched(reader.claims, reader.of_claim),
            Watched(reader.volumes, reader.of_volume),
            Watched(reader.classes, reader.of_class),
            Watched(reader.nodes, reader.of_node),
        ),
        reader.look,
        plan,
        workers=5,
        writes=frozenset(
            {
                "create persistentvolumes",
                "patch persistentvolumes",
                "delete persistentvolumes",
                "patch persistentvolumes/status",
                "patch persistentvolumeclaims",
                "ask nodes/proxy",
            }
        ),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.claims = caches.ask(
            PERSISTENT_VOLUME_CLAIMS, indexes={_WAITING: _by_class_if_waiting, _FOR_NODE: _by_selected_node}
        )
        self.volumes = caches.ask(PERSISTENT_VOLUMES, indexes={_OF_NODE: _by_node})
        self.classes = caches.ask(STORAGE_CLASSES)
        self.nodes = caches.ask(NODES, fields=("metadata.labels",))

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a claim that waits for a folder, or a volume that is one."""
        namespace, name = key
        if namespace:
            claim = self.claims.store.get(namespace, name)
            return self._look_at_claim(claim) if claim is not None and _waits(claim) else None
        volume = self.volumes.store.get("", name)
        return SeenVolume(volume) if volume is not None and _is_folder(volume) else None

    def _look_at_claim(self, claim: PersistentVolumeClaim) -> SeenClaim:
        node = claim.metadata.annotations.get(SELECTED_NODE, "")
        return SeenClaim(
            claim,
            self.classes.store.get("", class_of_claim(claim)),
            self.nodes.store.get("", node),
            self.volumes.store.get("", volume_name(claim)) is not None,
        )

    def of_claim(self, change: Change[PersistentVolumeClaim]) -> Iterable[Key]:
        """Return a claim that waits for a folder."""
        waits = change.kind is not EventType.DELETED and _waits(change.object)
        return (key_of(change.object.metadata),) if waits else ()

    def of_volume(self, change: Change[PersistentVolume]) -> Iterator[Key]:
        """Return a volume that is a folder; where it is gone, the claim that it was made for."""
        if not _is_folder(change.object):
            return
        reference = change.object.spec.claimRef
        if change.kind is not EventType.DELETED:
            yield "", change.object.metadata.name
        elif reference is not None:
            yield reference.namespace, reference.name

    def of_class(self, change: Change[StorageClass]) -> Iterable[Key]:
        """Return the claims that wait for a folder of a class."""
        waiting = self.claims.store.by_index(_WAITING, change.object.metadata.name)
        return [key_of(claim.metadata) for claim in waiting]

    def of_node(self, change: Change[Node]) -> Iterator[Key]:
        """Return the volumes of a node that comes or goes, and the claims that wait for a folder of it."""
        if change.kind is EventType.MODIFIED:
            return
        name = change.object.metadata.name
        for volume in self.volumes.store.by_index(_OF_NODE, name):
            yield "", volume.metadata.name
        for claim in self.claims.store.by_index(_FOR_NODE, name):
            yield key_of(claim.metadata)


def _waits(claim: PersistentVolumeClaim) -> bool:
    is_ours = claim.metadata.annotations.get(STORAGE_PROVISIONER) == NODE_FOLDERS
    return is_ours and not claim.spec.volumeName


def _is_folder(volume: PersistentVolume) -> bool:
    return volume.metadata.annotations.get(PROVISIONED_BY) == NODE_FOLDERS


def _by_class_if_waiting(claim: PersistentVolumeClaim) -> Iterable[str]:
    return (class_of_claim(claim),) if _waits(claim) else ()


def _by_selected_node(claim: PersistentVolumeClaim) -> Iterable[str]:
    node = claim.metadata.annotations.get(SELECTED_NODE)
    return (node,) if node and _waits(claim) else ()


def _by_node(volume: PersistentVolume) -> Iterable[str]:
    node = volume.metadata.annotations.get(FOLDER_OF_NODE)
    return (node,) if node and _is_folder(volume) else ()
