"""Which endpoints a Service leads to: what its proxies and its DNS names read out of EndpointSlices.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/, KEP-1669 (terminating endpoints).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice

SERVICE_NAME: Final = "kubernetes.io/service-name"  # label of a slice: whose it is
HEADLESS: Final = "None"  # clusterIP of a Service without a virtual address
IPV4: Final = "IPv4"
IPV6: Final = "IPv6"
DEFAULT_PROTOCOL: Final = "TCP"

ServiceKey: TypeAlias = tuple[str, str]  # namespace, name

_NO_CONDITIONS: Final = EndpointConditions()


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint at one port, its conditions read by the API's defaults."""

    ip: str
    port: int
    node: str
    hostname: str  # "" for one that has no name of its own
    ready: bool
    serving: bool
    terminating: bool
    zone_hints: tuple[str, ...] = ()  # zones whose clients it is meant for
    node_hints: tuple[str, ...] = ()  # likewise nodes


def address_types(service: Service) -> list[str]:
    """Return the IP families that a Service has slices for."""
    if service.spec.ipFamilies:
        return list(service.spec.ipFamilies)
    return [IPV6 if ":" in service.spec.clusterIP else IPV4]


def service_of(slice_: EndpointSlice, address_type: str) -> ServiceKey | None:
    """Return the Service whose endpoints a slice of one IP family has, None for a slice of nobody or of another family."""
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return (slice_.metadata.namespace, name) if name and slice_.addressType == address_type else None


def backends_of(port: ServicePort, slices: Iterable[EndpointSlice]) -> list[Backend]:
    """Return the endpoints of a Service's port, in the order of its slices, whatever their state."""
    return [
        _backend(endpoint, number)
        for slice_ in slices
        if (number := port_in(slice_, port))
        for endpoint in slice_.endpoints
        if endpoint.addresses  # more than one mean the same endpoint
    ]


def port_in(slice_: EndpointSlice, port: ServicePort) -> int:
    """Return the number of a Service's port in a slice, where it goes by the same name; 0 if it is not there."""
    for candidate in slice_.ports:
        if candidate.name == port.name and protocol_of(candidate.protocol) == protocol_of(port.protocol):
            return candidate.port or 0
    return 0


def usable(backends: Sequence[Backend]) -> list[Backend]:
    """Return those that take new connections: the ready ones, else those that still serve while they terminate."""
    ready = [backend for backend in backends if backend.ready]
    return ready or [backend for backend in backends if backend.serving and backend.terminating]


def is_ready(endpoint: Endpoint) -> bool:
    """Whether an endpoint is ready; one of which that is unknown counts as ready."""
    return (endpoint.conditions or _NO_CONDITIONS).ready is not False


def protocol_of(text: str) -> str:
    """Return a port's protocol, TCP where it says none."""
    return text or DEFAULT_PROTOCOL


def _backend(endpoint: Endpoint, port: int) -> Backend:
    conditions, hints = endpoint.conditions or _NO_CONDITIONS, endpoint.hints
    ready = is_ready(endpoint)
    return Backend(
        ip=endpoint.addresses[0],
        port=port,
        node=endpoint.nodeName,
        hostname=endpoint.hostname,
        ready=ready,
        serving=ready if conditions.serving is None else conditions.serving,
        terminating=bool(conditions.terminating),
        zone_hints=tuple(zone.name for zone in hints.forZones) if hints else (),
        node_hints=tuple(node.name for node in hints.forNodes) if hints else (),
    )
