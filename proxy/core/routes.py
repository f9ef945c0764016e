"""Which routes lead to the pods of the other nodes.

One for each other node that has a pod range and an address. A node that is NotReady keeps its route: its pods may
well be alive, and who talks to them notices best whether they are. One that reports an address that no other node can have
(0.0.0.0, 127.0.0.1, this node's own) gets none: its report is nobody else's trouble.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from machinery.model.k8s.core_v1 import Node
from proxy.core.families import V4, Family
from proxy.core.merged import Difference
from proxy.core.topology import ZONE_LABEL

_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122, 3.2.1.3
PROTOCOL: Final = 77  # marks our routes in the kernel's table, see rt_protos; nobody else's are touched


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A pod range and the node behind which it lies."""

    destination: str  # a network, "10.244.1.0/24"
    gateway: str


def node_address(node: Node, family: Family = V4) -> str:
    """Return a node's InternalIP of a family, "" where it has none that can be a node's."""
    for address in node.status.addresses:
        if address.type == "InternalIP" and (found := possible(address.address, family)):
            return found
    return ""


def possible(text: str, family: Family = V4) -> str:
    """Return the address of a family that a text is, "" for one that no machine can have; a node reports what it likes."""
    if not (read := family.read(text)):
        return ""
    address = ipaddress.ip_address(read)
    never = address.is_unspecified or address.is_loopback or address.is_multicast
    return "" if never or address.is_reserved or address.is_link_local or address in _THIS_NETWORK else read


class NodeFacts(NamedTuple):
    """What of a node matters to the others."""

    pod_range: str = ""  # "" while it has none
    gateway: str = ""
    addresses: tuple[str, ...] = ()  # all that can be a node's, sorted
    zone: str = ""


def facts_of(node: Node, family: Family = V4) -> NodeFacts:
    """Return what of a node matters to the others, as far as addresses of a family go."""
    addresses = {possible(address.address, family) for address in node.status.addresses}
    ranges = [_network(each, family) for each in node.spec.podCIDRs or [node.spec.podCIDR]]
    return NodeFacts(
        next(filter(None, ranges), ""),
        node_address(node, family),
        tuple(sorted(addresses - {""})),
        node.metadata.labels.get(ZONE_LABEL, ""),
    )


def plan_routes(node: NodeFacts, own: NodeFacts) -> dict[str, str]:
    """Return the routes to another node's pods: gateways by networks, at most one."""
    if (
        not (node.pod_range and node.gateway)
        or node.pod_range == own.pod_range
        or node.gateway in own.addresses
    ):
        return {}
    return {node.pod_range: node.gateway}


def change_routes(differences: Iterable[Difference[str, str]]) -> tuple[str, ...]:
    """Return the commands, for `ip -batch`, that change the routes to some networks."""
    differences = sorted(differences)
    return (
        *(_delete(Route(each.key, each.old)) for each in differences if each.old and not each.new),
        *(_replace(Route(each.key, each.new)) for each in differences if each.new),
    )


def diff_routes(wanted: Iterable[Route], present: Iterable[Route]) -> tuple[str, ...]:
    """Return the commands, for `ip -batch`, that make the routes of our protocol the wanted ones."""
    wanted, present = set(wanted), set(present)
    kept = {route.destination for route in wanted}
    stale = sorted(route for route in present - wanted if route.destination not in kept)
    return (*map(_delete, stale), *map(_replace, sorted(wanted - present)))


def _delete(route: Route) -> str:
    return f"route del {route.destination} via {route.gateway} proto {PROTOCOL}"


def _replace(route: Route) -> str:
    return f"route replace {route.destination} via {route.gateway} proto {PROTOCOL}"


def _network(text: str, family: Family) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    return str(network) if network.version == family.version else ""
