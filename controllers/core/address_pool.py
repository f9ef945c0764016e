"""The addresses that load balancers may have, and which ones a Service gets.

Where there is a pool of each family, their addresses belong together by their places: a Service has one place in both, and
of it the addresses of its own families. It is called by its address in the first pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Final, NamedTuple

from machinery.model.endpoints import IPV4, IPV6

_LARGE: Final = 256  # addresses


@dataclass(frozen=True, slots=True)
class Pool:
    """All addresses from the first to the last, of one family."""

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.last) - int(self.first) + 1

    @property
    def family(self) -> str:
        """The family of its addresses."""
        return f"IPv{self.first.version}"

    def __contains__(self, address: str) -> bool:
        return 0 <= self.place(address) < self.size

    def place(self, address: str) -> int:
        """Return which of the addresses one is, from 0 on; one of the others, or none, is beyond them."""
        try:
            read = ip_address(address)
        except ValueError:
            return -1
        return int(read) - int(self.first) if read.version == self.first.version else -1

    def at(self, place: int) -> str:
        """Return the address at a place."""
        return str(self.first + place)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Pools:
    """A pool of the cluster's first family, and one of the second where it has two."""

    first: Pool
    second: Pool | None = None

    def called(self, address: str) -> str:
        """Return the address in the first pool that one is called by."""
        if self.second is not None and address in self.second:
            return self.first.at(self.second.place(address))
        return address

    def of_families(self, address: str, families: Iterable[str]) -> tuple[str, ...]:
        """Return what a Service gets that has the place of an address in the first pool: of its families, in their order."""
        known = {pool.family: pool for pool in (self.first, self.second) if pool is not None}
        place = self.first.place(address)
        return tuple(known[family].at(place) for family in families if family in known)


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
        pool = Pool(ip_address(first), ip_address(last))
    else:
        network = IPv4Network(text)
        is_small = network.prefixlen >= 31  # RFC 3021
        pool = Pool(network[0 if is_small else 1], network[-1 if is_small else -2])
    if pool.first.version != pool.last.version or pool.size < 1:
        raise ValueError(f"{text!r} ends before it begins")
    return pool


def parse_pools(text: str) -> Pools:
    """Read a pool of IPv4, and after a comma one of IPv6 that is at least as large.

    Raises:
        ValueError: they are none.
    """
    first, comma, second = text.partition(",")
    pools = Pools(parse_pool(first), parse_pool(second) if comma else None)
    if pools.first.family != IPV4 or (pools.second and pools.second.family != IPV6):
        raise ValueError(f"{text!r} is no pool of IPv4, alone or before one of IPv6")
    if pools.second and pools.second.size < pools.first.size:
        raise ValueError(f"the pool {second} has fewer addresses than {first}")
    return pools


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
        if not is_taken(address := pool.at(number % pool.size)):
            return Choice(address)
    return Choice(problem=f"no address is left in the pool {pool}")
