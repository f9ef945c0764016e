"""What somebody wants to follow: a Service, a pod or an address, from whom, and at which of its addresses and ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, NamedTuple

from kubarium.core.connections import Door, read_end
from kubarium.core.net.scene import MACHINE
from machinery.model.endpoints import HEADLESS, backends_of, protocol_of, usable
from machinery.model.k8s.core_v1 import Pod, Service, ServicePort
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import addresses as balancer_addresses
from machinery.model.pods import lasting_containers

_SERVICE: Final = frozenset({"service", "services", "svc"})
_POD: Final = frozenset({"pod", "pods", "po"})


@dataclass(frozen=True, slots=True)
class Thing:
    """A Service or pod by its name, an address, a node, or the machine."""

    kind: str  # "service", "pod", "address", "node"
    name: str
    namespace: str = ""


class Destination(NamedTuple):
    """Where a packet is sent to."""

    address: str
    protocol: str  # "tcp"
    port: int


def read_target(text: str, namespace: str) -> Thing:
    """Read `service/NAME`, `pod/NAME`, or an address.

    Raises:
        ValueError: it is none of these.
    """
    first, slash, name = text.partition("/")
    if slash and name and "/" not in name and first in _SERVICE | _POD:
        return Thing("service" if first in _SERVICE else "pod", name, namespace)
    try:
        return Thing("address", str(ip_address(text)))
    except ValueError:
        raise ValueError(f"{text!r} is no service/NAME, no pod/NAME and no address") from None


def read_source(text: str, namespace: str, nodes: Sequence[str]) -> Thing:
    """Read who asks: `pod/NAME`, `NAMESPACE/NAME` of a pod, a node, or `machine`; "" for the first node.

    Raises:
        ValueError: it is none of these.
    """
    name = text.removeprefix("node/") or next(iter(nodes), "")
    if name in {MACHINE, *nodes}:
        return Thing("node", name)
    try:
        end = read_end(text, namespace)
    except ValueError:
        end = None
    if end is None or end.ip:
        known = ", ".join((*nodes, MACHINE))
        raise ValueError(f"{text!r} is no pod/NAME, no NAMESPACE/NAME of a pod and none of {known}")
    return Thing("pod", end.pod, end.namespace)


def service_ports(service: Service, door: Door | None) -> list[ServicePort]:
    """Return the ports that are meant: all, or the one of a number or a name.

    Raises:
        ValueError: there is none such.
    """
    ports = [
        port
        for port in service.spec.ports
        if door is None
        or (
            protocol_of(port.protocol) == door.protocol
            and (port.port == door.number or (door.name and port.name == door.name))
        )
    ]
    if not ports and (door is None or service.spec.clusterIP == HEADLESS or door.name):
        said = ", ".join(f"{port.port}/{protocol_of(port.protocol).lower()}" for port in service.spec.ports)
        raise ValueError(f"service {_name(service)} has no such port; it has: {said or 'none'}")
    return ports


def service_destinations(
    service: Service, slices: Sequence[EndpointSlice], door: Door | None, address: str
) -> Iterator[Destination]:
    """Return where packets to a Service are sent: to an address of it, or to the endpoints where it has none of its own.

    Raises:
        ValueError: it has no such port, or nothing to send packets to.
    """
    ports = service_ports(service, door)
    if service.spec.clusterIP == HEADLESS:
        for port in ports:
            for each in usable(backends_of(port, slices)):
                yield Destination(each.ip, protocol_of(port.protocol).lower(), each.port)
        return
    if not ports and door:  # one that it does not have: that is refused, and seen to be
        yield Destination(address, door.protocol.lower(), door.number)
    own = {
        service.spec.clusterIP,
        *service.spec.clusterIPs,
        *service.spec.externalIPs,
        *balancer_addresses(service),
    }
    for port in ports:
        number = port.port if address in own else port.nodePort
        if not number:
            raise ValueError(
                f"service {_name(service)} has no node port, and {address} is none of its addresses"
            )
        yield Destination(address, protocol_of(port.protocol).lower(), number)


def asked_address(
    service: Service, source: Thing, wanted: str, nodes: Mapping[str, str], *, is_6: bool = False
) -> str:
    """Choose the address of a family by which a Service is asked for; `nodes` are the nodes' addresses.

    Pods and nodes ask for the ClusterIP, the machine for a load balancer's address, else at a node's for the node port.

    Raises:
        ValueError: the machine has no way to the Service.
    """
    if wanted:
        return nodes.get(wanted, wanted)
    if source.name != MACHINE or source.kind != "node":
        inside = _of_family(service.spec.clusterIPs or [service.spec.clusterIP], is_6=is_6)
        if not inside:
            raise ValueError(
                f"service {_name(service)} has no {family_name(is_6=is_6)} address"
                f" ({'without' if is_6 else 'with'} --ipv6 it is asked by the other family)"
            )
        return inside[0]
    outside = _of_family((*balancer_addresses(service), *service.spec.externalIPs), is_6=is_6)
    if outside:
        return outside[0]
    if any(port.nodePort for port in service.spec.ports):
        return next(iter(nodes.values()))
    raise ValueError(
        f"service {_name(service)} has no address outside of the cluster: type NodePort or LoadBalancer gives it one"
    )


def pod_destinations(pod: Pod, address: str, door: Door | None) -> list[Destination]:
    """Return the ports of a pod that are meant: the one asked for, else those that its containers declare.

    Raises:
        ValueError: none is asked for, and it declares none.
    """
    declared = [port for container in lasting_containers(pod.spec) for port in container.ports]
    if door and not door.name:
        return [Destination(address, door.protocol.lower(), door.number)]
    found = [
        Destination(address, protocol_of(port.protocol).lower(), port.containerPort)
        for port in declared
        if door is None or (port.name == door.name and protocol_of(port.protocol) == door.protocol)
    ]
    if not found:
        what = f"calls no port {door.name!r}" if door else "declares no port: say which with --port"
        raise ValueError(f"pod {pod.metadata.namespace}/{pod.metadata.name} {what}")
    return found


def left_out(service: Service, slices: Iterable[EndpointSlice]) -> Iterator[tuple[str, str]]:
    """Return the endpoints of a Service that take no new connections, and why."""
    known = list(slices)
    for port in service.spec.ports:
        backends = backends_of(port, known)
        taken = usable(backends)
        for each in backends:
            if each not in taken:
                yield each.ip, "it terminates" if each.terminating else "it is not ready"


def family_name(*, is_6: bool) -> str:
    """Return what a family is called, as EndpointSlices have it."""
    return "IPv6" if is_6 else "IPv4"


def _of_family(addresses: Iterable[str], *, is_6: bool) -> list[str]:
    return [each for each in addresses if each and (":" in each) is is_6]


def _name(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.metadata.name}"
