"""Which endpoints a Service's port leads to.

Input is the API's own objects; output is one `PortPlan` for each port of each Service that needs rules, in a stable
order. The ruleset, and what is forgotten of UDP, are written from these.

https://kubernetes.io/docs/reference/networking/virtual-ips/, KEP-2086 (internalTrafficPolicy).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model.endpoints import IPV4, Backend, backends_of, protocol_of, slices_by_service, usable
from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import EndpointSlice

OTHER_PROXY_LABEL: Final = "service.kubernetes.io/service-proxy-name"  # such a Service is another proxy's
PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})
DEFAULT_AFFINITY_S: Final = 10_800


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


def plan_ports(
    services: Iterable[Service], slices: Iterable[EndpointSlice], node_name: str
) -> tuple[PortPlan, ...]:
    """Resolve every port of every Service with an IPv4 ClusterIP, sorted by namespace, name and port."""
    by_service = slices_by_service(slices, IPV4)
    plans = [
        _plan_port(
            service, port, by_service.get((service.metadata.namespace, service.metadata.name), ()), node_name
        )
        for service in services
        if is_proxied(service)
        for port in service.spec.ports
        if protocol_of(port.protocol) in PROTOCOLS
    ]
    return tuple(sorted(plans, key=lambda plan: (plan.namespace, plan.service, plan.protocol, plan.port)))


def is_proxied(service: Service) -> bool:
    """Whether a Service has a virtual address for this proxy: not headless, no ExternalName, not another's."""
    if service.spec.type == "ExternalName" or OTHER_PROXY_LABEL in service.metadata.labels:
        return False
    return is_ipv4(service.spec.clusterIP)


def is_ipv4(text: str) -> bool:
    """Whether a text is an IPv4 address; whatever else an object may hold never reaches the rules."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _plan_port(
    service: Service, port: ServicePort, slices: Sequence[EndpointSlice], node_name: str
) -> PortPlan:
    spec = service.spec
    backends = [backend for backend in backends_of(port, slices) if is_ipv4(backend.ip)]
    return PortPlan(
        namespace=service.metadata.namespace,
        service=service.metadata.name,
        name=port.name,
        protocol=protocol_of(port.protocol).lower(),
        cluster_ip=spec.clusterIP,
        external_ips=tuple(sorted({address for address in spec.externalIPs if is_ipv4(address)})),
        port=port.port,
        node_port=(port.nodePort or 0) if spec.type in {"NodePort", "LoadBalancer"} else 0,
        affinity_s=_affinity_s(service),
        internal_local=spec.internalTrafficPolicy == "Local",
        external_local=spec.externalTrafficPolicy == "Local",
        cluster=_targets(usable(backends)),
        local=_targets(usable([backend for backend in backends if backend.node == node_name])),
        serving=_targets(backend for backend in backends if backend.ready or backend.serving),
    )


def _affinity_s(service: Service) -> int:
    if service.spec.sessionAffinity != "ClientIP":
        return 0
    config = service.spec.sessionAffinityConfig
    timeout_s = config.clientIP.timeoutSeconds if config and config.clientIP else None
    return timeout_s or DEFAULT_AFFINITY_S


def _targets(backends: Iterable[Backend]) -> tuple[Target, ...]:
    return tuple(sorted({Target(backend.ip, backend.port) for backend in backends}))
