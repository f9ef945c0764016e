"""The claims of devices of one pod: what its claims ask for now, which nodes have it, and what it gets on one of them.

A pod without claims has no filter. Filters are equal where claims ask for the same and nothing has changed that concerns every node:
pods of one template share what is known of nodes, and a node is judged again when something about its own devices changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from machinery.model.device_claims import is_reserved_for
from machinery.model.k8s.core_v1 import NodeSelector
from machinery.model.k8s.resource_v1 import AllocationResult, ResourceClaim
from machinery.model.placement import matches_term
from scheduler.core.devices import of_pod
from scheduler.core.devices.allocator import MOST_STEPS, AllocationError, Given, Supply, allocate
from scheduler.core.devices.asking import Asked, Asking, read_spec
from scheduler.core.devices.inventory import Devices
from scheduler.core.devices.pools import Device
from scheduler.core.devices.results import allocation_of
from scheduler.core.devices.selectors import SelectorError
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection, Stopped


@dataclass(frozen=True, slots=True)
class ClaimDevices:
    """A claim of a pod that is to be bound, and what it gets; None where it has its devices already."""

    claim: ResourceClaim
    allocation: AllocationResult | None


PodDevices = tuple[ClaimDevices, ...]
"""What has to be written of the claims of a pod before it can be bound to a node."""


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Judges nodes for pods whose claims have the same form."""

    form: tuple[bytes, ...]  # of each claim what it asks for, or where the devices are that it has
    version: int
    asking: tuple[Asking, ...] = field(compare=False)  # of the claims without devices
    reached: tuple[NodeSelector, ...] = field(compare=False)  # the nodes of the devices of the others
    devices: Devices = field(compare=False)
    most_steps: int = field(default=MOST_STEPS, compare=False)

    def rejection(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the pod with its devices, None where it can."""
        if not all(_selects(each, node) for each in self.reached):
            return of_pod.NOT_AVAILABLE
        if not self.asking:
            return None
        try:
            found = self._allocate(node)
        except AllocationError as problem:
            return Rejection(of_pod.NAME, (str(problem),), resolvable=False)
        return of_pod.NOT_ALLOCATED if found is None else None

    def choose(self, pod: PodInfo, node: NodeInfo) -> PodDevices:
        """Return what the claims of a pod get on a node that was not rejected."""
        given = iter(self._allocate(node) or ())
        found = (self._chosen(claim, given) for claim in of_pod.claims_of(pod, self.devices))
        return tuple(each for each in found if each.allocation or not is_reserved_for(each.claim, pod.uid))

    def _chosen(self, claim: ResourceClaim, given: Iterator[list[Given]]) -> ClaimDevices:
        if claim.status.allocation is not None:
            return ClaimDevices(claim, None)
        return ClaimDevices(claim, allocation_of(claim.spec, next(given), self.devices.classes))

    def _allocate(self, node: NodeInfo) -> list[list[Given]] | None:
        pools = self.devices.pools.of_node(node.name, node.labels)
        return allocate(self.asking, Supply(pools, self.devices.taken, self._selects, self.most_steps))

    def _selects(self, asked: Asked, device: Device) -> bool:
        selectors, class_ = self.devices.selectors, self.devices.classes[asked.class_name]
        of_class = (each.cel.expression for each in class_.spec.selectors if each.cel is not None)
        try:
            if not selectors.select(of_class, device):
                return False
        except SelectorError as problem:
            raise AllocationError(f"class {asked.class_name}: {problem}") from problem
        try:
            return selectors.select(asked.selectors, device)
        except SelectorError as problem:
            raise AllocationError(f"request {asked.name}: {problem}") from problem


def look_at_devices(pod: PodInfo, devices: Devices, most_steps: int = MOST_STEPS) -> DeviceFilter | Stopped:
    """Return what judges nodes by the devices of a pod with claims, trying so many devices for each node."""
    if missing := of_pod.missing_claim(pod, devices):
        return Stopped(of_pod.NAME, missing)
    form: list[bytes] = []
    asking: list[Asking] = []
    reached: list[NodeSelector] = []
    for claim in of_pod.claims_of(pod, devices):
        allocation = claim.status.allocation
        asked = None
        if allocation is None:
            asked = read_spec(claim.spec)
            asking.append(asked)
            form.append(msgspec.json.encode(claim.spec))
        elif allocation.nodeSelector is not None:
            reached.append(allocation.nodeSelector)
            form.append(msgspec.json.encode(allocation.nodeSelector))
        if why := of_pod.stopped(pod, claim, asked, devices):
            return Stopped(of_pod.NAME, why)
    return DeviceFilter(tuple(form), devices.version, tuple(asking), tuple(reached), devices, most_steps)


def to_deallocate(
    pod: PodInfo, devices: Devices, nodes: Callable[[], Iterable[NodeInfo]]
) -> ResourceClaim | None:
    """Return a claim of a pod that fits nowhere which nobody else uses and some node cannot reach; None where there is none."""
    for claim in of_pod.claims_of(pod, devices):
        allocation = claim.status.allocation
        if allocation is None or any(each.uid != pod.uid for each in claim.status.reservedFor):
            continue
        selector = allocation.nodeSelector
        if selector is not None and not all(_selects(selector, node) for node in nodes()):
            return claim
    return None


def _selects(selector: NodeSelector, node: NodeInfo) -> bool:
    return any(matches_term(term, node.labels, node.name) for term in selector.nodeSelectorTerms)
