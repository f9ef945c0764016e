"""What one object counts for.

https://kubernetes.io/docs/concepts/policy/resource-quotas/#types-of-resource-quota
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Final, NamedTuple

from machinery.model import amounts
from machinery.model import pod_totals as totals
from machinery.model.amounts import Amount, Amounts
from machinery.model.clock import Timescale
from machinery.model.json_objects import Json, metadata, spec

ONE: Final = amounts.whole(1)
_COMPUTED: Final = ("cpu", "memory", "ephemeral-storage")
_OF_CLASS: Final = ".storageclass.storage.k8s.io/"
_OLD_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_OF_DEVICE_CLASS: Final = ".deviceclass.resource.k8s.io/devices"
_DEVICE_CLASS_REQUEST: Final = "deviceclass.resource.kubernetes.io/"  # as pods ask for devices of a class
_MOST_DEVICES: Final = 32  # of one claim, in Kubernetes: what a request for all that there are counts for
CLAIM_RESOURCES: Final = ("persistentvolumeclaims", "requests.storage")
SERVICE_RESOURCES: Final = ("services", "services.nodeports", "services.loadbalancers")
_ENDED: Final = frozenset({"Failed", "Succeeded"})


class Moment(NamedTuple):
    """The time, as objects carry it."""

    now_s: float  # cluster seconds
    timescale: Timescale


def count_name(group: str, plural: str) -> str:
    """Return what a quota calls the number of objects of a resource."""
    return f"count/{plural}.{group}" if group else f"count/{plural}"


# Pods


def of_pod(pod: Json, moment: Moment) -> dict[str, Amount]:
    """Return what a pod counts for; one that has ended, or should have gone, is only one object."""
    found = {count_name("", "pods"): ONE}
    if is_charged(pod, moment):
        requests, limits = totals.charged(pod, "requests"), totals.charged(pod, "limits")
        found.update(compute_resources(requests, limits))
    return found


def is_charged(pod: Json, moment: Moment) -> bool:
    """Whether a pod takes anything of its node: not once it has ended, or stays beyond its grace period."""
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return False
    deleted, grace_s = (
        metadata(pod).get(f"deletion{field}") for field in ("Timestamp", "GracePeriodSeconds")
    )
    if deleted is None or grace_s is None:
        return True
    return moment.now_s <= moment.timescale.parse(deleted) + float(grace_s)


def compute_resources(requests: Amounts, limits: Amounts) -> dict[str, Amount]:
    """Return requests and limits under the names that quotas have for them."""
    found = {"pods": ONE}
    for name in _COMPUTED:
        if name in requests:
            found[name] = found[f"requests.{name}"] = requests[name]
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith(totals.HUGE_PAGES):
            found[name] = found[f"requests.{name}"] = amount
        elif is_extended(name) or name.startswith(_DEVICE_CLASS_REQUEST):
            found[f"requests.{name}"] = amount
    return found


def is_extended(name: str) -> bool:
    """Whether a resource is one that somebody extended nodes by."""
    return not _is_native(name) and not name.startswith("requests.")


def is_extended_in_quota(name: str) -> bool:
    """Whether a quota's resource is the request of one that somebody extended nodes by, or of the devices of a class."""
    return is_of_requested_class(name) or (not _is_native(name) and name.startswith("requests."))


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def missing_in_pod(pod: Json, required: frozenset[str]) -> str:
    """Return which of the required resources containers do not ask for: `must specify limits.cpu for: c`; "" for none.

    A pod that asks for resources as a whole need not ask in each container.
    """
    own = spec(pod)
    whole = (name for side in ("requests", "limits") for name in (own.get("resources") or {}).get(side) or ())
    if not required or any(map(totals.is_pod_level, whole)):
        return ""
    missing: dict[str, set[str]] = {}
    for container in (*(own.get("containers") or ()), *(own.get("initContainers") or ())):
        requests, limits = (totals.container_amounts(container, side) for side in ("requests", "limits"))
        for name in required - compute_resources(requests, limits).keys():
            missing.setdefault(name, set()).add(container.get("name", ""))
    said = [f"{name} for: {','.join(sorted(names))}" for name, names in sorted(missing.items())]
    return f"must specify {'; '.join(said)}" if said else ""


# Services


def of_service(service: Json, _moment: Moment) -> dict[str, Amount]:
    """Return what a Service counts for; its node ports are not given out yet, so that its ports are counted."""
    own = spec(service)
    ports, type_ = own.get("ports") or (), own.get("type")
    node_ports = 0
    if type_ == "NodePort" or (
        type_ == "LoadBalancer" and own.get("allocateLoadBalancerNodePorts") is not False
    ):
        node_ports = len(ports)
    elif type_ == "LoadBalancer":
        node_ports = sum(1 for port in ports if port.get("nodePort"))
    return {
        count_name("", "services"): ONE,
        "services": ONE,
        "services.nodeports": amounts.whole(node_ports),
        "services.loadbalancers": amounts.whole(int(type_ == "LoadBalancer")),
    }


# PersistentVolumeClaims


def of_claim(claim: Json, _moment: Moment) -> dict[str, Amount]:
    """Return what a claim counts for, in all and in its storage class."""
    found = {count_name("", "persistentvolumeclaims"): ONE, "persistentvolumeclaims": ONE}
    storage = _storage(claim)
    if storage is not None:
        found["requests.storage"] = storage
    if class_ := _storage_class(claim):
        by_class = {f"{class_}{_OF_CLASS}{name}": found[name] for name in CLAIM_RESOURCES if name in found}
        found.update(by_class)
    return found


def is_of_claim_class(name: str) -> bool:
    """Whether a quota's resource is about the claims of one storage class."""
    return any(name.endswith(f"{_OF_CLASS}{resource}") for resource in CLAIM_RESOURCES)


def _storage_class(claim: Json) -> str:
    old = (metadata(claim).get("annotations") or {}).get(_OLD_CLASS)
    return str(spec(claim).get("storageClassName") or "" if old is None else old)


def _storage(claim: Json) -> Amount | None:
    """Return how much a claim asks for, or has been given while it grows, in whole bytes."""
    asked = totals.container_amounts(spec(claim), "requests").get("storage")
    if asked is None:
        return None
    allocated = amounts.read((claim.get("status") or {}).get("allocatedResources")).get("storage")
    most = allocated if allocated is not None and allocated.value > asked.value else asked
    return Amount(Fraction(ceil(most.value)), most.family)


def attributes_classes(claim: Json) -> Iterator[str]:
    """Yield the VolumeAttributesClasses that a claim has, wants, or is on its way to."""
    status = claim.get("status") or {}
    changing = status.get("modifyVolumeStatus") or {}
    for name in (
        spec(claim).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        changing.get("targetVolumeAttributesClassName"),
    ):
        if name:
            yield name


# ResourceClaims


def of_device_claim(claim: Json, _moment: Moment) -> dict[str, Amount]:
    """Return what a ResourceClaim counts for: itself, and the devices that it asks for, by their class.

    Of alternatives each class counts for the most that one of them asks of it. Devices count under the name that pods have
    for them as well, so that one limit holds for both ways of asking.
    https://kubernetes.io/docs/concepts/policy/resource-quotas/#resource-quota-for-dra-resources
    """
    devices: Counter[str] = Counter()
    for request in (spec(claim).get("devices") or {}).get("requests") or ():
        worst: dict[str, int] = {}
        for each in request.get("firstAvailable") or [request.get("exactly") or {}]:
            if class_ := each.get("deviceClassName"):
                worst[class_] = max(worst.get(class_, 0), _device_count(each))
        devices.update(worst)
    found = {count_name("resource.k8s.io", "resourceclaims"): ONE}
    for class_, count in devices.items():
        found[f"{class_}{_OF_DEVICE_CLASS}"] = amounts.whole(count)
        found[f"requests.{_DEVICE_CLASS_REQUEST}{class_}"] = amounts.whole(count)
    return found


def _device_count(request: Json) -> int:
    match request.get("allocationMode") or "ExactCount":
        case "ExactCount":
            return int(request.get("count") or 1)
        case "All":
            return _MOST_DEVICES
    return 0


def is_of_device_class(name: str) -> bool:
    """Whether a quota's resource is about the devices of one class."""
    return name.endswith(_OF_DEVICE_CLASS) or is_of_requested_class(name)


def is_of_requested_class(name: str) -> bool:
    """Whether a quota's resource is about the devices of one class, by the name that pods ask for them by."""
    return name.startswith(f"requests.{_DEVICE_CLASS_REQUEST}")
