"""What a scheduler plugin of one's own imports; docs/scheduler-plugin.md shows one.

`Plugin` says what there is to override, and when it is asked. Everything else is what its methods get and return.
"""

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Plugin, Remedy, Score, Sees
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import less_is_better, more_is_better
from scheduler.core.permit import Handle, Wait
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot

__all__ = [
    "ClusterEvent",
    "Filter",
    "Handle",
    "NodeInfo",
    "Plugin",
    "PodInfo",
    "Rejection",
    "Remedy",
    "Score",
    "Sees",
    "Snapshot",
    "Stopped",
    "Wait",
    "less_is_better",
    "more_is_better",
]
