"""The plugins that there are, in the order in which they are asked, and the profile that has all of them.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Plugin
from scheduler.core.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from scheduler.core.plugins.default_preemption import DefaultPreemption
from scheduler.core.plugins.dynamic_resources import DynamicResources
from scheduler.core.plugins.image_locality import ImageLocality
from scheduler.core.plugins.inter_pod_affinity import InterPodAffinity
from scheduler.core.plugins.node_affinity import NodeAffinity
from scheduler.core.plugins.node_name import NodeName
from scheduler.core.plugins.node_ports import NodePorts
from scheduler.core.plugins.node_resources_fit import NodeResourcesFit
from scheduler.core.plugins.node_unschedulable import NodeUnschedulable
from scheduler.core.plugins.node_volume_limits import NodeVolumeLimits
from scheduler.core.plugins.scheduling_gates import SchedulingGates
from scheduler.core.plugins.taint_toleration import TaintToleration
from scheduler.core.plugins.topology_spread import PodTopologySpread
from scheduler.core.plugins.unbuilt import Unbuilt
from scheduler.core.plugins.volume_binding import VolumeBinding
from scheduler.core.plugins.volume_restrictions import VolumeRestrictions
from scheduler.core.plugins.volume_zone import VolumeZone
from scheduler.core.pod import DEFAULT_SCHEDULER, PodInfo
from scheduler.core.profile import Profile, profile_of
from scheduler.core.snapshot import Snapshot

NO_NODES: Final = "NoNodes"  # stands for plugins where there was no node to filter
EXTENDER: Final = "Extender"  # stands for those where extenders rejected nodes: nobody knows what helps them

PLUGINS: Final[tuple[Plugin, ...]] = (
    Unbuilt(),
    SchedulingGates(),
    NodeUnschedulable(),
    NodeName(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    NodeResourcesFit(),
    VolumeRestrictions(),
    NodeVolumeLimits(),
    VolumeBinding(),
    VolumeZone(),
    PodTopologySpread(),
    InterPodAffinity(),
    DynamicResources(),
    DefaultPreemption(),
    NodeResourcesBalancedAllocation(),
    ImageLocality(),
)
DEFAULT: Final[Profile] = profile_of(DEFAULT_SCHEDULER, PLUGINS)


class Helping:
    """Which events may help the pods that some plugins rejected."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        helped_by = {NO_NODES: frozenset({ClusterEvent.NODE_ADDED})}
        opened_by: dict[str, frozenset[ClusterEvent]] = {}
        each_once = {id(each): each for each in plugins}.values()
        for each in each_once:  # profiles may have one with different arguments
            helped_by[each.name] = helped_by.get(each.name, frozenset()) | each.helped_by
            opened_by[each.name] = opened_by.get(each.name, frozenset()) | each.opened_by
        self._helped_by: Mapping[str, frozenset[ClusterEvent]] = helped_by
        self._opened_by: Mapping[str, frozenset[ClusterEvent]] = opened_by
        self._helped_by_pods = [each for each in each_once if ClusterEvent.POD_ARRIVED in each.helped_by]
        self.helps_kinds = all(each.helps_kinds for each in self._helped_by_pods)  # by a pod that has come
        self.heeded = frozenset[ClusterEvent]().union(*helped_by.values(), *opened_by.values())
        helped_by[EXTENDER] = frozenset(ClusterEvent) - {ClusterEvent.POD_CREATED}

    def helps(self, event: ClusterEvent, plugins: frozenset[str]) -> bool:
        """Whether an event may change the mind of one of the plugins that rejected nodes."""
        return any(event in self._helped_by[plugin] for plugin in plugins)

    def opens(self, event: ClusterEvent, plugin: str) -> bool:
        """Whether an event may have a plugin let in a pod that it holds back."""
        return event in self._opened_by[plugin]

    def is_helped(self, waiting: PodInfo, arrived: PodInfo, snapshot: Snapshot) -> bool:
        """Whether a pod that has come to a node may change a plugin's mind about one that waits."""
        return any(each.is_helped(waiting, arrived, snapshot) for each in self._helped_by_pods)


HELPING: Final = Helping(PLUGINS)
helps: Final = HELPING.helps
