"""Plan for the load balancer of one Service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Action, Facts, Plan, Remember, event
from controllers.core.address_pool import NO_CHOICE, Choice
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import Service
from machinery.model.load_balancers import ANNOUNCER, FINALIZER, addresses, is_ours
from machinery.model.resources import SERVICES

_FAILED: Final = "Error syncing load balancer: failed to ensure load balancer: "


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be remembered: the address that a Service was given, though the cache may not show it yet; "" for none."""

    namespace: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    service: Service
    choice: Choice = NO_CHOICE  # of an address, for one that is to have a load balancer
    node: str = ""  # that is to answer for it, "" where none can
    addresses: tuple[
        str, ...
    ] = ()  # of the choice, one for each family of the Service; (): just the one that is chosen


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Bring a Service to its load balancer, or take it away; one write at a time, for each needs the revision of the last.

    The finalizer comes before everything and goes after everything; an address is only written when somebody answers.
    """
    service = seen.service
    if not is_ours(service) or service.metadata.deletionTimestamp:
        return _removed(service) if FINALIZER in service.metadata.finalizers else NOTHING_TO_DO
    if seen.choice.problem:
        return Plan((event(service, "Warning", "SyncLoadBalancerFailed", _FAILED + seen.choice.problem),))
    if FINALIZER not in service.metadata.finalizers:
        begun = event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        return Plan((begun, _patch(service, [*service.metadata.finalizers, FINALIZER], seen.node)))
    if service.metadata.annotations.get(ANNOUNCER, "") != seen.node:
        return Plan((_patch(service, service.metadata.finalizers, seen.node), *_moved(service, seen.node)))
    shown = seen.addresses or (seen.choice.address,)
    if addresses(service) != [*shown]:
        return _addressed(service, seen.choice.address, shown)
    return NOTHING_TO_DO


def _moved(service: Service, node: str) -> tuple[Action, ...]:
    if not node:
        text = "There are no available nodes for LoadBalancer"
        return (event(service, "Warning", "UnAvailableLoadBalancer", text),)
    if not addresses(service):
        return ()
    return (event(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts"),)


def _addressed(service: Service, address: str, shown: tuple[str, ...]) -> Plan:
    ingress = [{"ip": each, "ipMode": "VIP"} for each in shown]
    write = patch_at_revision(
        SERVICES, service, {"status": {"loadBalancer": {"ingress": ingress}}}, subresource="status"
    )
    done = event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
    meta = service.metadata
    return Plan((write, Remember(Given(meta.namespace, meta.name, address)), done))


def _removed(service: Service) -> Plan:
    """Return the next step of the way back: first the address goes, then the finalizer with the rest."""
    meta = service.metadata
    if addresses(service):
        begun = event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        cleared = {"status": {"loadBalancer": {"ingress": None}}}
        return Plan((begun, patch_at_revision(SERVICES, service, cleared, subresource="status")))
    rest = [each for each in meta.finalizers if each != FINALIZER]
    done = event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")
    return Plan((_patch(service, rest, ""), Remember(Given(meta.namespace, meta.name, "")), done))


def _patch(service: Service, finalizers: list[str], node: str) -> Any:
    metadata = {"finalizers": finalizers, "annotations": {ANNOUNCER: node or None}}
    return patch_at_revision(SERVICES, service, {"metadata": metadata})
