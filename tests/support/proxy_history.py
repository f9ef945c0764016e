"""Random histories of Services, endpoints and nodes, as a proxy sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from proxy.core.desired import Desired
from tests.support.proxy import endpoint, endpoint_slice, leaving, routed_node, service, service_port

CIDR = "10.244.0.0/16"
OWN = "node-1"
_NAMES = [("default", name) for name in "abcdef"] + [("other", "a")]
_NODES = [OWN, "node-2", "node-3"]


@dataclass
class History:
    """Changes one thing at a time; what there is now is in `services`, `slices` and `nodes`."""

    random: Random
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    slices: dict[tuple[str, str], list[EndpointSlice]] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def fresh(self) -> Desired:
        """Return what is desired now, as found by a proxy that has just begun."""
        made = new_desired()
        for key in _NAMES:
            self._tell_service(made, key)
        for name in _NODES:
            made.put_node(name, self.nodes.get(name))
        return made

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
                self.nodes[name] = routed_node(name, f"10.244.{third}.0/24", f"10.77.0.{third}")
            desired.put_node(name, self.nodes.get(name))
            return
        key = self.random.choice(_NAMES)
        if self.random.random() < 0.3:
            if self.services.pop(key, None) is None or self.random.random() < 0.7:
                self.services[key] = self._service(key)
        else:
            self.slices[key] = [self._slice(key, "TCP", "x"), self._slice(key, "UDP", "y")]
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
            "type": pick(("ClusterIP", "NodePort")),
            "externalIPs": pick(([], ["192.0.2.1"], ["192.0.2.1", "10.96.0.1"])),
            "sessionAffinity": pick(("None", "None", "ClientIP")),
            "internalTrafficPolicy": pick(("Cluster", "Local")),
            "externalTrafficPolicy": pick(("Cluster", "Local")),
        }
        ip = pick((f"10.96.0.{1 + _NAMES.index(key)}", "10.96.0.1", "None"))
        return service(key[1], key[0], ip=ip, ports=ports, **fields)

    def _slice(self, key: tuple[str, str], protocol: str, name: str) -> EndpointSlice:
        ends = [
            (endpoint if self.random.random() < 0.8 else leaving)(
                f"10.244.{number % 3 + 1}.{number}", node=self.random.choice([*_NODES, ""])
            )
            for number in self.random.sample(range(2, 9), self.random.randrange(6))
        ]
        return endpoint_slice(*ends, of=key[1], namespace=key[0], protocol=protocol, name=f"{key[1]}-{name}")


def new_desired() -> Desired:
    """Return what is desired before anything is known."""
    return Desired(OWN, CIDR, sees_bridged=False)
