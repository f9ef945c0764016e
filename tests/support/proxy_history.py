"""Random histories of Services, endpoints and nodes, as a proxy sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from machinery.model.k8s.core_v1 import LoadBalancerIngress, Node, NodeAddress, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from proxy.core.desired import Desired
from proxy.core.endpoints import proxied_address
from proxy.core.families import V4, Family
from proxy.core.routes import NodeFacts, facts_of
from tests.support.builders import changed
from tests.support.families import both, of_family, twin
from tests.support.filter_walk import Packet
from tests.support.proxy import endpoint, endpoint_slice, leaving, routed_node, service, service_port
from tests.support.proxy_reference import Reference

CIDR = "10.244.0.0/16"
OWN = "node-1"
_NAMES = [("default", name) for name in "abcdef"] + [("other", "a")]
_NODES = [OWN, "node-2", "node-3"]
_EXTERNAL = ["192.0.2.1", "10.96.0.1"]
_BALANCERS = ["198.51.100.1", "198.51.100.2"]
_RANGES = (
    ["10.244.0.0/16", "10.244.1.0/24"],
    ["203.0.113.0/24", "10.77.0.0/24"],
    ["0.0.0.0/0"],
    ["fd00::/8"],
)


@dataclass
class History:
    """Changes one thing at a time; what there is now is in `services`, `slices` and `nodes`."""

    random: Random
    family: Family = V4  # whose packets and tables are meant; everything has addresses of both
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    slices: dict[tuple[str, str], list[EndpointSlice]] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def fresh(self) -> Desired:
        """Return what is desired now, as found by a proxy that has just begun."""
        made = new_desired(self.family)
        for name in _NODES:
            made.put_node(name, self.nodes.get(name))
        for key in _NAMES:
            self._tell_service(made, key)
        return made

    def reference(self) -> Reference:
        """Return what is there now, to be read by the documentation."""
        own = facts_of(self.nodes[OWN], self.family) if OWN in self.nodes else NodeFacts()
        known = tuple(
            (service, tuple(self.slices.get(key, ())))
            for key, service in sorted(self.services.items())
            if proxied_address(service, self.family)
        )
        cidr, addresses = of_family(CIDR, self.family), frozenset(own.addresses)
        return Reference(OWN, own.zone, cidr, own.pod_range, addresses, known, self.family.name)

    def packet(self, own: frozenset[str]) -> Packet:
        """Return a packet that may be for a Service."""
        pick = self.random.choice
        sources = [*self._own(["10.244.1.5", "10.244.9.9", "203.0.113.9"]), *sorted(own)]
        services = [f"10.96.0.{number}" for number in range(1, 9)]
        kinds = [*map(self._own, (_EXTERNAL, _BALANCERS, _BALANCERS, services))]
        destination = pick(pick([*kinds, sorted(own)] if own else kinds))
        ports = (80, 81) if destination not in own or self.random.random() < 0.1 else (30_001, 30_002)
        return Packet(pick(sources), destination, pick(("tcp", "udp")), pick(ports), own)

    def _own(self, texts: Iterable[str]) -> list[str]:
        return [of_family(each, self.family) for each in texts]

    def steps(self, desired: Desired, count: int) -> Iterator[None]:
        """Change something, and tell it, so many times; between two yields there may be several changes."""
        for _ in range(count):
            for _ in range(self.random.choice((1, 1, 1, 2, 5))):
                self._step(desired)
            yield

    def _step(self, desired: Desired) -> None:
        if self.random.random() < 0.1:
            name = self.random.choice(_NODES)
            if self.nodes.pop(name, None) is None or self.random.random() < 0.5:
                third = self.random.choice("123")
                zone = self.random.choice(("", "a", "b"))
                self.nodes[name] = dual_node(name, f"10.244.{third}.0/24", f"10.77.0.{third}", zone)
            before = desired.around
            desired.put_node(name, self.nodes.get(name))
            for key in _NAMES if desired.around != before else ():
                self._tell_service(desired, key)
            return
        key = self.random.choice(_NAMES)
        if self.random.random() < 0.3:
            if self.services.pop(key, None) is None or self.random.random() < 0.7:
                self.services[key] = self._service(key)
        else:
            made = [self._slice(key, "TCP", "x"), self._slice(key, "UDP", "y")]
            self.slices[key] = [*made, *map(_twin_of, made)]
        self._tell_service(desired, key)

    def _tell_service(self, desired: Desired, key: tuple[str, str]) -> None:
        desired.put_service(key, self.services.get(key), self.slices.get(key, ()))

    def _service(self, key: tuple[str, str]) -> Service:
        pick = self.random.choice
        ports = [
            service_port(pick((80, 81)), protocol, nodePort=pick((0, 30_001, 30_002)))
            for protocol in pick((["TCP"], ["UDP"], ["TCP", "UDP"]))
        ]
        fields: dict[str, Any] = {
            "type": pick(("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer")),
            "externalIPs": both(pick(([], [_EXTERNAL[0]], _EXTERNAL))),
            "loadBalancerSourceRanges": both(pick(([], [], *_RANGES))),
            "sessionAffinity": pick(("None", "None", "ClientIP")),
            "internalTrafficPolicy": pick(("Cluster", "Local")),
            "externalTrafficPolicy": pick(("Cluster", "Local")),
        }
        ip = pick((f"10.96.0.{1 + _NAMES.index(key)}", "10.96.0.1", "None"))
        ingress = [LoadBalancerIngress(ip=ip, ipMode=pick(("VIP", "Proxy"))) for ip in pick((_BALANCERS, []))]
        ingress += [LoadBalancerIngress(ip=twin(each.ip), ipMode=each.ipMode) for each in ingress]
        ips = both([ip]) if ip != "None" else [ip]
        return service(key[1], key[0], ip=ip, ports=ports, ingress=ingress, clusterIPs=ips, **fields)

    def _slice(self, key: tuple[str, str], protocol: str, name: str) -> EndpointSlice:
        pick, is_hinted = self.random.choice, self.random.random() < 0.5
        ends = []
        for number in self.random.sample(range(2, 9), self.random.randrange(6)):
            ip, node = f"10.244.{number % 3 + 1}.{number}", pick([*_NODES, ""])
            hints = {"zones": pick((["a"], ["a", "b"], ["b"])), "nodes": pick(([], [OWN], ["node-2"]))}
            is_leaving = self.random.random() < 0.2
            ends.append(
                leaving(ip, node) if is_leaving else endpoint(ip, node=node, **(hints if is_hinted else {}))
            )
        return endpoint_slice(*ends, of=key[1], namespace=key[0], protocol=protocol, name=f"{key[1]}-{name}")


def dual_node(name: str, pod_cidr: str, address: str, zone: str = "") -> Node:
    """Return a node with a pod range and an InternalIP of each family."""
    made = routed_node(name, pod_cidr, address, zone)
    more = NodeAddress(type="InternalIP", address=twin(address))
    return changed(made, spec__podCIDRs=both([pod_cidr]), status__addresses=[*made.status.addresses, more])


def _twin_of(slice_: EndpointSlice) -> EndpointSlice:
    ends = [changed(each, addresses=[twin(each.addresses[0])]) for each in slice_.endpoints]
    return changed(slice_, addressType="IPv6", endpoints=ends, metadata__name=f"{slice_.metadata.name}-6")


def new_desired(family: Family = V4) -> Desired:
    """Return what is desired before anything is known."""
    return Desired(OWN, of_family(CIDR, family), sees_bridged=False, family=family)
