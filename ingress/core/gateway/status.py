"""What is written into the status of the Gateway API's objects.

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ingress.core.gateway.listeners import Door
from ingress.core.gateway.objects import (
    Address,
    ClassStatus,
    GatewayClass,
    GatewayStatus,
    ListenerStatus,
    Route,
    RouteParentStatus,
    RouteStatus,
)
from ingress.core.gateway.planning import JudgedGateway, JudgedParent
from ingress.core.gateway.services import own_ports
from ingress.core.gateway.verdicts import PARTIALLY_INVALID, PROGRAMMED, Verdict, bad, good, written
from ingress.core.status import addresses_of
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.meta_v1 import Condition


def class_status(class_: GatewayClass, verdict: Verdict, now_text: str) -> ClassStatus:
    """Return what a class says."""
    generation = class_.metadata.generation or 0
    return replace(
        class_.status, conditions=written(class_.status.conditions, [verdict], generation, now_text)
    )


def gateway_status(judged: JudgedGateway, service: Service | None, now_text: str) -> GatewayStatus:
    """Return what a Gateway says; `service` is the one in front of it, None while there is none."""
    gateway, before = judged.gateway, judged.gateway.status
    generation = gateway.metadata.generation or 0
    addresses = _addresses(service)
    ports = own_ports(service) if judged.accepted.status else {}
    programmed = [_listener_programmed(each, ports, judged.accepted) for each in judged.doors]
    verdicts = [judged.accepted, _programmed(judged, addresses, programmed)]
    said = {each.name: each.conditions for each in before.listeners}
    return GatewayStatus(
        addresses=addresses,
        conditions=written(before.conditions, verdicts, generation, now_text),
        listeners=[
            _listener_status(door, count, verdict, said.get(door.listener.name, ()), generation, now_text)
            for door, count, verdict in zip(judged.doors, judged.attached, programmed, strict=True)
        ],
    )


def _addresses(service: Service | None) -> list[Address]:
    found = addresses_of(service)
    return [
        Address(type="IPAddress" if each.ip else "Hostname", value=each.ip or each.hostname) for each in found
    ]


def _listener_programmed(door: Door, ports: dict[int, int], gateway: Verdict) -> Verdict:
    if not door.is_served or not gateway.status:
        return bad(PROGRAMMED, "Invalid", "it is not served: see the other conditions")
    if door.listener.port not in ports:
        return bad(PROGRAMMED, "Pending", f"the Gateway's Service has no port {door.listener.port} yet")
    return good(PROGRAMMED)


def _programmed(judged: JudgedGateway, addresses: list[Address], listeners: Sequence[Verdict]) -> Verdict:
    if not judged.accepted.status:
        return bad(PROGRAMMED, "Invalid", judged.accepted.message)
    values = {each.value for each in addresses}
    wanted = [each.value for each in judged.gateway.spec.addresses if each.value]
    if wanted and addresses and not values.issuperset(wanted):
        return bad(PROGRAMMED, "AddressNotUsable", f"it has {', '.join(sorted(values))}, not {wanted[0]}")
    if not addresses:
        return bad(PROGRAMMED, "AddressNotAssigned", "the Gateway's Service has no address yet")
    if not any(each.status for each in listeners):
        return listeners[0]
    return good(PROGRAMMED)


def _listener_status(
    door: Door,
    attached: int,
    programmed: Verdict,
    before: Sequence[Condition],
    generation: int,
    now_text: str,
) -> ListenerStatus:
    accepted, *others = door.verdicts
    return ListenerStatus(
        name=door.listener.name,
        supportedKinds=list(door.kinds),
        attachedRoutes=attached,
        conditions=written(before, [accepted, programmed, *others], generation, now_text),
    )


def route_status(route: Route, judged: Sequence[JudgedParent], controller: str, now_text: str) -> RouteStatus:
    """Return what a route says: what others have said of it stays, what was said of parents that it names no more goes."""
    generation = route.metadata.generation or 0
    before = {each.parentRef: each for each in route.status.parents if each.controllerName == controller}
    found = [each for each in route.status.parents if each.controllerName != controller]
    for parent, verdicts in judged:
        said = before[parent].conditions if parent in before else []
        gone = () if any(each.type == PARTIALLY_INVALID for each in verdicts) else (PARTIALLY_INVALID,)
        conditions = written(said, verdicts, generation, now_text, *gone)
        found.append(RouteParentStatus(parentRef=parent, controllerName=controller, conditions=conditions))
    return RouteStatus(parents=found)
