"""What may become of a packet by the documentation, read off the objects one by one: slow, and without a table.

https://kubernetes.io/docs/reference/networking/virtual-ips/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from machinery.model.k8s.core_v1 import Service, ServicePort
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointSlice
from tests.support.filter_walk import DROPPED, PASSED, REFUSED, Fate, Packet

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Reference:
    """A node that knows some Services, in the order of their names, with their slices."""

    node: str
    zone: str
    cidr: str
    own_pods: str  # the range of the node's pods, "" while it has none
    own: frozenset[str]
    services: tuple[tuple[Service, tuple[EndpointSlice, ...]], ...]
    family: str = "IPv4"

    def fates(self, packet: Packet) -> set[Fate]:
        """Return all that may become of a packet."""
        if any(self._is_kept_out(*entry) for entry in self._guarding(packet)):
            return {Fate(DROPPED)}
        for service, slices in self.services:
            port = _port(service, packet.protocol, packet.port)
            if port and packet.destination in _cluster_ips(service):
                return self._internal(service, self._endpoints(port, slices), packet)
            if port and packet.destination in {*service.spec.externalIPs, *_vips(service)}:
                return self._external(service, self._endpoints(port, slices), packet)
        if any(packet.destination in _cluster_ips(service) for service, _ in self.services):
            return {Fate(REFUSED)}
        for service, slices in self.services if packet.destination in self.own else ():
            for port in service.spec.ports if service.spec.type in {"NodePort", "LoadBalancer"} else ():
                if port.nodePort and (port.protocol.lower(), port.nodePort) == (packet.protocol, packet.port):
                    return self._external(service, self._endpoints(port, slices), packet)
        return {Fate(PASSED)}

    def _guarding(self, packet: Packet) -> Iterator[tuple[list[Network], Packet]]:
        for service, _ in self.services:
            networks = map(ip_network, service.spec.loadBalancerSourceRanges)
            ranges = [each for each in networks if f"IPv{each.version}" == self.family]
            is_meant = packet.destination in _vips(service) and _port(service, packet.protocol, packet.port)
            if ranges and is_meant:
                yield ranges, packet
                return  # the first one

    def _is_kept_out(self, ranges: list[Network], packet: Packet) -> bool:
        is_node = packet.source in self.own and any(_in(own, ranges) for own in self.own)
        return not _in(packet.source, ranges) and not is_node

    def _internal(self, service: Service, ends: _Endpoints, packet: Packet) -> set[Fate]:
        if not ends.cluster:
            return {Fate(REFUSED)}
        is_local = service.spec.internalTrafficPolicy == "Local"
        is_stranger = not _in(packet.source, [ip_network(self.cidr)])
        return _sent(ends.local if is_local else ends.cluster, masqueraded=is_stranger)

    def _external(self, service: Service, ends: _Endpoints, packet: Packet) -> set[Fate]:
        if not ends.cluster:
            return {Fate(REFUSED)}
        is_pod, is_node = _in(packet.source, [ip_network(self.cidr)]), packet.source in self.own
        if service.spec.externalTrafficPolicy != "Local":
            return _sent(ends.cluster, masqueraded=True)
        if is_pod or is_node:
            is_own_pod = bool(self.own_pods) and _in(packet.source, [ip_network(self.own_pods)])
            return _sent(ends.cluster, masqueraded=not is_own_pod)
        return _sent(ends.local, masqueraded=False)

    def _endpoints(self, port: ServicePort, slices: Iterable[EndpointSlice]) -> _Endpoints:
        found = [
            (endpoint, _end(endpoint.addresses[0], place.port))
            for slice_ in slices
            if slice_.addressType == self.family
            for place in slice_.ports
            if (place.name, place.protocol) == (port.name, port.protocol)
            for endpoint in slice_.endpoints
        ]
        return _Endpoints(
            cluster=self._near(found),
            local=_usable([each for each in found if each[0].nodeName == self.node]),
        )

    def _near(self, found: list[tuple[Endpoint, str]]) -> set[str]:
        ready = [each for each in found if _is_ready(each[0])]
        for here, kind in ((self.node, "forNodes"), (self.zone, "forZones")):
            hints = [[hint.name for hint in getattr(each.hints, kind, ())] for each, _ in ready]
            if ready and all(hints) and any(here in names for names in hints):
                return {text for (_, text), names in zip(ready, hints, strict=True) if here in names}
        return _usable(found)


@dataclass(frozen=True)
class _Endpoints:
    cluster: set[str]
    local: set[str]


def _cluster_ips(service: Service) -> list[str]:
    return service.spec.clusterIPs or [service.spec.clusterIP]


def _end(address: str, port: int | None) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _port(service: Service, protocol: str, number: int) -> ServicePort | None:
    ports = (each for each in service.spec.ports if (each.protocol.lower(), each.port) == (protocol, number))
    return next(ports, None) if service.spec.clusterIP != "None" else None


def _vips(service: Service) -> set[str]:
    status = service.status.loadBalancer
    ingress = status.ingress if status and service.spec.type == "LoadBalancer" else []
    return {each.ip for each in ingress if each.ipMode != "Proxy"}


def _usable(found: list[tuple[Endpoint, str]]) -> set[str]:
    ready = {text for each, text in found if _is_ready(each)}
    conditions = [(each.conditions, text) for each, text in found]
    return ready or {text for each, text in conditions if each and each.serving and each.terminating}


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _sent(ends: set[str], *, masqueraded: bool) -> set[Fate]:
    return {Fate(end, masqueraded) for end in ends} or {Fate(DROPPED)}


def _in(address: str, networks: Iterable[Network]) -> bool:
    return any(ip_address(address) in network for network in networks)
