"""DynamicResources: the devices that a pod's claims ask for are free on the node, or the claims have devices that it can reach.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from typing import Final

from machinery.model.k8s.resource_v1 import ResourceClaim
from scheduler.core import messages
from scheduler.core.cluster_events import OF_DEVICES, ClusterEvent
from scheduler.core.devices.allocator import MOST_STEPS
from scheduler.core.devices.filter import DeviceFilter, PodDevices, look_at_devices, to_deallocate
from scheduler.core.devices.of_pod import NAME, missing_claim
from scheduler.core.framework import Filter, Plugin, Remedy, Verdicts
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot

DEALLOCATED: Final = "deallocation of ResourceClaim completed"
STILL_NOT: Final = "still not schedulable"


class DynamicResources(Plugin):
    """Filters nodes by the devices that can be had there, and reserves them; so many are tried for each node."""

    name = NAME
    helped_by = (
        frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS, ClusterEvent.NODE_TAINTS}) | OF_DEVICES
    )
    releases = frozenset({ClusterEvent.DEVICE_CLAIM})

    def __init__(self, most_steps: int = MOST_STEPS) -> None:
        self._most_steps = most_steps

    def asks_each(self, needs: Needs) -> bool:
        """Whether a pod may have claims of devices."""
        del needs
        return True

    def gate(self, pod: PodInfo, snapshot: Snapshot) -> str:
        """Return which claim is missing; a pod without one is let in when it comes."""
        return missing_claim(pod, snapshot.devices) if pod.device_claims else ""

    def need(self, pod: PodInfo, snapshot: Snapshot) -> DeviceFilter | Stopped | None:
        """Return what is asked for; with a claim that is not right no node can take the pod."""
        if not pod.device_claims:
            return None
        return look_at_devices(pod, snapshot.devices, self._most_steps)

    def filter(self, need: DeviceFilter, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.rejection)

    def remedy(self, pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Remedy:
        """Return a claim whose devices had better be elsewhere."""
        del verdicts
        if not pod.device_claims:
            return Remedy(messages.NO_CLAIMS)
        claim: ResourceClaim | None = to_deallocate(pod, snapshot.devices, snapshot.existing_nodes)
        return Remedy(STILL_NOT) if claim is None else Remedy(DEALLOCATED, claim)

    def reserve(
        self, pod: PodInfo, need: DeviceFilter, node: NodeInfo, snapshot: Snapshot
    ) -> PodDevices | None:
        """Return what the claims get."""
        del snapshot
        return need.choose(pod, node) or None

    def keep(self, reserved: PodDevices, node: str, snapshot: Snapshot) -> None:
        """Count the devices as given away."""
        del node
        for each in reserved:
            if each.allocation is not None:
                snapshot.devices.reserve(each.claim, each.allocation)

    def release(self, reserved: PodDevices, snapshot: Snapshot) -> None:
        """Count them as free."""
        for each in reserved:
            snapshot.devices.release(each.claim)
