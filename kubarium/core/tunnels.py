"""Which ports of the machine a `kubarium tunnel` opens: for the Services that were named, else for every LoadBalancer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from kubarium.core.publications import LOCAL, TCP, Publication, Target, read_target
from machinery.model.k8s.core_v1 import Service
from machinery.model.store import key_of

_WRITTEN: Final = re.compile(r"(?:(?P<port>[0-9]{1,5}):)?(?P<target>[^\s]+)")
_PROTOCOLS: Final = (TCP, "UDP")


class Wanted(NamedTuple):
    """A Service that was named: all its ports, or one of them at a certain port of the machine."""

    target: Target
    local_port: int = 0  # 0: the Service's own where it can be had, else a free one


class Opening(NamedTuple):
    """A port of a Service that is to be opened."""

    namespace: str
    service: str
    port: int
    protocol: str
    local_port: int = 0  # that was asked for; 0: none in particular

    @property
    def name(self) -> str:
        """What it leads to, for people."""
        return f"{self.namespace}/{self.service}:{self.port}" + ("" if self.protocol == TCP else "/udp")

    @property
    def attempts(self) -> tuple[int, ...]:
        """The ports of the machine to try, one after the other; 0 is any that is free."""
        return (self.local_port,) if self.local_port else (self.port, 0)

    def publication(self, local_port: int) -> Publication:
        """Return what is forwarded."""
        target = Target(self.namespace, self.service, str(self.port))
        return Publication(LOCAL, local_port, target, self.protocol)


class NoTunnel(ValueError):  # noqa: N818 - it names what there is
    """A Service that was named cannot have one; the text says why."""


def read_wanted(text: str, namespace: str) -> Wanted:
    """Read [HOSTPORT:][NAMESPACE/]SERVICE[:PORT].

    Raises:
        ValueError: it is not of that form.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or found["target"].isdecimal():
        raise ValueError(f"{text!r} is not [HOSTPORT:][NAMESPACE/]SERVICE[:PORT]")
    port = int(found["port"] or 0)
    if found["port"] and not 1 <= port <= 65535:
        raise ValueError(f"{text!r}: {port} is no port")
    return Wanted(read_target(found["target"], namespace), port)


def openings(services: Iterable[Service], wanted: Sequence[Wanted]) -> list[Opening]:
    """Return what is to be open, in the order of names; without anything wanted, for every LoadBalancer with an address.

    Raises:
        NoTunnel: a Service that was named is not there, or has not that port.
    """
    if wanted:
        known = {key_of(each): each for each in services}
        return [opening for one in wanted for opening in _of_wanted(one, known.get(one.target[:2]))]
    balanced = [each for each in services if _has_address(each)]
    return [_opening(each, port) for each in sorted(balanced, key=key_of) for port in _ports(each)]


def _of_wanted(wanted: Wanted, service: Service | None) -> list[Opening]:
    target = wanted.target
    if service is None:
        raise NoTunnel(f"there is no Service {target.namespace}/{target.service}")
    if service.spec.type == "ExternalName" or service.spec.clusterIP in {"", "None"}:
        raise NoTunnel(f"Service {target.namespace}/{target.service} has no address of its own")
    ports = _ports(service)
    fit = [each for each in ports if target.port in {"", each[0], str(each[1])}]
    if not fit or (wanted.local_port and len({number for _, number, _ in fit}) > 1):
        has = ", ".join(f"{number} ({name})" if name else str(number) for name, number, _ in ports)
        why = f"has no port {target.port}" if not fit else "has several ports"
        raise NoTunnel(f"Service {target.namespace}/{target.service} {why} (it has: {has or 'none'})")
    return [_opening(service, each, wanted.local_port) for each in fit]


def _ports(service: Service) -> list[tuple[str, int, str]]:
    """List name, number and protocol of the ports that can be forwarded."""
    ports = [(each.name, each.port, each.protocol or TCP) for each in service.spec.ports]
    return [each for each in ports if each[2] in _PROTOCOLS]


def _opening(service: Service, port: tuple[str, int, str], local_port: int = 0) -> Opening:
    namespace, name = key_of(service)
    return Opening(namespace, name, port[1], port[2], local_port)


def _has_address(service: Service) -> bool:
    status = service.status.loadBalancer
    return service.spec.type == "LoadBalancer" and status is not None and bool(status.ingress)
