"""The addresses that load balancers may have, and which one a Service gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, NamedTuple

_LARGE: Final = 256  # addresses


@dataclass(frozen=True, slots=True)
class Pool:
    """All addresses from the first to the last."""

    first: IPv4Address
    last: IPv4Address

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: str) -> bool:
        try:
            return self.first <= IPv4Address(address) <= self.last
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class Choice(NamedTuple):
    """The address that a Service gets, or why it gets none."""

    address: str = ""
    problem: str = ""


NO_CHOICE: Final = Choice()


def parse_pool(text: str) -> Pool:
    """Read a pool: "10.77.0.211-10.77.0.254", or a network, whose first and last address are no host's.

    Raises:
        ValueError: it is neither.
    """
    first, dash, last = text.partition("-")
    if dash:
        pool = Pool(IPv4Address(first), IPv4Address(last))
    else:
        network = IPv4Network(text)
        is_small = network.prefixlen >= 31  # RFC 3021
        pool = Pool(network[0 if is_small else 1], network[-1 if is_small else -2])
    if pool.first > pool.last:
        raise ValueError(f"{text!r} ends before it begins")
    return pool


def choose(pool: Pool, wanted: str, has: str, is_taken: Callable[[str], bool], lot: int = 0) -> Choice:
    """Choose an address: the one that is asked for by name, else the one that the Service has, else one that is free.

    `is_taken` says of an address whether another Service has it, and has more right to it. The first free one is taken; in a
    large pool, of which nobody wants to look at the beginning each time, the first behind the place that `lot` says.
    """
    if wanted:
        if wanted not in pool:
            return Choice(problem=f"address {wanted} is not in the pool {pool}")
        return Choice(problem=f"address {wanted} is already in use") if is_taken(wanted) else Choice(wanted)
    if has in pool and not is_taken(has):
        return Choice(has)
    begin = lot % pool.size if pool.size > _LARGE else 0
    for number in range(begin, begin + pool.size):
        if not is_taken(address := str(pool.first + number % pool.size)):
            return Choice(address)
    return Choice(problem=f"no address is left in the pool {pool}")
