"""What a name of the cluster's domain asks for, by its shape alone.

    <service>.<namespace>.svc.<domain>                     ServiceName
    <host>.<service>.<namespace>.svc.<domain>              HostName
    _<port>._<protocol>.<service>.<namespace>.svc.<domain> PortName
    <a>-<b>-<c>-<d>.<namespace>.pod.<domain>               PodName
    <namespace>.svc.<domain>, <namespace>.pod.<domain>     NamespaceName
    <domain>, svc.<domain>, pod.<domain>                   Place
    dns-version.<domain>                                   VersionName
    <d>.<c>.<b>.<a>.in-addr.arpa and the like in ip6.arpa  an address: `reversed_address`

Names are lower case, without the dot at their end. https://github.com/kubernetes/dns/blob/master/docs/specification.md
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple, TypeAlias

SCHEMA_LABEL: Final = "dns-version"
_IPV4_SUFFIX: Final = ".in-addr.arpa"
_IPV6_SUFFIX: Final = ".ip6.arpa"
_NIBBLES: Final = frozenset("0123456789abcdef")


class ServiceName(NamedTuple):
    """A Service."""

    namespace: str
    service: str


class HostName(NamedTuple):
    """One endpoint of a Service."""

    namespace: str
    service: str
    host: str


class PortName(NamedTuple):
    """A named port of a Service; without a port the place where the ports of a protocol are."""

    namespace: str
    service: str
    port: str
    protocol: str


class PodName(NamedTuple):
    """An address, as a name in a namespace."""

    namespace: str
    address: IPv4Address | IPv6Address


class NamespaceName(NamedTuple):
    """Where the names of a namespace are; none itself."""

    namespace: str


class Place(NamedTuple):
    """The domain, or the place of all Services or all pods in it (`below`)."""

    below: str


class VersionName(NamedTuple):
    """The version of the specification."""


_LABELS: Final[dict[str, Place | VersionName]] = {
    "svc": Place("svc"),
    "pod": Place("pod"),
    SCHEMA_LABEL: VersionName(),
}

Asked: TypeAlias = ServiceName | HostName | PortName | PodName | NamespaceName | Place | VersionName


def is_within(name: str, domain: str) -> bool:
    """Whether a name is a domain or below it."""
    return name == domain or not domain or name.endswith(f".{domain}")


def read_name(name: str, domain: str) -> Asked | None:
    """Return what a name within the domain asks for, None where none of that shape can be there."""
    labels = name[: -len(domain)].rstrip(".").split(".") if name != domain else []
    match labels:
        case []:
            return Place("")
        case [label]:
            return _LABELS.get(label)
        case [namespace, "svc" | "pod"]:
            return NamespaceName(namespace)
        case [*rest, namespace, "svc"]:
            return _in_namespace(rest, namespace)
        case [pod, namespace, "pod"]:
            address = _dashed_address(pod)
            return PodName(namespace, address) if address else None
    return None


def reversed_address(name: str) -> str:
    """Return the address that a name in the reverse domains stands for, "" where it stands for none."""
    if name.endswith(_IPV4_SUFFIX):
        labels = name.removesuffix(_IPV4_SUFFIX).split(".")
        text = ".".join(reversed(labels)) if len(labels) == 4 else ""
    elif name.endswith(_IPV6_SUFFIX):
        labels = name.removesuffix(_IPV6_SUFFIX).split(".")
        digits = "".join(reversed(labels))
        is_whole = len(labels) == len(digits) == 32 and _NIBBLES.issuperset(digits)
        text = ":".join(digits[at : at + 4] for at in range(0, 32, 4)) if is_whole else ""
    else:
        return ""
    address = _address(text)
    return str(address) if address else ""


def canonical(address: str) -> str:
    """Return an address as all write it."""
    found = _address(address) if ":" in address else None
    return str(found) if found else address


def dashed(address: str) -> str:
    """Return the host name of an endpoint that has none of its own."""
    return address.replace(".", "-").replace(":", "-")


def _in_namespace(labels: list[str], namespace: str) -> Asked | None:
    match labels:
        case [service]:
            return ServiceName(namespace, service)
        case [host, service] if host.startswith("_"):
            return PortName(namespace, service, "", host[1:])
        case [host, service]:
            return HostName(namespace, service, host)
        case [port, protocol, service] if port.startswith("_") and protocol.startswith("_") and len(port) > 1:
            return PortName(namespace, service, port[1:], protocol[1:])
    return None


def _dashed_address(text: str) -> IPv4Address | IPv6Address | None:
    is_ipv4 = text.count("-") == 3 and "--" not in text
    return _address(text.replace("-", "." if is_ipv4 else ":"))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
