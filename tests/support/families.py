"""IPv6 twins of IPv4 addresses, by which one random world is there in both families of addresses."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from proxy.core.families import V4, Family


def twin(text: str) -> str:
    """Return the IPv6 address or network with the same numbers: of 10.244.1.5 it is fd00::10:244:1:5."""
    address, slash, length = text.partition("/")
    if slash and length == "0":
        return "::/0"
    groups = f"fd00::{address.replace('.', ':')}"
    return str(ip_network(f"{groups}/{64 + 2 * int(length)}")) if slash else str(ip_network(groups)[0])


def both(texts: Iterable[str]) -> list[str]:
    """Return addresses, or networks, and then the twins of those that are IPv4."""
    known = list(texts)
    return [*known, *(twin(each) for each in known if ":" not in each)]


def of_family(text: str, family: Family) -> str:
    """Return an IPv4 address or network, or its twin."""
    return text if family is V4 else twin(text)
