"""Which changes of the cluster may help a pod that a plugin has rejected: the others wake nobody.

https://github.com/kubernetes/enhancements/tree/master/keps/sig-scheduling/4247-queueinghint
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from machinery.model.k8s.core_v1 import Node
from scheduler.core import unbuilt
from scheduler.core.plugins import (
    dynamic_resources,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    taint_toleration,
    topology_spread,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from scheduler.core.schedule import NO_NODES_PLUGIN


class ClusterEvent(Enum):
    """What can happen that lets a pod fit."""

    NODE_ADDED = auto()
    NODE_REMOVED = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()  # and cordons
    NODE_ALLOCATABLE = auto()
    POD_ARRIVED = auto()  # on a node
    POD_RELABELED = auto()
    POD_GONE = auto()  # from a node, or on its way
    CLAIM = auto()  # added or changed, as the three below
    VOLUME = auto()
    STORAGE_CLASS = auto()
    CSI_NODE = auto()
    DEVICE_CLAIM = auto()
    DEVICE_CLASS = auto()
    RESOURCE_SLICE = auto()


_E: Final = ClusterEvent
_OF_STORAGE: Final = frozenset({_E.CLAIM, _E.VOLUME, _E.STORAGE_CLASS, _E.CSI_NODE})
_OF_DEVICES: Final = frozenset({_E.DEVICE_CLAIM, _E.DEVICE_CLASS, _E.RESOURCE_SLICE})
HELPS: Final[dict[str, frozenset[ClusterEvent]]] = {
    NO_NODES_PLUGIN: frozenset({_E.NODE_ADDED}),
    node_unschedulable.NAME: frozenset({_E.NODE_ADDED, _E.NODE_TAINTS}),
    node_name.NAME: frozenset({_E.NODE_ADDED}),
    taint_toleration.NAME: frozenset({_E.NODE_ADDED, _E.NODE_TAINTS}),
    node_affinity.NAME: frozenset({_E.NODE_ADDED, _E.NODE_LABELS}),
    node_ports.NAME: frozenset({_E.NODE_ADDED, _E.POD_GONE}),
    node_resources_fit.NAME: frozenset({_E.NODE_ADDED, _E.NODE_ALLOCATABLE, _E.POD_GONE}),
    topology_spread.NAME: frozenset(_E) - {_E.NODE_ALLOCATABLE} - _OF_STORAGE - _OF_DEVICES,
    volume_restrictions.NAME: frozenset({_E.NODE_ADDED, _E.POD_GONE, _E.CLAIM}),
    node_volume_limits.NAME: frozenset({_E.NODE_ADDED, _E.POD_GONE, _E.CLAIM, _E.CSI_NODE}),
    volume_binding.NAME: frozenset({_E.NODE_ADDED, _E.NODE_LABELS}) | _OF_STORAGE,
    volume_zone.NAME: frozenset({_E.NODE_ADDED, _E.NODE_LABELS, _E.CLAIM, _E.VOLUME, _E.STORAGE_CLASS}),
    dynamic_resources.NAME: frozenset({_E.NODE_ADDED, _E.NODE_LABELS, _E.NODE_TAINTS}) | _OF_DEVICES,
    unbuilt.NAME: frozenset({_E.POD_GONE}),  # it may have been the one that repels
}


def helps(event: ClusterEvent, plugins: frozenset[str]) -> bool:
    """Whether an event may change the mind of one of the plugins that rejected nodes."""
    return any(event in HELPS[plugin] for plugin in plugins)


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
