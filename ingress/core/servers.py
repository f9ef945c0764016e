"""The endpoints behind a rule, and their places in the proxy.

The proxy has a number of places for each backend, so that endpoints come and go without a new configuration: an endpoint
keeps its place for as long as it is there, and a free place is one out of service. More places than there are cost a reload,
so they are doubled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from ingress.core.rules import Target
from machinery.model.endpoints import address_types, backends_of
from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import EndpointSlice

FEWEST_PLACES: Final = 4


class Server(NamedTuple):
    """An endpoint."""

    ip: str
    port: int


Places: TypeAlias = tuple[Server | None, ...]


def find_port(service: Service, port: str) -> ServicePort | None:
    """Return a Service's port by its number or its name."""
    for each in service.spec.ports:
        if port in {each.name, str(each.port)} and port:
            return each
    return None


def why_not(target: Target, service: Service | None) -> str:
    """Return why a target can have no endpoints, "" where it can."""
    where = f"Service {target.namespace}/{target.service}"
    if service is None:
        return f"{where} does not exist"
    if service.spec.type == "ExternalName":
        return f"{where} is of the type ExternalName, which has no endpoints"
    return "" if find_port(service, target.port) else f"{where} has no port {target.port}"


def servers_of(
    target: Target, service: Service | None, slices: Sequence[EndpointSlice]
) -> tuple[Server, ...]:
    """Return the ready endpoints of a target, of the Service's first IP family, in order."""
    port = find_port(service, target.port) if service is not None else None
    if service is None or port is None or why_not(target, service):
        return ()
    family = address_types(service)[0]
    backends = backends_of(port, [each for each in slices if each.addressType == family])
    return tuple(sorted({Server(each.ip, each.port) for each in backends if each.ready}))


def place(before: Places, servers: Sequence[Server]) -> Places:
    """Return the places of these servers: those that had one keep it, others get a free one, of twice as many if need be."""
    wanted = set(servers)
    kept: list[Server | None] = [each if each in wanted else None for each in before]
    new = [each for each in servers if each not in set(kept)]
    size = max(len(kept), FEWEST_PLACES)
    while size < len(servers):
        size *= 2
    kept += [None] * (size - len(kept))
    free = [index for index, each in enumerate(kept) if each is None]
    for index, server in zip(free, new, strict=False):
        kept[index] = server
    return tuple(kept)
