"""What can happen in a cluster that lets a pod fit."""

from __future__ import annotations

from enum import Enum
from typing import Final

from machinery.model.k8s.core_v1 import Node


class ClusterEvent(Enum):
    """What can happen that lets a pod fit; the values are the words of kube-scheduler's metrics for it."""

    NODE_ADDED = "NodeAdd"
    NODE_REMOVED = "NodeDelete"
    NODE_LABELS = "NodeUpdateNodeLabel"
    NODE_TAINTS = "NodeUpdateNodeTaint"  # and cordons
    NODE_ALLOCATABLE = "NodeUpdateNodeAllocatable"
    POD_CREATED = "UnscheduledPodAdd"  # without a node, for one of this scheduler's profiles
    POD_ARRIVED = "AssignedPodAdd"  # on a node
    POD_RELABELED = "AssignedPodUpdatePodLabel"
    POD_GONE = "AssignedPodDelete"  # from a node, or on its way
    CLAIM = "PersistentVolumeClaimUpdate"  # added or changed, as those of storage below
    VOLUME = "PersistentVolumeUpdate"
    STORAGE_CLASS = "storage.k8s.io/StorageClassUpdate"
    CSI_NODE = "storage.k8s.io/CSINodeUpdate"
    CSI_DRIVER = "storage.k8s.io/CSIDriverUpdate"
    CSI_CAPACITY = "storage.k8s.io/CSIStorageCapacityUpdate"  # added, or there is more
    DEVICE_CLAIM = "ResourceClaimUpdate"
    DEVICE_CLASS = "DeviceClassUpdate"
    RESOURCE_SLICE = "ResourceSliceUpdate"
    NAMESPACE = "NamespaceUpdate"  # added, or its labels changed


OF_STORAGE: Final = frozenset(
    {
        ClusterEvent.CLAIM,
        ClusterEvent.VOLUME,
        ClusterEvent.STORAGE_CLASS,
        ClusterEvent.CSI_NODE,
        ClusterEvent.CSI_DRIVER,
        ClusterEvent.CSI_CAPACITY,
    }
)
OF_DEVICES: Final = frozenset(
    {ClusterEvent.DEVICE_CLAIM, ClusterEvent.DEVICE_CLASS, ClusterEvent.RESOURCE_SLICE}
)


def node_events(old: Node | None, new: Node | None) -> list[ClusterEvent]:
    """Name what a change of a node means; a heartbeat means nothing."""
    if new is None:
        return [ClusterEvent.NODE_REMOVED]
    if old is None:
        return [ClusterEvent.NODE_ADDED]
    events = {
        ClusterEvent.NODE_LABELS: old.metadata.labels != new.metadata.labels,
        ClusterEvent.NODE_TAINTS: _barriers(old) != _barriers(new),
        ClusterEvent.NODE_ALLOCATABLE: old.status.allocatable != new.status.allocatable,
    }
    return [event for event, happened in events.items() if happened]


def _barriers(node: Node) -> tuple[bool, list[tuple[str, str, str]]]:
    taints = [(taint.key, taint.value, taint.effect) for taint in node.spec.taints]
    return bool(node.spec.unschedulable), taints
