"""Plan for one ServiceCIDR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Action, Facts, Plan
from controllers.core.merge_patch import patch_at_revision, patch_status
from controllers.core.moment import Moment
from machinery.model.conditions import set_condition
from machinery.model.k8s.meta_v1 import Condition
from machinery.model.k8s.networking_v1 import ServiceCIDR
from machinery.model.resources import SERVICE_CIDRS

FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
GRACE_S: Final = 10.0  # from a deletion on, in which apiservers come to know of it
_READY: Final = ("True", "", "Kubernetes Service CIDR is ready")
_BLOCKED: Final = (
    "False",
    "Terminating",
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
)

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    cidr: ServiceCIDR
    others: Sequence[ServiceCIDR] = ()  # that stay; asked for one that goes
    addresses: Iterable[str] = ()  # of Services, likewise


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a range."""
    cidr = seen.cidr
    if cidr.metadata.deletionTimestamp is None:
        return Plan((*_protected(cidr), *_says(cidr, _READY, moment)))
    if FINALIZER not in cidr.metadata.finalizers:
        return NOTHING_TO_DO
    if is_needed(seen):
        return Plan(_says(cidr, _BLOCKED, moment))
    wait_s = GRACE_S - moment.since(cidr.metadata.deletionTimestamp)
    if wait_s > 0:
        return Plan(requeue_after_s=wait_s)
    rest = [each for each in cidr.metadata.finalizers if each != FINALIZER]
    return Plan((patch_at_revision(SERVICE_CIDRS, cidr, {"metadata": {"finalizers": rest}}),))


def is_needed(seen: Seen) -> bool:
    """Whether a Service has an address of a range that is in no other one."""
    own = networks(seen.cidr)
    others = [network for other in seen.others for network in networks(other)]
    if all(any(_contains(other, network) for other in others) for network in own):
        return False
    return any(
        any(address in network for network in own) and not any(address in network for network in others)
        for address in map(ip_address, seen.addresses)
    )


def networks(cidr: ServiceCIDR) -> list[Network]:
    """Return the ranges of a ServiceCIDR."""
    return [ip_network(each) for each in cidr.spec.cidrs]


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)


def _protected(cidr: ServiceCIDR) -> tuple[Action, ...]:
    finalizers = cidr.metadata.finalizers
    if FINALIZER in finalizers:
        return ()
    return (patch_at_revision(SERVICE_CIDRS, cidr, {"metadata": {"finalizers": [*finalizers, FINALIZER]}}),)


def _says(cidr: ServiceCIDR, said: tuple[str, str, str], moment: Moment) -> tuple[Action, ...]:
    if FINALIZER not in cidr.metadata.finalizers:
        return ()  # the change that brings it brings the next plan
    status, reason, message = said
    condition = Condition(
        type="Ready", status=status, reason=reason, message=message, lastTransitionTime=moment.text
    )
    conditions = set_condition(cidr.status.conditions, condition, now_text=moment.text)
    return patch_status(SERVICE_CIDRS, cidr, msgspec.structs.replace(cidr.status, conditions=conditions))
