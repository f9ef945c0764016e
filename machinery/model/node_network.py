"""What a node's kernel says of its network, as the node's own programs print it: read on the spot, or by its kubelet's pages.

/network/ipv4, /network/ipv6     `NodeNetwork`, of one family of addresses
/network/pods/ADDRESS            `PodNetwork`, of the pod that has the address

They are JSON, and for those who may read the pages of kubelets (`get` on `nodes/proxy`).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, TypeAlias

import msgspec

NETWORK: Final = "network"  # the pages
FAMILIES: Final = ("ipv4", "ipv6")
_PODS: Final = "pods"

Links: TypeAlias = list[dict[str, Any]]  # as `ip -j address`, `ip -j route` and `ip -j link` have them
Sockets: TypeAlias = dict[
    str, list[str]
]  # the kernel's tables by protocol, "tcp" and "udp" (proc_net_tcp(5))


class NodeNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """One network namespace that forwards packets, by one family of addresses."""

    addresses: Links
    routes: Links
    links: Links
    sockets: Sockets
    sees_bridged: bool  # whether its packet filter sees what goes between two pods of its bridge
    table: dict[str, Any] = {}  # the proxy's, as `nft -j list table` has it; {} where there is none
    rules: str = ""  # and its rules as `nft -a -t` prints them
    nat: str = ""  # rules of ports of the node that lead to pods, as `iptables -t nat -S` prints them


class PodNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's own network namespace, and the links of its node, to one of which it is wired."""

    addresses: Links
    sockets: Sockets
    node_links: Links


def node_page(*, is_6: bool) -> str:
    """Return the path of the page about a node."""
    return f"{NETWORK}/{FAMILIES[is_6]}"


def pod_page(address: str) -> str:
    """Return the path of the page about the pod that has an address."""
    return f"{NETWORK}/{_PODS}/{address}"


def asked_family(path: str) -> bool | None:
    """Return of which family a page about a node is, whether of IPv6; None where it is no such page."""
    name = path.strip("/").removeprefix(f"{NETWORK}/")
    return FAMILIES.index(name) == 1 if name in FAMILIES else None


def asked_address(path: str) -> str:
    """Return the address of the pod that a page is about; "" where it is no such page."""
    before, _, address = path.strip("/").rpartition("/")
    try:
        return str(ip_address(address)) if before == f"{NETWORK}/{_PODS}" else ""
    except ValueError:
        return ""
