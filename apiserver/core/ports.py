"""Port numbers, port names, protocols, addresses: the checks that several kinds share."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from typing import Any, Final

from apiserver.core import field_errors
from machinery.model import names
from machinery.model.errors import Cause

PROTOCOLS: Final = frozenset({"SCTP", "TCP", "UDP"})
_DECIMALS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){3}(/[0-9]{1,9})?")
_SPECIAL: Final = (
    ("may not be unspecified (0.0.0.0 or ::)", "is_unspecified"),
    ("may not be in the loopback range (127.0.0.0/8, ::1/128)", "is_loopback"),
    ("may not be in the link-local range (169.254.0.0/16, fe80::/10)", "is_link_local"),
)
_LOCAL_GROUPS: Final = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


def port_causes(path: str, port: int) -> list[Cause]:
    """Check a port's number."""
    return field_errors.within(path, port, 1, 65535)


def target_causes(path: str, target: Any) -> list[Cause]:
    """Check a port that is given by number or by name."""
    if isinstance(target, int):
        return port_causes(path, target)
    return field_errors.each_invalid(path, target, names.port_name_errors(target))


def protocol_causes(path: str, protocol: str | None) -> list[Cause]:
    """Check a protocol, which has to be there."""
    if not protocol:
        return [field_errors.required(path)]
    return field_errors.one_of(path, protocol, PROTOCOLS)


def is_address(text: str, family: str = "") -> bool:
    """Whether a text is an IP address, of the family ("IPv4", "IPv6") if one is given."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not family or family == f"IPv{address.version}"


def address_causes(path: str, text: str) -> list[Cause]:
    """Check an IP address."""
    if is_address(text):
        return []
    return [field_errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]


def is_range(text: str, family: str = "") -> bool:
    """Whether a text is a range of addresses in CIDR notation, of the family ("IPv4", "IPv6") if one is given."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    is_length = text.rpartition("/")[2].isdecimal() and "/" in text  # Python takes masks, too
    return is_length and (not family or family == f"IPv{network.version}")


def range_causes(path: str, text: str, known: Container[str] = ()) -> list[Cause]:
    """Check a CIDR range: it may be written in several ways, and leaves no doubt about what is in it (StrictIPCIDRValidation).

    `known`: the ranges that the object had before, which it may keep.
    """
    return [] if text in known else field_errors.each_invalid(path, text, _range_errors(text))


def _range_errors(text: str) -> list[str]:
    if not is_range(text):
        if _has_leading_zeros(text):
            return ["must not have leading 0s in IP or prefix length"]
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    interface = ipaddress.ip_interface(text)
    if isinstance(interface, ipaddress.IPv6Interface) and interface.ipv4_mapped:
        return ["must not have an IPv4-mapped IPv6 address"]
    if interface.ip != interface.network.network_address:
        return ["must not have bits set beyond the prefix length"]
    return []


def exact_address_errors(text: str) -> list[str]:
    """Return what keeps a text from being an IP address that is written in the one way that it should be."""
    if not is_address(text):
        if _has_leading_zeros(text):
            return ["must not have leading 0s"]
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(address) == text else [f'must be in canonical form ("{address}")']


def exact_range_errors(text: str) -> list[str]:
    """Return the same of a range of addresses in CIDR notation."""
    if found := _range_errors(text):
        return found
    network = ipaddress.ip_network(text)
    return [] if str(network) == text else [f'must be in canonical form ("{network}")']


def _has_leading_zeros(text: str) -> bool:
    """Whether an IPv4 address, or a range of them, is well-formed except for zeros before its numbers."""
    plain = _without_leading_zeros(text)
    return plain != text and (is_address(plain) or is_range(plain))


def _without_leading_zeros(text: str) -> str:
    """Return an IPv4 address, or a range of them, without zeros before its numbers; another text as it is."""
    if not _DECIMALS.fullmatch(text):
        return text
    return "/".join(".".join(str(int(each)) for each in part.split(".")) for part in text.split("/"))


def special_address_errors(text: str) -> list[str]:
    """Return what keeps an address from being one that others can reach; nothing where it is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    found = [problem for problem, test in _SPECIAL if getattr(address, test)]
    if any(address in group for group in _LOCAL_GROUPS if group.version == address.version):
        found.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return found


def interface_causes(path: str, text: str) -> list[Cause]:
    """Check an address with the length of its network's prefix, in the one way that it should be written."""
    plain = _without_leading_zeros(text)
    if not is_range(plain):
        text_ = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        return [field_errors.invalid(path, text, text_)]
    interface = str(ipaddress.ip_interface(plain))
    if interface == text:
        return []
    return [field_errors.invalid(path, text, f'must be in canonical form ("{interface}")')]


def address_warnings(text: str, path: str) -> tuple[str, ...]:
    """Return what to warn of in an address that is one: an IPv6 address has one form that it should be written in."""
    if ":" not in text or not is_address(text) or str(ipaddress.ip_address(text)) == text:
        return ()
    canonical = ipaddress.ip_address(text)
    return (f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{canonical}")',)


def range_warnings(text: str, path: str) -> tuple[str, ...]:
    """Return the same of a range; one that is written as an address within it might mean that address alone."""
    if not is_range(text):
        return ()
    interface = ipaddress.ip_interface(text)
    if interface.ip != interface.network.network_address:
        alone = f"{interface.ip}/{interface.max_prefixlen}"
        what = f'is ambiguous in this context (should be "{interface.network}" or "{alone}"?)'
        return (f'{path}: CIDR value "{text}" {what}',)
    if ":" in text and str(interface) != text:
        return (f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{interface}")',)
    return ()
