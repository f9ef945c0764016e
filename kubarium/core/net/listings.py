"""What a host's own programs say of it, read: `ip -j`, `nft`, and the kernel's tables of sockets (proc_net_tcp(5))."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from kubarium.core.net.scene import Door, Route

_LISTENS: Final = "0A"  # TCP_LISTEN


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


def _network(text: str, default: str) -> IPv4Network | IPv6Network:
    return ip_network(default if text == "default" else text)


def _route_text(route: Mapping[str, Any]) -> str:
    via = f" via {route['gateway']}" if "gateway" in route else ""
    return f"{route['dst']}{via} dev {route['dev']}"
