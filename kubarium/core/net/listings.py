"""What a host's own programs say of it, read: `ip -j`, `nft`, and the kernel's tables of sockets (proc_net_tcp(5))."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from kubarium.core.net.host_ports import read_host_ports
from kubarium.core.net.rules import NO_TABLE, read_table
from kubarium.core.net.scene import Door, Host, Route, Wire
from machinery.model.node_network import NodeNetwork, PodNetwork, Sockets

_LISTENS: Final = "0A"  # TCP_LISTEN


def read_host(name: str, found: NodeNetwork, *, is_6: bool = False) -> Host:
    """Read what was found in a namespace that forwards packets, for one family of addresses.

    Raises:
        ValueError: programs of that machine print something else than those that are known.
    """
    family, default = ("inet6", "::/0") if is_6 else ("inet", "0.0.0.0/0")
    return Host(
        name,
        read_addresses(found.addresses, family),
        read_routes(found.routes, default),
        read_table(found.table, found.rules) if found.table else NO_TABLE,
        read_down(found.links),
        _read_sockets(found.sockets),
        read_host_ports(found.nat) if found.nat else NO_TABLE,
        found.sees_bridged,
    )


def read_wire(address: str, found: PodNetwork) -> Wire:
    """Read how the pod of an address hangs on its node."""
    family = "inet6" if ":" in address else "inet"
    for link in found.addresses:
        if address in read_addresses([link], family):
            veth, bridge = find_peer(found.node_links, int(link.get("link_index", 0)))
            return Wire(bridge, veth, str(link["ifname"]), _read_sockets(found.sockets))
    return Wire()


def read_addresses(links: Iterable[Mapping[str, Any]], family: str = "inet") -> frozenset[str]:
    """Read the addresses of `ip -j address` of a family, inet or inet6."""
    return frozenset(
        info["local"] for link in links for info in link.get("addr_info", ()) if info.get("family") == family
    )


def read_down(links: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Read which interfaces carry nothing, as `ip -j link` has it."""
    return frozenset(link["ifname"] for link in links if not {"UP", "LOWER_UP"} <= set(link.get("flags", ())))


def read_routes(routes: Iterable[Mapping[str, Any]], default: str = "0.0.0.0/0") -> tuple[Route, ...]:
    """Read `ip -j -4 route`, or that of IPv6 with its `default`, ::/0; what leads to no interface (blackhole, unreachable) is left out."""
    return tuple(
        Route(_network(each["dst"], default), each["dev"], each.get("gateway", ""), _route_text(each))
        for each in routes
        if "dev" in each
    )


def read_doors(protocol: str, table: str) -> frozenset[Door]:
    """Read who listens out of /proc/net/tcp, tcp6, udp or udp6: of TCP who listens, of UDP whoever has a port."""
    doors = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and (protocol == "udp" or fields[3] == _LISTENS):
            doors.add((protocol, int(fields[1].rpartition(":")[2], 16)))
    return frozenset(doors)


def find_peer(links: Iterable[Mapping[str, Any]], index: int) -> tuple[str, str]:
    """Return the name and the bridge of the interface with a number; "" where there is none."""
    for link in links:
        if link.get("ifindex") == index:
            return str(link["ifname"]), str(link.get("master", ""))
    return "", ""


def _read_sockets(sockets: Sockets) -> frozenset[Door]:
    return frozenset(
        door for protocol, tables in sockets.items() for text in tables for door in read_doors(protocol, text)
    )


def _network(text: str, default: str) -> IPv4Network | IPv6Network:
    return ip_network(default if text == "default" else text)


def _route_text(route: Mapping[str, Any]) -> str:
    via = f" via {route['gateway']}" if "gateway" in route else ""
    return f"{route['dst']}{via} dev {route['dev']}"
