"""Which addresses and node ports a Service holds, which it still needs, and where they are taken from. Pure.

https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
A claim is a key of the store, which exists once: so no two Services, and no two apiservers, get the same one. For
an address it is Kubernetes' own IPAddress object under its own key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

from apiserver.core import field_errors
from apiserver.core.service_families import family_causes, family_of, is_headless
from apiserver.core.service_rules import EXTERNAL, needs_health_check
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause, Invalid

_HOLDER: Final = "kubarium.dev/service-uid"  # a Service of the same name that comes later is another one
ADDRESS_PREFIX: Final = "/registry/ipaddresses/"
PORT_PREFIX: Final = "/registry/ranges/servicenodeports/"
NODE_PORTS: Final = range(30000, 32768)
_MOST_ADDRESSES: Final = (
    2  # that a valid Service has; of one with more nothing is claimed that it will not get
)
_LEAST_ADDRESSES: Final = 4  # of a range, with its first and last, which nobody gets
KUBERNETES: Final = ("default", "kubernetes")  # the Service that has the first address of the range

Draw = Callable[[int], int]
"""Draws from [0, n)."""


@dataclass(frozen=True, slots=True)
class Range:
    """The addresses of Services, of one family."""

    network: IPv4Network | IPv6Network

    @classmethod
    def of(cls, cidr: str) -> Range:
        """Return the range of a network in CIDR notation."""
        return cls(ip_network(cidr))

    @property
    def family(self) -> str:
        """Its family."""
        return f"IPv{self.network.version}"

    @property
    def first(self) -> str:
        """The address of the Service `kubernetes`."""
        return str(self.network[1])

    def draw(self, draw: Draw) -> str:
        """Return a random address; the low ones are left to those who ask for one by name."""
        last = self._last
        band = min(max(16, self.network.num_addresses // 16), 256)
        low = band if last > band else 2
        return str(self.network[low + draw(last - low + 1)])

    def every(self) -> Iterator[str]:
        """Return every address that may be drawn."""
        return (str(self.network[index]) for index in range(2, self._last + 1))

    def holds(self, address: str) -> bool:
        """Whether an address is in the range, and neither its first nor, of IPv4, its last, which is for broadcasts."""
        return 0 < int(ip_address(address)) - int(self.network[0]) <= self._last and (
            ip_address(address) in self.network
        )

    @property
    def _last(self) -> int:
        return self.network.num_addresses - (2 if self.network.version == 4 else 1)

    def problem(self, address: str, owner: tuple[str, str]) -> str:
        """Return why a Service (namespace, name) may not ask for this address."""
        if not self.holds(address):
            return (
                f"the provided IP ({address}) is not in the valid range. "
                f"The range of valid IPs is {self.network}"
            )
        return "provided IP is already allocated" if address == self.first and owner != KUBERNETES else ""


def ranges_of(cidr: Json) -> list[Range]:
    """Return the ranges of a ServiceCIDR that addresses may be drawn from: none of one that goes, or that is not ready."""
    conditions = (cidr.get("status") or {}).get("conditions") or ()
    is_ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    if not is_ready or metadata(cidr).get("deletionTimestamp"):
        return []
    ranges = [Range.of(each) for each in spec(cidr).get("cidrs") or ()]
    return [each for each in ranges if each.network.num_addresses >= _LEAST_ADDRESSES]


def address_key(address: str) -> str:
    """Return the key of an address' claim, in whatever form it is written; "" for the prefix of all."""
    return ADDRESS_PREFIX + (str(ip_address(address)) if address else "")


def port_key(port: int) -> str:
    """Return the key of a node port's claim."""
    return f"{PORT_PREFIX}{port}"


def held(obj: Json | None) -> set[str]:
    """Return the keys of everything that a Service holds."""
    service = spec(obj or {})
    named = (service.get("clusterIPs") or [])[:_MOST_ADDRESSES]
    addresses = {address_key(each) for each in named if is_address(each)}
    return addresses | {port_key(number) for number in _node_ports(service)}


def _node_ports(service: Json) -> list[int]:
    """Return the node ports that a spec has, the one of its health check among them."""
    if service.get("type") not in EXTERNAL:
        return []
    found = [port.get("nodePort") for port in service.get("ports") or []]
    if needs_health_check(service):
        found.append(service.get("healthCheckNodePort"))
    return [number for number in found if number]


def is_address(text: str) -> bool:
    """Whether a text is an address ("None" is none)."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def families_without(obj: Json) -> Sequence[str]:
    """Return the families of which a Service is to get an address, in its own order."""
    service = spec(obj)
    if service.get("type") == "ExternalName" or is_headless(service):
        return ()
    return (service.get("ipFamilies") or ())[len(service.get("clusterIPs") or ()) : _MOST_ADDRESSES]


def with_address(obj: Json, address: str) -> Json:
    """Return the Service with one more address."""
    addresses = [*(spec(obj).get("clusterIPs") or ()), address]
    return {**obj, "spec": {**spec(obj), "clusterIP": addresses[0], "clusterIPs": addresses}}


def ports_without(obj: Json) -> list[int]:
    """Return the indexes of the ports that are to get a node port."""
    service = spec(obj)
    if service.get("type") not in EXTERNAL or service.get("allocateLoadBalancerNodePorts") is False:
        return []
    return [index for index, port in enumerate(service.get("ports") or []) if not port.get("nodePort")]


def with_shared_node_ports(obj: Json) -> Json:
    """Return a new Service, in which ports of one number have one node port: those without take it from the first that has."""
    if not (missing := ports_without(obj)):
        return obj
    ports = spec(obj)["ports"]
    known: dict[int, int] = {}
    for port in ports:
        if number := port.get("nodePort"):
            known.setdefault(port.get("port", 0), number)
    return with_node_ports(
        obj, {index: known[number] for index in missing if (number := ports[index].get("port", 0)) in known}
    )


def needs_health_check_port(obj: Json) -> bool:
    """Whether a Service is to get a node port for its health check."""
    return needs_health_check(spec(obj)) and not spec(obj).get("healthCheckNodePort")


def with_health_check_port(obj: Json, number: int) -> Json:
    """Return the Service with a node port for its health check."""
    return {**obj, "spec": {**spec(obj), "healthCheckNodePort": number}}


def with_node_ports(obj: Json, numbers: Mapping[int, int]) -> Json:
    """Return the Service with node ports, by the indexes of the ports."""
    ports = list(spec(obj)["ports"])
    for index, number in numbers.items():
        ports[index] = {**ports[index], "nodePort": number}
    return {**obj, "spec": {**spec(obj), "ports": ports}}


def claim_of(key: str, obj: Json, now: str) -> bytes:
    """Write a claim: which Service holds it."""
    meta = metadata(obj)
    parent = {
        "group": "", "resource": "services", "namespace": meta.get("namespace", ""), "name": meta.get("name", ""),
    }  # fmt: skip
    labels = {
        "ipaddress.kubernetes.io/ip-family": family_of(key.rpartition("/")[2]),
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    is_ip = key.startswith(ADDRESS_PREFIX)
    claim = {
        "apiVersion": "networking.k8s.io/v1" if is_ip else "kubarium/v1",
        "kind": "IPAddress" if is_ip else "NodePort",
        "metadata": {
            "name": key.rpartition("/")[2],
            "creationTimestamp": now,
            "uid": _own_uid(key, meta.get("uid", "")),
            **({"labels": labels} if is_ip else {}),
            "annotations": {_HOLDER: meta.get("uid", "")},
        },
        "spec": {"parentRef": parent},
    }
    return msgspec.json.encode(claim)


def _own_uid(key: str, service_uid: str) -> str:
    """Return the uid of a claim: it is an object of its own, and garbage is collected by uids."""
    digest = sha256(f"{key} {service_uid}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def holder(claim: bytes) -> str:
    """Read the uid of the Service that holds a claim."""
    meta = msgspec.json.decode(claim)["metadata"]
    return str((meta.get("annotations") or {}).get(_HOLDER, meta["uid"]))


def refuse_misnamed(obj: Json, old: Json | None, families: Sequence[str]) -> None:
    """Refuse a Service that names addresses or families as none may, before any is taken for it.

    Raises:
        Invalid: it does; what else is wrong with it is not told.
    """
    if causes := family_causes(spec(obj), spec(old or {}), families):
        raise _refuse(obj, *causes)


def refuse_address(obj: Json, address: str, problem: str) -> Invalid:
    """Refuse the address that a Service asks for."""
    text = f"failed to allocate IP {address}: {problem}"
    return _refuse(obj, field_errors.invalid("spec.clusterIPs", [address], text))


def refuse_port(obj: Json, number: int, problem: str) -> Invalid:
    """Refuse the node port that a Service asks for."""
    ports = spec(obj).get("ports") or []
    index = next((at for at, port in enumerate(ports) if port.get("nodePort") == number), -1)
    if index >= 0:
        return _refuse(obj, field_errors.invalid(f"spec.ports[{index}].nodePort", number, problem))
    text = f"failed to allocate requested HealthCheck NodePort {number}: {problem}"
    return _refuse(obj, field_errors.invalid("spec.healthCheckNodePort", number, text))


def is_full(obj: Json, path: str, what: str) -> Invalid:
    """Return the error of a range in which nothing is left."""
    text = f"Internal error: failed to allocate a {what}: range is full"
    return _refuse(obj, Cause(path, text, "InternalError"))


def port_problem(number: int) -> str:
    """Return why nobody may ask for this node port."""
    if number in NODE_PORTS:
        return ""
    return (
        "provided port is not in the valid range. The range of valid ports is "
        f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
    )


def _refuse(obj: Json, *causes: Cause) -> Invalid:
    return field_errors.invalid_object("Service", metadata(obj).get("name", ""), list(causes))
