"""Port numbers, port names, protocols, addresses: the checks that several kinds share."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from apiserver.core import field_errors
from machinery.model import names
from machinery.model.errors import Cause

PROTOCOLS: Final = frozenset({"SCTP", "TCP", "UDP"})


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


def range_causes(path: str, text: str) -> list[Cause]:
    """Check a CIDR range."""
    if is_range(text):
        return []
    text_ = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return [field_errors.invalid(path, text, text_)]
