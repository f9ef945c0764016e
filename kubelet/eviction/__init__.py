"""Ends pods that take more of the node's disk than they may, and pods of a node that runs short.

- `manager` looks every ten seconds, decides by `kubelet.core.eviction`, and has `pod_workers` end pods;
- `reclaim` makes room on a disk that is too full without ending a pod;
- `signals` reads what the node has left; `disks` measures what pods have written, only where that matters.
"""

from __future__ import annotations

from kubelet.eviction.disks import PodDisks, RecentDisks
from kubelet.eviction.manager import EvictionManager
from kubelet.eviction.reclaim import NodeReclaim
from kubelet.eviction.signals import NodeSignals

__all__ = ["EvictionManager", "NodeReclaim", "NodeSignals", "PodDisks", "RecentDisks"]
