"""Which endpoints a Service's port leads to.

Input is the API's own objects; output is one `PortPlan` for each port of each Service that needs rules, in a stable
order. The ruleset, and what is forgotten of UDP, are written from these.

https://kubernetes.io/docs/reference/networking/virtual-ips/, KEP-1669 (terminating endpoints), KEP-2086
(internalTrafficPolicy).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
OTHER_PROXY_LABEL: Final = "service.kubernetes.io/service-proxy-name"  # such a Service is another proxy's
PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})
DEFAULT_AFFINITY_S: Final = 10_800

_NO_CONDITIONS: Final = EndpointConditions()


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One address and port that a Service's port may lead to."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One port of one Service, and where it leads.

    `cluster` and `local` are the endpoints that take new connections, under the Cluster and the Local traffic
    policy; `serving` are all that may still have old ones. Each is sorted and free of duplicates.
    """

    namespace: str
    service: str
    name: str  # "" for the only port of a Service
    protocol: str  # "tcp", "udp", "sctp"
    cluster_ip: str
    external_ips: tuple[str, ...]
    port: int
    node_port: int  # 0 for none
    affinity_s: int  # 0: every connection on its own
    internal_local: bool
    external_local: bool
    cluster: tuple[Target, ...]
    local: tuple[Target, ...]
    serving: tuple[Target, ...]

    @property
    def has_external(self) -> bool:
        """Whether it is reached by other addresses than its ClusterIP."""
        return bool(self.node_port or self.external_ips)


@dataclass(frozen=True, slots=True)
class _State:
    """One endpoint of one port, its conditions read by the API's defaults."""

    target: Target
    ready: bool
    serving: bool
    terminating: bool
    is_local: bool


def plan_ports(
    services: Iterable[Service], slices: Iterable[EndpointSlice], node_name: str
) -> tuple[PortPlan, ...]:
    """Resolve every port of every Service with an IPv4 ClusterIP, sorted by namespace, name and port."""
    by_service = _by_service(slices)
    plans = [
        _plan_port(
            service, port, by_service.get((service.metadata.namespace, service.metadata.name), ()), node_name
        )
        for service in services
        if is_proxied(service)
        for port in service.spec.ports
        if _protocol(port.protocol) in PROTOCOLS
    ]
    return tuple(sorted(plans, key=lambda plan: (plan.namespace, plan.service, plan.protocol, plan.port)))


def is_proxied(service: Service) -> bool:
    """Tell whether a Service has a virtual address for this proxy: not headless, no ExternalName, not another's."""
    if service.spec.type == "ExternalName" or OTHER_PROXY_LABEL in service.metadata.labels:
        return False
    return is_ipv4(service.spec.clusterIP)


def is_ipv4(text: str) -> bool:
    """Tell whether a text is an IPv4 address; whatever else an object may hold never reaches the rules."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _protocol(text: str) -> str:
    return text or "TCP"


def _by_service(slices: Iterable[EndpointSlice]) -> dict[tuple[str, str], list[EndpointSlice]]:
    found: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
    for piece in slices:
        if piece.addressType == "IPv4" and (name := piece.metadata.labels.get(SERVICE_NAME_LABEL)):
            found[piece.metadata.namespace, name].append(piece)
    return found


def _plan_port(
    service: Service, port: ServicePort, slices: Sequence[EndpointSlice], node_name: str
) -> PortPlan:
    spec = service.spec
    states = _states(port, slices, node_name)
    return PortPlan(
        namespace=service.metadata.namespace,
        service=service.metadata.name,
        name=port.name,
        protocol=_protocol(port.protocol).lower(),
        cluster_ip=spec.clusterIP,
        external_ips=tuple(sorted({address for address in spec.externalIPs if is_ipv4(address)})),
        port=port.port,
        node_port=(port.nodePort or 0) if spec.type in {"NodePort", "LoadBalancer"} else 0,
        affinity_s=_affinity_s(service),
        internal_local=spec.internalTrafficPolicy == "Local",
        external_local=spec.externalTrafficPolicy == "Local",
        cluster=_usable(states),
        local=_usable([state for state in states if state.is_local]),
        serving=_targets([state for state in states if state.ready or state.serving]),
    )


def _affinity_s(service: Service) -> int:
    if service.spec.sessionAffinity != "ClientIP":
        return 0
    config = service.spec.sessionAffinityConfig
    timeout_s = config.clientIP.timeoutSeconds if config and config.clientIP else None
    return timeout_s or DEFAULT_AFFINITY_S


def _usable(states: Sequence[_State]) -> tuple[Target, ...]:
    """Give the endpoints for new connections: the ready ones, else those that still serve while they terminate."""
    ready = [state for state in states if state.ready]
    return _targets(ready or [state for state in states if state.serving and state.terminating])


def _targets(states: Iterable[_State]) -> tuple[Target, ...]:
    return tuple(sorted({state.target for state in states}))


def _states(port: ServicePort, slices: Sequence[EndpointSlice], node_name: str) -> list[_State]:
    return [
        _state(endpoint, number, node_name)
        for piece in slices
        if (number := _endpoint_port(port, piece))
        for endpoint in piece.endpoints
        if endpoint.addresses
        and is_ipv4(endpoint.addresses[0])  # the others of the list mean the same endpoint
    ]


def _endpoint_port(port: ServicePort, piece: EndpointSlice) -> int:
    """Find the number of a Service's port in a slice, where it goes by the same name; 0 if it is not there."""
    for candidate in piece.ports:
        if candidate.name == port.name and _protocol(candidate.protocol) == _protocol(port.protocol):
            return candidate.port or 0
    return 0


def _state(endpoint: Endpoint, port: int, node_name: str) -> _State:
    conditions = endpoint.conditions or _NO_CONDITIONS
    ready = conditions.ready is not False  # unknown counts as ready
    return _State(
        target=Target(endpoint.addresses[0], port),
        ready=ready,
        serving=ready if conditions.serving is None else conditions.serving,
        terminating=bool(conditions.terminating),
        is_local=endpoint.nodeName == node_name,
    )
