"""Whom a request to a `proxy` subresource names, and the pod and the port that are chosen.

https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import BadRequest, Unavailable

_SCHEMES: Final = frozenset({"", "http", "https"})
_DEFAULT_PORTS: Final = {"": "80", "http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name in a path says: `name`, `name:port`, or `scheme:name:port`."""

    scheme: str
    name: str
    port: str


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that is reached from a node."""

    node: str
    host: str
    port: str
    is_tls: bool


def read_name(text: str, what: str) -> Named:
    """Read a name.

    Raises:
        BadRequest: it is none.
    """
    match text.split(":"):
        case [name]:
            named = Named("", name, "")
        case [name, port]:
            named = Named("", name, port)
        case [scheme, name, port]:
            named = Named(scheme, name, port)
        case _:
            named = Named("", "", "")
    if not named.name or named.scheme not in _SCHEMES:
        raise BadRequest(f'invalid {what} request "{text}"')
    return named


def of_pod(pod: Json, named: Named) -> Destination:
    """Return where a pod is reached, at its first declared port where none is named.

    Raises:
        BadRequest: it has no address that may be connected to.
    """
    declared = (
        port for container in spec(pod).get("containers") or () for port in container.get("ports") or ()
    )
    port = named.port or next((str(each["containerPort"]) for each in declared), "")
    addresses = _addresses(pod)
    if not addresses or not is_proxyable(addresses[0]):
        raise BadRequest("address not allowed")
    return _at(pod, addresses[0], port, named.scheme)


def service_port(service: Json, port: str) -> str:
    """Return the name of a service's port, which may be named by its number.

    Raises:
        Unavailable: the service has no port of that number.
    """
    if not port.isascii() or not port.isdecimal():
        return port
    for each in spec(service).get("ports") or ():
        if each.get("port") == int(port):
            return str(each.get("name", ""))
    name = metadata(service)["name"]
    raise Unavailable(f'no service port {int(port)} found for service "{name}"')


def endpoints_of(slices: Iterable[Json], port_name: str) -> Iterator[tuple[Json, int]]:
    """Yield the endpoints that are ready and have a port of that name, with its number."""
    for each in slices:
        numbers = [port.get("port") for port in each.get("ports") or () if port.get("name", "") == port_name]
        if not numbers or not numbers[0]:
            continue
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                yield endpoint, int(numbers[0])


def of_endpoint(endpoint: Json, pod: Json, port: int, scheme: str) -> Destination | None:
    """Return where an endpoint is reached; None where the pod that it names does not have its address."""
    address = next(iter(endpoint.get("addresses") or ()), "")
    return _at(pod, address, str(port), scheme) if address in _addresses(pod) else None


def pod_of(endpoint: Json, namespace: str) -> str:
    """Return the name of the pod of an endpoint; "" where it names none in the namespace: to others nobody is led."""
    target = endpoint.get("targetRef") or {}
    is_pod = target.get("kind") == "Pod" and target.get("namespace") == namespace
    return str(target.get("name", "")) if is_pod else ""


def no_endpoints(service: str) -> Unavailable:
    """Return the error of a service that leads nowhere."""
    return Unavailable(f'no endpoints available for service "{service}"')


def shuffled(items: Sequence[Any], randrange: Callable[[int], int]) -> Iterator[Any]:
    """Yield items from a random one on, each once."""
    if items:
        begin = randrange(len(items))
        yield from (*items[begin:], *items[:begin])


def of_node_port(node: str, host: str, port: str, scheme: str) -> Destination:
    """Return where a port of a node itself is reached.

    Raises:
        BadRequest: the node's address is none that may be connected to.
    """
    if not is_proxyable(host):
        raise BadRequest("address not allowed")
    return Destination(node, host, port, scheme == "https")


def is_proxyable(address: str) -> bool:
    """Whether somebody may be connected with an address: it is a unicast address that is not its own machine's or link's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (
        not (parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified)
        and address != "255.255.255.255"
    )


def _addresses(pod: Json) -> list[str]:
    status = pod.get("status") or {}
    found = [each.get("ip", "") for each in status.get("podIPs") or ()]
    return found or ([status["podIP"]] if status.get("podIP") else [])


def _at(pod: Json, address: str, port: str, scheme: str) -> Destination:
    return Destination(
        spec(pod).get("nodeName", ""), address, port or _DEFAULT_PORTS[scheme], scheme == "https"
    )
