"""Which endpoints a Service's port leads to.

Input is a Service and its own EndpointSlices; output is one `PortPlan` for each of its ports that needs rules, in a
stable order. The ruleset, and what is forgotten of UDP, are written from these.

https://kubernetes.io/docs/reference/networking/virtual-ips/, KEP-2086 (internalTrafficPolicy).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final, NamedTuple

from machinery.model.endpoints import Backend, backends_of, protocol_of, service_of, usable
from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.store import key_of
from proxy.core.families import V4, Family
from proxy.core.topology import Place, near

OTHER_PROXY_LABEL: Final = "service.kubernetes.io/service-proxy-name"  # such a Service is another proxy's
PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})
DEFAULT_AFFINITY_S: Final = 10_800


class Target(NamedTuple):
    """One address and port that a Service's port may lead to."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One port of one Service, and where it leads.

    `cluster` and `local` are the endpoints that take new connections, under the Cluster and the Local traffic
    policy, each in its place; `serving` are all that may still have old ones. `hairpins` are those of `cluster` which are
    on this node, or may be: only they can meet themselves as clients. None has duplicates.
    """

    namespace: str
    service: str
    name: str  # "" for the only port of a Service
    protocol: str  # "tcp", "udp", "sctp"
    cluster_ip: str
    external_ips: tuple[str, ...]
    balancer_ips: tuple[str, ...]  # of load balancers that leave it to the nodes to answer on them
    sources: tuple[str, ...]  # networks of those who may ask for the latter; none: everybody
    port: int
    node_port: int  # 0 for none
    affinity_s: int  # 0: every connection on its own
    internal_local: bool
    external_local: bool
    cluster: tuple[Target, ...]
    local: tuple[Target, ...]
    serving: tuple[Target, ...]
    hairpins: tuple[str, ...]  # addresses

    @property
    def has_external(self) -> bool:
        """Whether it is reached by other addresses than its ClusterIP."""
        return bool(self.node_port or self.external_ips or self.balancer_ips)


def plan_ports(
    service: Service,
    slices: Iterable[EndpointSlice],
    place: Place,
    before: Iterable[PortPlan] = (),
    family: Family = V4,
) -> tuple[PortPlan, ...]:
    """Resolve every port of a Service with a ClusterIP of a family, sorted by protocol and port, as it is seen from a place.

    Slices that are not its own, or of the other family, are left out. What was planned for it before says which place each
    target has.
    """
    if not (cluster_ip := proxied_address(service, family)):
        return ()
    own = _own(service, slices, family)
    ports = [port for port in service.spec.ports if protocol_of(port.protocol) in PROTOCOLS]
    known = {(plan.protocol, plan.port): plan for plan in before}
    plans = [
        _keep_places(plan, known)
        for port in ports
        for plan in [_plan_port(service, cluster_ip, port, own, place, family)]
    ]
    return tuple(sorted(plans, key=lambda plan: (plan.protocol, plan.port)))


class LocalEndpoints(NamedTuple):
    """What load balancers are told who ask whether a node has endpoints of a Service."""

    namespace: str
    service: str
    ready: int


def plan_health(
    service: Service, slices: Iterable[EndpointSlice], node: str, family: Family = V4
) -> dict[int, LocalEndpoints]:
    """Return what is answered at a Service's node port for health checks: how many endpoints are ready on a node."""
    spec, number = service.spec, service.spec.healthCheckNodePort
    if (
        spec.type != "LoadBalancer"
        or spec.externalTrafficPolicy != "Local"
        or not number
        or not proxied_address(service, family)
    ):
        return {}
    backends = (
        backend
        for port in spec.ports
        for backend in backends_of(port, _own(service, slices, family))
        if backend.node == node
    )
    ready = {backend.ip for backend in backends if backend.ready}
    return {number: LocalEndpoints(*key_of(service), len(ready))}


def keep_places(wanted: Sequence[Target], before: Sequence[Target]) -> tuple[Target, ...]:
    """Order targets so that at most two places differ for each that comes or goes.

    Who stays keeps its place; those that come take the places of those that went, then the ones at the end; a place that
    is still free is taken by the last one.
    """
    staying, known = set(wanted), set(before)
    coming = iter([target for target in wanted if target not in known])
    places = [target if target in staying else next(coming, None) for target in before]
    places.extend(coming)
    count = sum(target is not None for target in places)
    last = [target for target in places[count:] if target is not None]
    return tuple(last.pop() if target is None else target for target in places[:count])


def proxied_address(service: Service, family: Family = V4) -> str:
    """Return a Service's virtual address of a family for this proxy: "" for a headless one, an ExternalName, another proxy's."""
    if service.spec.type == "ExternalName" or OTHER_PROXY_LABEL in service.metadata.labels:
        return ""
    found = map(family.read, service.spec.clusterIPs or [service.spec.clusterIP])
    return next(filter(None, found), "")


def _own(service: Service, slices: Iterable[EndpointSlice], family: Family) -> list[EndpointSlice]:
    return [slice_ for slice_ in slices if service_of(slice_, family.name) == key_of(service)]


def _plan_port(
    service: Service,
    cluster_ip: str,
    port: ServicePort,
    slices: Sequence[EndpointSlice],
    place: Place,
    family: Family,
) -> PortPlan:
    spec = service.spec
    backends = _readable(backends_of(port, slices), family)
    cluster, local = near(backends, place), usable([each for each in backends if each.node == place.node])
    here = {"", place.node}
    return PortPlan(
        namespace=service.metadata.namespace,
        service=service.metadata.name,
        name=port.name,
        protocol=protocol_of(port.protocol).lower(),
        cluster_ip=cluster_ip,
        external_ips=_addresses(spec.externalIPs, family) if spec.externalIPs else (),
        balancer_ips=balancer_ips(service, family),
        sources=_networks(spec.loadBalancerSourceRanges, family) if spec.loadBalancerSourceRanges else (),
        port=port.port,
        node_port=(port.nodePort or 0) if spec.type in {"NodePort", "LoadBalancer"} else 0,
        affinity_s=_affinity_s(service),
        internal_local=spec.internalTrafficPolicy == "Local",
        external_local=spec.externalTrafficPolicy == "Local",
        cluster=_targets(cluster),
        local=_targets(local),
        serving=_targets(backend for backend in backends if backend.ready or backend.serving),
        hairpins=tuple(
            sorted({each.ip for each in cluster if each.node in here} | {each.ip for each in local})
        ),
    )


def _readable(backends: list[Backend], family: Family) -> list[Backend]:
    """Return the backends whose addresses are of a family, these in their one form."""
    if all(family.read(backend.ip) == backend.ip for backend in backends):
        return backends
    read = [(backend, family.read(backend.ip)) for backend in backends]
    return [backend if backend.ip == ip else replace(backend, ip=ip) for backend, ip in read if ip]


def _addresses(texts: Iterable[str], family: Family) -> tuple[str, ...]:
    return tuple(sorted(set(filter(None, map(family.read, texts)))))


def balancer_ips(service: Service, family: Family = V4) -> tuple[str, ...]:
    """Return the addresses of load balancers by which packets still go when they come to a node (KEP-1860)."""
    if service.spec.type != "LoadBalancer" or (status := service.status.loadBalancer) is None:
        return ()
    virtual = (ingress.ip for ingress in status.ingress if ingress.ip and ingress.ipMode != "Proxy")
    return _addresses(virtual, family)


def _networks(texts: Iterable[str], family: Family) -> tuple[str, ...]:
    """Return the networks of a family among some, without those that lie in others."""
    of_4: list[IPv4Network] = []
    of_6: list[IPv6Network] = []
    for text in texts:
        with suppress(ValueError):
            network = ip_network(text.strip(), strict=False)
            if isinstance(network, IPv4Network):
                of_4.append(network)
            else:
                of_6.append(network)
    return tuple(map(str, collapse_addresses(of_4) if family is V4 else collapse_addresses(of_6)))


def _keep_places(plan: PortPlan, known: Mapping[tuple[str, int], PortPlan]) -> PortPlan:
    before = known.get((plan.protocol, plan.port))
    if before is None or (plan.cluster, plan.local) == (before.cluster, before.local):
        return plan
    cluster, local = keep_places(plan.cluster, before.cluster), keep_places(plan.local, before.local)
    return replace(plan, cluster=cluster, local=local)


def _affinity_s(service: Service) -> int:
    if service.spec.sessionAffinity != "ClientIP":
        return 0
    config = service.spec.sessionAffinityConfig
    timeout_s = config.clientIP.timeoutSeconds if config and config.clientIP else None
    return timeout_s or DEFAULT_AFFINITY_S


def _targets(backends: Iterable[Backend]) -> tuple[Target, ...]:
    return tuple(sorted({Target(backend.ip, backend.port) for backend in backends}))
