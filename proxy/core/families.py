"""The two families of addresses, as the packet filter and `ip` call them.

A node of a dual-stack cluster has a table, routes and flows of each; nothing of one refers to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from machinery.model.endpoints import IPV4, IPV6

_OCTETS: Final = frozenset(map(str, range(256)))  # without leading zeros, which some read as octal


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One of them."""

    name: str  # "IPv4", as EndpointSlices and Services have it
    version: int
    word: str  # of nft, for tables and for what of a packet is looked at
    type: str  # of nft, for the elements of sets and maps
    icmp: str
    loopback: str  # a network, or an address
    read: Callable[
        [str], str
    ]  # the one form in which an address of the family is written, "" for any other text


def is_ipv4(text: str) -> bool:
    """Whether a text is an IPv4 address; whatever else an object may hold never reaches the rules."""
    octets = text.split(".", 4)
    return len(octets) == 4 and _OCTETS.issuperset(octets)


def _read_ipv4(text: str) -> str:
    return text if is_ipv4(text) else ""


def _read_ipv6(text: str) -> str:
    if ":" not in text:
        return ""
    try:
        address = IPv6Address(text)
    except ValueError:
        return ""
    return "" if address.scope_id or address.ipv4_mapped else str(address)


V4: Final = Family(IPV4, 4, "ip", "ipv4_addr", "icmp", "127.0.0.0/8", _read_ipv4)
V6: Final = Family(IPV6, 6, "ip6", "ipv6_addr", "icmpv6", "::1", _read_ipv6)


def family_of(text: str) -> Family:
    """Return the family of an address or a network."""
    return V6 if ":" in text else V4
