"""The addresses of load balancers that a user may choose: a part of those that the backbone keeps for them.

Which backbone a cluster has is known when it is started. So a pool is written as what stands behind the last dot,
"220-230", or in full, "10.77.0.220-10.77.0.230" or "10.77.0.224/28", which then has to be on the cluster's own backbone.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Final, NamedTuple

FIRST: Final = 211  # of the backbone's addresses; those before are the machine's and nodes'
LAST: Final = 254


class Pool(NamedTuple):
    """What stands behind the last dot of the first and the last address, and the subnet that was written, "" for none."""

    first: int
    last: int
    subnet: str = ""  # "10.77.0."


def read_pool(text: str) -> Pool:
    """Read a pool.

    Raises:
        ValueError: it is none, or not among the addresses that load balancers may have.
    """
    pool = _read(text)
    if pool.first > pool.last:
        raise ValueError(f"{text} ends before it begins")
    if pool.first < FIRST or pool.last > LAST:
        raise ValueError(
            f"{text} is not within .{FIRST} to .{LAST} of the backbone: the addresses before are the machine's and nodes'"
        )
    return pool


def _read(text: str) -> Pool:
    first, dash, last = text.partition("-")
    try:
        if not dash:
            network = IPv4Network(text)
            hosts = (network[1], network[-2]) if network.prefixlen < 31 else (network[0], network[-1])
            return _in_one_subnet(*hosts)
        if first.isdecimal() and last.isdecimal():
            return Pool(int(first), int(last))
        return _in_one_subnet(IPv4Address(first), IPv4Address(last))
    except ValueError as error:
        raise ValueError(
            f'"{text}" is no pool of addresses; write it as 220-230, 10.77.0.220-10.77.0.230 or 10.77.0.224/28'
        ) from error


def _in_one_subnet(first: IPv4Address, last: IPv4Address) -> Pool:
    (subnet, low), (other, high) = (str(each).rsplit(".", 1) for each in (first, last))
    if subnet != other:
        raise ValueError("a backbone is a /24")
    return Pool(int(low), int(high), f"{subnet}.")
