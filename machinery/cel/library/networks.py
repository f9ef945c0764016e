"""IP addresses and CIDR ranges, as Go's netip reads them: no zones, no IPv4 inside IPv6, no leading zeros."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import ceil
from typing import Any, Final

from machinery.cel import costs
from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import CallEstimate, Estimate, Range, Sized, fixed, function, method
from machinery.cel.types import BOOL, INT, STRING, abstract
from machinery.cel.values import Value

IP: Final = abstract("net.IP")
CIDR: Final = abstract("net.CIDR")


@dataclass(frozen=True, slots=True)
class IpValue:
    """An address."""

    address: IPv4Address | IPv6Address

    type_name = "net.IP"

    def __len__(self) -> int:
        return self.address.max_prefixlen // 8


@dataclass(frozen=True, slots=True)
class CidrValue:
    """A range as it was written: the bits of its address below the prefix may be set."""

    address: IPv4Address | IPv6Address
    prefix: int

    type_name = "net.CIDR"

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """The addresses in the range."""
        return ip_network((self.address, self.prefix), strict=False)


def _address(text: str) -> IPv4Address | IPv6Address:
    if "%" in text:
        raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
    try:
        found = ip_address(text)
    except ValueError:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: it is no IP address'
        ) from None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return found


def parse_ip(text: str) -> IpValue:
    """Return the address that a text names.

    Raises:
        EvaluationError: it names none.
    """
    return IpValue(_address(text))


def parse_cidr(text: str) -> CidrValue:
    """Return the range that a text names.

    Raises:
        EvaluationError: it names none.
    """
    name, slash, bits = text.partition("/")
    fault = f'network address parse error during conversion from string: netip.ParsePrefix("{text}")'
    if not slash or not bits.isascii() or not bits.isdigit() or (bits[0] == "0" and bits != "0"):
        raise EvaluationError(fault)
    address = _address(name)
    if len(bits) > 3 or int(bits) > address.max_prefixlen:
        raise EvaluationError(fault)
    return CidrValue(address, int(bits))


def _is(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except EvaluationError:
            return False
        return True

    return test


def _has_ip(one: CidrValue, other: IpValue) -> bool:
    return one.address.version == other.address.version and other.address in one.network


def _has_cidr(one: CidrValue, other: CidrValue) -> bool:
    if one.address.version != other.address.version:
        return False
    return other.prefix >= one.prefix and other.network.network_address in one.network


def _is_canonical(text: str) -> bool:
    return str(_address(text)) == text


def _masked(one: CidrValue) -> CidrValue:
    return CidrValue(one.network.network_address, one.prefix)


def _is_global_unicast(one: IpValue) -> bool:
    """Whether an address is any but these: unspecified, loopback, multicast, link-local, broadcast (as Go has it)."""
    at = one.address
    other = at.is_unspecified or at.is_loopback or at.is_multicast or at.is_link_local
    return not other and at != IPv4Address("255.255.255.255")


def _is_link_local_multicast(one: IpValue) -> bool:
    at = one.address
    if isinstance(at, IPv4Address):
        return at in ip_network("224.0.0.0/24")
    return at.packed[0] == 0xFF and at.packed[1] & 0x0F == 0x02


def _inside(extra: int, *, text: bool) -> Callable[[Sequence[Any], Value], int]:
    """Return the cost of comparing a range's bytes with others, and of reading them from a text."""

    def cost(arguments: Sequence[Any], _: Value) -> int:
        size: int = arguments[0].address.max_prefixlen // 8
        total = ceil(2 * size * costs.PER_CHARACTER)
        total += (ceil(size * costs.PER_CHARACTER) + 1) * extra
        return total + (ceil(len(arguments[1]) * costs.PER_CHARACTER) if text else 0)

    return cost


def _estimate_inside(extra: int, *, text: bool) -> CallEstimate:
    def estimate(arguments: Sequence[Sized]) -> Estimate:
        total = Range(8, 32).scaled(costs.PER_CHARACTER)
        if extra:
            total = total.plus(Range(4, 16).scaled(costs.PER_CHARACTER)).plus(Range(1, 1))
        return Estimate(total.plus(arguments[1].size.scaled(costs.PER_CHARACTER)) if text else total)

    return estimate


_READ: Final[dict[str, Any]] = {"cost": costs.by_size(), "estimate": costs.estimate_size()}
_ONE: Final = fixed(1)

FUNCTIONS: Final = (
    function("ip", (STRING,), IP, parse_ip, **_READ),
    function("isIP", (STRING,), BOOL, _is(parse_ip), **_READ),
    function(
        "ip.isCanonical",
        (STRING,),
        BOOL,
        _is_canonical,
        cost=costs.by_size(0, 0.2),
        estimate=costs.estimate_size(0, 0.2),
    ),
    method("family", (IP,), INT, lambda one: one.address.version, estimate=_ONE),
    method("isUnspecified", (IP,), BOOL, lambda one: one.address.is_unspecified, estimate=_ONE),
    method("isLoopback", (IP,), BOOL, lambda one: one.address.is_loopback, estimate=_ONE),
    method("isLinkLocalMulticast", (IP,), BOOL, _is_link_local_multicast, estimate=_ONE),
    method("isLinkLocalUnicast", (IP,), BOOL, lambda one: one.address.is_link_local, estimate=_ONE),
    method("isGlobalUnicast", (IP,), BOOL, _is_global_unicast, estimate=_ONE),
    function("string", (IP,), STRING, lambda one: str(one.address)),
    function("cidr", (STRING,), CIDR, parse_cidr, **_READ),
    function("isCIDR", (STRING,), BOOL, _is(parse_cidr), **_READ),
    method(
        "containsIP",
        (CIDR, IP),
        BOOL,
        _has_ip,
        cost=_inside(0, text=False),
        estimate=_estimate_inside(0, text=False),
    ),
    method(
        "containsIP",
        (CIDR, STRING),
        BOOL,
        lambda one, text: _has_ip(one, parse_ip(text)),
        cost=_inside(0, text=True),
        estimate=_estimate_inside(0, text=True),
    ),
    method(
        "containsCIDR",
        (CIDR, CIDR),
        BOOL,
        _has_cidr,
        cost=_inside(1, text=False),
        estimate=_estimate_inside(1, text=False),
    ),
    method(
        "containsCIDR",
        (CIDR, STRING),
        BOOL,
        lambda one, text: _has_cidr(one, parse_cidr(text)),
        cost=_inside(1, text=True),
        estimate=_estimate_inside(1, text=True),
    ),
    method("ip", (CIDR,), IP, lambda one: IpValue(one.address), estimate=_ONE),
    method("prefixLength", (CIDR,), INT, lambda one: one.prefix, estimate=_ONE),
    method("masked", (CIDR,), CIDR, _masked, estimate=_ONE),
    function("string", (CIDR,), STRING, lambda one: f"{one.address}/{one.prefix}"),
)
