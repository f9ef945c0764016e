"""The claims of a pod: which are missing, and what keeps it from every node.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

from typing import Final

from machinery.model.device_claims import can_be_reserved, is_reserved_for, not_made_for
from machinery.model.k8s.resource_v1 import ResourceClaim
from machinery.model.owners import controller_of
from scheduler.core.devices.asking import Asking
from scheduler.core.devices.inventory import Devices
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection

NAME: Final = "DynamicResources"
NOT_AVAILABLE: Final = Rejection(NAME, ("resourceclaim not available on the node",), resolvable=False)
NOT_ALLOCATED: Final = Rejection(NAME, ("cannot allocate all claims",), resolvable=False)


def missing_claim(pod: PodInfo, devices: Devices) -> str:
    """Say which claim of a pod is not there yet; "" where all are, and the pod can be looked at."""
    for each in pod.device_claims:
        if each.object is None:
            continue
        if not each.object:
            return f'pod "{pod.key}": pod claim name not found: {each.name}'
        claim = devices.claim((pod.namespace, each.object))
        if claim is None:
            return f'resourceclaim.resource.k8s.io "{each.object}" not found'
        if claim.metadata.deletionTimestamp:
            return f'resourceclaim "{each.object}" is being deleted'
        owner = controller_of(claim.metadata)
        if each.is_made and (owner is None or owner.uid != pod.uid):
            return not_made_for(claim.metadata, pod.namespace, pod.name)
    return ""


def claims_of(pod: PodInfo, devices: Devices) -> list[ResourceClaim]:
    """Return the claims of a pod that has all of them."""
    found = (devices.claim((pod.namespace, each.object)) for each in pod.device_claims if each.object)
    return [each for each in found if each is not None]


def stopped(pod: PodInfo, claim: ResourceClaim, asking: Asking | None, devices: Devices) -> str:
    """Say why a claim keeps its pod from every node; "" where it does not. `asking` is None for one that has its devices."""
    where = claim.metadata.namespace, claim.metadata.name
    if asking is None:
        is_free = is_reserved_for(claim, pod.uid) or can_be_reserved(claim)
        return "" if is_free else "resourceclaim in use"
    if devices.is_in_flight(where):
        return f"resource claim {'/'.join(where)} is in the process of being allocated"
    for request in asking.requests:
        for each in request.alternatives:
            if each.class_name not in devices.classes:
                return f"request {each.name}: device class {each.class_name} does not exist"
    return ""
