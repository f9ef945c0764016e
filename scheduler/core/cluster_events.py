"""What can happen in a cluster that lets a pod fit."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from machinery.model.k8s.core_v1 import Node


class ClusterEvent(Enum):
    """What can happen that lets a pod fit."""

    NODE_ADDED = auto()
    NODE_REMOVED = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()  # and cordons
    NODE_ALLOCATABLE = auto()
    POD_CREATED = auto()  # without a node, for one of this scheduler's profiles
    POD_ARRIVED = auto()  # on a node
    POD_RELABELED = auto()
    POD_GONE = auto()  # from a node, or on its way
    CLAIM = auto()  # added or changed, as those of storage below
    VOLUME = auto()
    STORAGE_CLASS = auto()
    CSI_NODE = auto()
    CSI_DRIVER = auto()
    CSI_CAPACITY = auto()  # added, or there is more
    DEVICE_CLAIM = auto()
    DEVICE_CLASS = auto()
    RESOURCE_SLICE = auto()
    NAMESPACE = auto()  # added, or its labels changed


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
