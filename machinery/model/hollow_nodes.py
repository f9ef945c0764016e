"""How hollow nodes are called, and which of their certificates has whose name: what their host and its cluster agree on."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

USER: Final = "system:hollow-nodes"  # as whom the host of all hollow nodes comes to the apiserver
MOST_NODES: Final = 10_000
NAMES_A_CERTIFICATE: Final = 250  # nodes whose names one serving certificate has: a few KiB in each handshake
LABEL: Final = "kubarium.dev/runtime"  # of each hollow node, with the value "hollow"
VALUE: Final = "hollow"
SIMULATION: Final = (
    "hollow.kubarium.dev/"  # begins the annotations by which a pod says how it behaves where it is simulated
)
_LEFT: Final = 256  # ranges
_RANGE: Final = 256  # addresses of one
_PREFIX: Final = "hollow-"


def node_name(number: int) -> str:
    """Return the name of a node by its number, from 1 on: hollow-0001."""
    return f"{_PREFIX}{number:04d}"


def node_names(count: int) -> list[str]:
    """List the names of so many nodes."""
    return [node_name(number) for number in range(1, count + 1)]


def pod_range(cidr: str, number: int) -> str:
    """Return the /24 of a node in the range of all; the first 256 are left to nodes that are given theirs by a controller.

    Raises:
        ValueError: the range has none for this number.
    """
    all_of_them = IPv4Network(cidr)
    first = int(all_of_them.network_address) + (_LEFT + number - 1) * _RANGE
    if first + _RANGE - 1 > int(all_of_them.broadcast_address):
        raise ValueError(f"{cidr} has no range for node {number}")
    return str(IPv4Network((first, 24)))


def certificate_of(number: int) -> int:
    """Return which certificate, from 0 on, has the name of a node."""
    return (number - 1) // NAMES_A_CERTIFICATE


def names_by_certificate(count: int) -> list[list[str]]:
    """Return the names of so many nodes, those of one serving certificate together."""
    names = node_names(count)
    return [names[first : first + NAMES_A_CERTIFICATE] for first in range(0, count, NAMES_A_CERTIFICATE)]
