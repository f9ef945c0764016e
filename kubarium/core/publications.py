"""Ports of the machine that lead into the cluster: how they are written, and where each leads at present.

    8080:80                       127.0.0.1:8080 → port 80 of the LoadBalancer that has one, else node port 80
    0.0.0.0:8443:shop/web:https   every address of the machine → the port `https` of one Service, of whatever type
    5353:kube-system/kube-dns:53/udp

A Service is reached by what it offers: at the address of its load balancer, at its node port, or at its ClusterIP from
within a node. Fed with Services and nodes by `kubarium.publishing`, which does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import Final, NamedTuple

from machinery.model.conditions import is_true
from machinery.model.k8s.core_v1 import Node, Service, ServicePort
from machinery.model.load_balancers import addresses
from machinery.model.store import key_of

LOCAL: Final = "127.0.0.1"
TCP: Final = "TCP"
_FORM: Final = "[ADDRESS:]HOSTPORT:PORT[/udp] or [ADDRESS:]HOSTPORT:NAMESPACE/SERVICE[:PORT][/udp]"
_NAME: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_TARGET: Final = re.compile(rf"(?:(?P<namespace>{_NAME})/)?(?P<service>{_NAME})(?::(?P<port>{_NAME}))?")
_WRITTEN: Final = re.compile(
    r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<port>[0-9]+):(?P<target>[^\s]+?)(?:/(?P<protocol>udp|tcp))?"
)


class Target(NamedTuple):
    """A port of a Service; without a Service, of whichever LoadBalancer has that port, else a node port."""

    namespace: str = ""
    service: str = ""
    port: str = ""  # a number or a name; of a Service that has one port alone it may be ""

    def __str__(self) -> str:
        if not self.service:
            return f"port {self.port}"
        return f"{self.namespace}/{self.service}" + (f":{self.port}" if self.port else "")


class Publication(NamedTuple):
    """A port of the machine, and where it leads."""

    host: str
    port: int
    target: Target
    protocol: str = TCP

    @property
    def listens_at(self) -> str:
        """Where it listens, as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.protocol == TCP else "/udp")


class Place(NamedTuple):
    """Where a connection is made to: from the machine, or from within a node that reaches ClusterIPs."""

    host: str
    port: int
    node: str = ""


class Ways(NamedTuple):
    """The places to try, one after the other; where there are none, why."""

    places: tuple[Place, ...] = ()
    problem: str = ""


def read_publication(text: str) -> Publication:
    """Read a publication.

    Raises:
        ValueError: it is not of that form.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not {_FORM}")
    host = (found["host"] or LOCAL).strip("[]")
    try:
        ip_address(host)
    except ValueError as error:
        raise ValueError(f"{text!r}: {host!r} is no address") from error
    number = f"{text!r}: {{}} is no port"
    port = _port(found["port"], number)
    protocol = (found["protocol"] or TCP).upper()
    if found["target"].isdecimal():
        return Publication(host, port, Target(port=str(_port(found["target"], number))), protocol)
    if "/" not in found["target"]:
        raise ValueError(f"{text!r} is not {_FORM}")
    return Publication(host, port, read_target(found["target"]), protocol)


def read_target(text: str, namespace: str = "") -> Target:
    """Read [NAMESPACE/]SERVICE[:PORT]; without a namespace it is in the one that is given.

    Raises:
        ValueError: it is not of that form.
    """
    found = _TARGET.fullmatch(text)
    if found is None or not (found["namespace"] or namespace):
        raise ValueError(f"{text!r} is not {'[NAMESPACE/]' if namespace else 'NAMESPACE/'}SERVICE[:PORT]")
    if (found["port"] or "").isdecimal():
        _port(found["port"], f"{text!r}: {{}} is no port")
    return Target(found["namespace"] or namespace, found["service"], found["port"] or "")


def _port(text: str, problem: str) -> int:
    if not 1 <= (port := int(text)) <= 65535:
        raise ValueError(problem.format(port))
    return port


def twice(publications: Iterable[Publication]) -> str:
    """Return what two publications of one port are called, "" where there are none."""
    seen: set[str] = set()
    for each in publications:
        if each.listens_at in seen:
            return each.listens_at
        seen.add(each.listens_at)
    return ""


def ports_of(service: Service) -> tuple[str, ...]:
    """Return the keys of a Service in the index by which a target without a Service is looked up."""
    return (
        *(_key("balancer", each) for each in service.spec.ports if service.spec.type == "LoadBalancer"),
        *(_key("node", each, each.nodePort) for each in service.spec.ports if each.nodePort),
    )


def keys_of(publication: Publication) -> tuple[str, str]:
    """Return the keys under which `ports_of` has the Services for a publication without one, the better first."""
    port, protocol = publication.target.port, publication.protocol
    return f"balancer/{port}/{protocol}", f"node/{port}/{protocol}"


def _key(kind: str, port: ServicePort, number: int | None = None) -> str:
    return f"{kind}/{port.port if number is None else number}/{port.protocol or TCP}"


def oldest(services: Collection[Service]) -> Service:
    """Return the Service that has a port where several do: the oldest one."""
    return min(services, key=lambda each: (each.metadata.creationTimestamp or "", *key_of(each)))


def ways_to(
    publication: Publication, service: Service | None, nodes: Iterable[Node], *, enters_nodes: bool
) -> Ways:
    """Return where a Service is reached. `enters_nodes` says whether connections can be made from within a node.

    A publication that names no Service is about the port of that number, or the node port.
    """
    target = publication.target
    if service is None:
        what = f"no Service {target}" if target.service else f"no LoadBalancer or node port has {target}"
        return Ways(problem=f"{what}{'' if publication.protocol == TCP else ' (UDP)'}")
    name = "/".join(key_of(service))
    if service.spec.type == "ExternalName":
        return Ways(problem=f"{name} is of type ExternalName, which stands for a name and has no address")
    port, problem = _chosen(service, publication)
    if port is None:
        return Ways(problem=f"{name} {problem}")
    fit = [each for each in nodes if is_true(each.status.conditions, "Ready")]
    places = [Place(address, port.port) for address in addresses(service) if ":" not in address]
    if port.nodePort:
        places += [Place(address, port.nodePort) for each in fit for address in _internal(each)]
    if enters_nodes and service.spec.clusterIP not in {"", "None"}:
        places += [Place(service.spec.clusterIP, port.port, each.metadata.name) for each in fit]
    return Ways(tuple(places)) if places else Ways(problem=f"{name} {_why_nowhere(service, bool(fit))}")


def _chosen(service: Service, publication: Publication) -> tuple[ServicePort | None, str]:
    wanted, protocol = publication.target.port, publication.protocol
    ports = [each for each in service.spec.ports if (each.protocol or TCP) == protocol]
    fit = [each for each in ports if wanted in {"", each.name, str(each.port)}]
    if not fit and not publication.target.service:
        fit = [each for each in ports if str(each.nodePort) == wanted]
    if len(fit) == 1 or (fit and wanted):
        return fit[0], ""
    has = ", ".join(f"{each.port} ({each.name})" if each.name else str(each.port) for each in ports)
    return (
        None,
        f"has {'several ports' if fit else f'no port {wanted}'.rstrip()} over {protocol} (it has: {has})",
    )


def _why_nowhere(service: Service, has_nodes: bool) -> str:  # noqa: FBT001 - one caller, which says it
    if not has_nodes:
        return "cannot be reached while no node is Ready"
    if service.spec.type == "LoadBalancer":
        return "has no address of a load balancer yet"
    if service.spec.clusterIP in {"", "None"}:
        return "is headless: it has no address of its own"
    return "is of type ClusterIP, which only nodes and pods reach: make it a LoadBalancer or NodePort"


def _internal(node: Node) -> list[str]:
    return [
        each.address
        for each in node.status.addresses
        if each.type == "InternalIP" and ":" not in each.address
    ]
