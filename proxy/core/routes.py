"""Which routes lead to the pods of the other nodes.

One for each other node that has a pod range and an address. A node that is NotReady keeps its route: its pods may
well be alive, and who talks to them notices best whether they are. One that reports an address that no other node can have
(0.0.0.0, 127.0.0.1, this node's own) gets none: its report is nobody else's trouble.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import Node
from proxy.core.endpoints import is_ipv4

_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122, 3.2.1.3
PROTOCOL: Final = 77  # marks our routes in the kernel's table, see rt_protos; nobody else's are touched


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A pod range and the node behind which it lies."""

    destination: str  # a network, "10.244.1.0/24"
    gateway: str


def node_address(node: Node) -> str:
    """Return a node's InternalIP (IPv4), "" where it has none that can be a node's."""
    for address in node.status.addresses:
        if address.type == "InternalIP" and is_possible(address.address):
            return address.address
    return ""


def is_possible(text: str) -> bool:
    """Whether a text is an IPv4 address that a machine can have; a node reports what it likes."""
    if not is_ipv4(text):
        return False
    address = ipaddress.IPv4Address(text)
    never = address.is_unspecified or address.is_loopback or address.is_multicast
    return not (never or address.is_reserved or address.is_link_local or address in _THIS_NETWORK)


def node_addresses(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return all addresses of all nodes (IPv4), sorted."""
    found = {address.address for node in nodes for address in node.status.addresses}
    return tuple(sorted(address for address in found if is_possible(address)))


def pod_range(nodes: Iterable[Node], node_name: str) -> str:
    """Return a node's own pod range, "" while it has none."""
    return next((_network(node.spec.podCIDR) for node in nodes if node.metadata.name == node_name), "")


def plan_routes(nodes: Iterable[Node], node_name: str) -> tuple[Route, ...]:
    """Return the routes that this node needs, sorted, at most one for a destination."""
    known = sorted(nodes, key=lambda node: node.metadata.name)
    own = pod_range(known, node_name)
    own_addresses = node_addresses(node for node in known if node.metadata.name == node_name)
    routes: dict[str, Route] = {}
    for node in known:
        destination, gateway = _network(node.spec.podCIDR), node_address(node)
        if node.metadata.name == node_name or gateway in own_addresses:
            continue
        if destination and gateway and destination != own:
            routes.setdefault(destination, Route(destination, gateway))
    return tuple(sorted(routes.values()))


def diff_routes(wanted: Iterable[Route], present: Iterable[Route]) -> tuple[str, ...]:
    """Return the commands, for `ip -batch`, that make the routes of our protocol the wanted ones."""
    wanted, present = set(wanted), set(present)
    kept = {route.destination for route in wanted}
    stale = sorted(route for route in present - wanted if route.destination not in kept)
    return (
        *(f"route del {route.destination} via {route.gateway} proto {PROTOCOL}" for route in stale),
        *(
            f"route replace {route.destination} via {route.gateway} proto {PROTOCOL}"
            for route in sorted(wanted - present)
        ),
    )


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text, strict=False)) if text else ""
    except ValueError:
        return ""
