"""From watch events to what the scheduler knows of claims, volumes, classes, drivers and their room."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.k8s.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from machinery.model.log import EventLog
from machinery.model.resources import (
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
)
from machinery.model.store import Change
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.pod import ClaimKey
from scheduler.core.storage import Storage, essential_claim, essential_volume
from scheduler.core.storage_capacity import essential_capacity, essential_driver, has_grown
from scheduler.following import follow

Happened: TypeAlias = Callable[[ClusterEvent, ClaimKey | None], None]


class StorageWatch:
    """The informers of storage. Which claim an event is about is told; None where it is about no claim."""

    def __init__(
        self, api: Api, storage: Storage, happened: Happened, *, clock: Clock, log: EventLog
    ) -> None:
        claims: Informer[PersistentVolumeClaim] = Informer(
            api, PERSISTENT_VOLUME_CLAIMS, clock=clock, keep=essential_claim, log=log
        )
        volumes: Informer[PersistentVolume] = Informer(
            api, PERSISTENT_VOLUMES, clock=clock, keep=essential_volume, log=log
        )
        classes: Informer[StorageClass] = Informer(api, STORAGE_CLASSES, clock=clock, log=log)
        nodes: Informer[CSINode] = Informer(api, CSI_NODES, clock=clock, log=log)
        drivers: Informer[CSIDriver] = Informer(api, CSI_DRIVERS, clock=clock, keep=essential_driver, log=log)
        capacities: Informer[CSIStorageCapacity] = Informer(
            api, CSI_STORAGE_CAPACITIES, clock=clock, keep=essential_capacity, log=log
        )
        self.informers: tuple[Informer[Any], ...] = (claims, volumes, classes, nodes, drivers, capacities)
        self._happened = happened
        follow(claims, storage.set_claim, storage.remove_claim, self._telling(ClusterEvent.CLAIM))
        follow(volumes, storage.set_volume, storage.remove_volume, self._telling(ClusterEvent.VOLUME))
        follow(classes, storage.set_class, storage.remove_class, self._telling(ClusterEvent.STORAGE_CLASS))
        follow(nodes, storage.set_csi_node, storage.remove_csi_node, self._telling(ClusterEvent.CSI_NODE))
        follow(
            drivers, storage.set_csi_driver, storage.remove_csi_driver, self._telling(ClusterEvent.CSI_DRIVER)
        )
        follow(
            capacities,
            storage.set_capacity,
            storage.remove_capacity,
            self._telling(ClusterEvent.CSI_CAPACITY),
        )

    def _telling(self, event: ClusterEvent) -> Callable[[Change[Any]], None]:
        return partial(self._tell, event)

    def _tell(self, event: ClusterEvent, change: Change[Any]) -> None:
        """Wake whom a change may help: what is gone helps nobody, except that the claim of a pod may be made anew."""
        meta = change.object.metadata
        if not _is_less_room(change):
            self._happened(event, (meta.namespace, meta.name) if event is ClusterEvent.CLAIM else None)


def _is_less_room(change: Change[Any]) -> bool:
    """Whether a driver has said that it has as much room as before, or less: drivers say it often."""
    new = change.new
    return isinstance(change.object, CSIStorageCapacity) and (new is None or not has_grown(change.old, new))
