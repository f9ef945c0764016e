"""Claims of devices on their node: which drivers prepare them, what those have answered, and what a container gets of that.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from machinery.model.device_claims import PodClaim, is_reserved_for, not_owner
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.model.k8s.resource_v1 import ResourceClaim


class PreparedDevice(msgspec.Struct, frozen=True):
    """A device that a driver has prepared."""

    requests: tuple[str, ...]  # none: of all requests
    pool: str
    name: str
    cdi_ids: tuple[str, ...]


class PreparedClaim(msgspec.Struct, frozen=True):
    """A claim that drivers were asked to prepare for pods of this node."""

    namespace: str
    name: str
    uid: str
    pods: tuple[str, ...]  # the uids of those that use it
    drivers: tuple[str, ...]
    devices: dict[str, tuple[PreparedDevice, ...]] = {}  # by the drivers that have prepared it

    @property
    def is_prepared(self) -> bool:
        """Whether all of its drivers have prepared it."""
        return set(self.drivers) <= set(self.devices)

    def used_by(self, pod_uid: str) -> PreparedClaim:
        """Return the claim with one more pod that uses it."""
        return self if pod_uid in self.pods else msgspec.structs.replace(self, pods=(*self.pods, pod_uid))

    def unused_by(self, pod_uid: str) -> PreparedClaim:
        """Return the claim without a pod that used it."""
        return msgspec.structs.replace(self, pods=tuple(each for each in self.pods if each != pod_uid))

    def with_devices(self, driver: str, devices: Iterable[PreparedDevice]) -> PreparedClaim:
        """Return the claim with what a driver has prepared."""
        return msgspec.structs.replace(self, devices={**self.devices, driver: tuple(devices)})


def drivers_of(claim: ResourceClaim) -> tuple[str, ...]:
    """Return the drivers of a claim's devices, in the order of the devices."""
    allocation = claim.status.allocation
    results = allocation.devices.results if allocation and allocation.devices else []
    return tuple(dict.fromkeys(each.driver for each in results))


def problem_of(claim: ResourceClaim, own: PodClaim, pod: Pod) -> str:
    """Say why a pod may not use a claim; "" where it may."""
    if own.is_made and (text := not_owner(claim, pod)):
        return text
    if claim.status.allocation is None:
        return f"ResourceClaim {claim.metadata.name} is not allocated"
    if not is_reserved_for(claim, pod.metadata.uid):
        meta = claim.metadata
        whose = f"pod {pod.metadata.name}({pod.metadata.uid})"
        return f"{whose} is not allowed to use resource claim {meta.name}({meta.uid})"
    return ""


def cdi_ids(
    container: Container, objects: Mapping[str, str], prepared: Mapping[str, PreparedClaim]
) -> list[str]:
    """Return the CDI devices of a container, each once.

    `objects` are the pod's claims by their names in the pod, `prepared` by the names of the objects.

    Raises:
        LookupError: a claim is not prepared; the text names it.
    """
    found: dict[str, None] = {}
    for use in container.resources.claims if container.resources else ():
        name = objects.get(use.name)
        if name is None:
            continue
        claim = prepared.get(name)
        if claim is None or not claim.is_prepared:
            raise LookupError(name)
        found |= dict.fromkeys(_ids(claim, use.request))
    return list(found)


def _ids(claim: PreparedClaim, request: str) -> Iterator[str]:
    for devices in claim.devices.values():
        for device in devices:
            names = {each.partition("/")[0] for each in device.requests} | set(device.requests)
            if not request or not names or request in names:
                yield from device.cdi_ids
