"""A cluster that is given as objects: the snapshot of it, and the pods that wait.

    objects ─▶ World.put ─▶ Snapshot (nodes, the pods on them, claims, owners…), waiting pods in their order

It takes what the scheduler's watch takes, and drops the same of it; other kinds are not for it (`TYPES`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from machinery.model.k8s.apps_v1 import ReplicaSet
from machinery.model.k8s.core_v1 import (
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Service,
)
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.k8s.resource_v1 import DeviceClass, ResourceClaim, ResourceSlice
from machinery.model.k8s.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from machinery.model.pods import is_terminal
from machinery.model.resources import KubeObject
from scheduler.core.devices.inventory import essential_device_claim
from scheduler.core.essential import essential
from scheduler.core.pod import PodInfo, PodReader
from scheduler.core.simulation.disruptions import disruptions_allowed
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import essential_claim, essential_volume

TYPES: Final[Mapping[tuple[str, str], type[KubeObject]]] = {
    ("v1", "Namespace"): Namespace,
    ("v1", "Node"): Node,
    ("v1", "PersistentVolume"): PersistentVolume,
    ("v1", "PersistentVolumeClaim"): PersistentVolumeClaim,
    ("v1", "Pod"): Pod,
    ("v1", "Service"): Service,
    ("apps/v1", "ReplicaSet"): ReplicaSet,
    ("policy/v1", "PodDisruptionBudget"): PodDisruptionBudget,
    ("resource.k8s.io/v1", "DeviceClass"): DeviceClass,
    ("resource.k8s.io/v1", "ResourceClaim"): ResourceClaim,
    ("resource.k8s.io/v1", "ResourceSlice"): ResourceSlice,
    ("storage.k8s.io/v1", "CSIDriver"): CSIDriver,
    ("storage.k8s.io/v1", "CSINode"): CSINode,
    ("storage.k8s.io/v1", "CSIStorageCapacity"): CSIStorageCapacity,
    ("storage.k8s.io/v1", "StorageClass"): StorageClass,
}
"""The kinds that decisions look at."""


@dataclass(frozen=True, slots=True)
class Member:
    """A pod of the world; `number` is what its object was put in by."""

    number: int
    pod: Pod
    info: PodInfo


class World:
    """Objects by kind and name; a later one of the same name is put in the place of the earlier."""

    def __init__(self, objects: Iterable[KubeObject] = ()) -> None:
        self.snapshot = Snapshot()
        self.reader = PodReader()
        self.nodes: dict[str, Node] = {}
        self.members: dict[str, Member] = {}  # by uid
        self.budgets: list[PodDisruptionBudget] = []
        snapshot = self.snapshot
        self._put: dict[type, Callable[[Any], object]] = {
            Namespace: lambda each: snapshot.namespaces.set(each.metadata.name, each.metadata.labels),
            Node: self._put_node,
            PersistentVolume: lambda each: snapshot.storage.set_volume(essential_volume(each)),
            PersistentVolumeClaim: lambda each: snapshot.storage.set_claim(essential_claim(each)),
            Service: snapshot.owners.set_service,
            ReplicaSet: snapshot.owners.set_replica_set,
            PodDisruptionBudget: self.budgets.append,
            DeviceClass: snapshot.devices.set_class,
            ResourceClaim: lambda each: snapshot.devices.set_claim(essential_device_claim(each)),
            ResourceSlice: snapshot.devices.set_slice,
            CSIDriver: snapshot.storage.set_csi_driver,
            CSINode: snapshot.storage.set_csi_node,
            CSIStorageCapacity: snapshot.storage.set_capacity,
            StorageClass: snapshot.storage.set_class,
        }
        for number, each in enumerate(objects):
            self.put(each, number)
        self.count_budgets()

    def put(self, obj: KubeObject, number: int = 0) -> None:
        """Add an object of one of `TYPES`.

        Raises:
            ValueError: it cannot be read; the text says why.
        """
        if isinstance(obj, Pod):
            self._put_pod(obj, number)
        else:
            self._put[type(obj)](obj)

    def count_budgets(self) -> None:
        """Note of each PodDisruptionBudget how many of its pods may go, now that all pods are there."""
        running = [each.info for each in self.running()]
        self.budgets = [
            replace(each, status=replace(each.status, disruptionsAllowed=disruptions_allowed(each, running)))
            for each in self.budgets
        ]
        for each in self.budgets:
            self.snapshot.set_budget(each)

    def waiting(self) -> list[Member]:
        """Return the pods without a node: those of the earliest creation first, then in the order in which they came."""
        waiting = [each for each in self.members.values() if not each.info.node]
        return sorted(waiting, key=lambda each: _created(each.pod))

    def running(self) -> list[Member]:
        """Return the pods that were put in with a node, in the order in which they came."""
        return [each for each in self.members.values() if each.info.node]

    def _put_node(self, node: Node) -> None:
        self.nodes[node.metadata.name] = node
        self.snapshot.set_node(node)

    def _put_pod(self, pod: Pod, number: int) -> None:
        if is_terminal(pod):
            return
        if not pod.metadata.uid:
            uid = f"{pod.metadata.namespace}/{pod.metadata.name}"
            pod = replace(pod, metadata=replace(pod.metadata, uid=uid))
        info = self.reader.read(essential(pod))
        self.members[info.uid] = Member(number, pod, info)
        if info.node:
            self.snapshot.set_pod(info)
        elif info.nominated:
            self.snapshot.nominate(info, info.nominated)


def _created(pod: Pod) -> str:
    """Return when a pod was created, as text that sorts; pods that are only described come last."""
    return pod.metadata.creationTimestamp or "~"
