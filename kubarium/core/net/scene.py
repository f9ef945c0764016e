"""What was collected of the nodes and pods that a packet may meet: as it is in their kernels, and in the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple

from kubarium.core.net.rules import NO_TABLE, Table

MACHINE: Final = "machine"  # the host that all nodes run on: it hangs on the backbone as they do

Door = tuple[str, int]  # protocol ("tcp"), port


class Route(NamedTuple):
    """A route of a host's main table."""

    network: IPv4Network | IPv6Network
    device: str
    gateway: str = ""  # "" for what is on the link
    text: str = ""  # as `ip route` has it

    @property
    def length(self) -> int:
        """How much of an address it says."""
        return self.network.prefixlen

    def holds(self, address: str) -> bool:
        """Whether it leads to an address."""
        return ip_address(address) in self.network


@dataclass(frozen=True, slots=True)
class Host:
    """A node, or the machine: one network namespace that forwards packets."""

    name: str
    addresses: frozenset[str] = frozenset()
    routes: tuple[Route, ...] = ()
    table: Table = NO_TABLE
    down: frozenset[str] = frozenset()  # interfaces without a carrier
    doors: frozenset[Door] = frozenset()  # what somebody listens at
    host_ports: Table = NO_TABLE  # of ports of the node that lead to pods, where there are such
    sees_bridged: bool = True  # whether its packet filter sees what goes between two pods of its bridge

    def route_to(self, address: str) -> Route | None:
        """Return the most particular route to an address, None where there is none."""
        suiting = [route for route in self.routes if route.holds(address)]
        return max(suiting, key=lambda route: route.length, default=None)


@dataclass(frozen=True, slots=True)
class Wire:
    """How a pod hangs on its node, and what listens in it; what was not found is ""."""

    bridge: str = ""
    veth: str = ""  # the node's end
    interface: str = ""  # the pod's end
    doors: frozenset[Door] | None = None  # None: nobody could look


@dataclass(frozen=True, slots=True)
class PodPlace:
    """A pod with an address."""

    namespace: str
    name: str
    ip: str
    node: str
    is_ready: bool = True
    is_on_host: bool = False  # on its node's network
    wire: Wire = field(default_factory=Wire)

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Scene:
    """All of it, of one family of addresses."""

    hosts: Mapping[str, Host]
    pods: Mapping[str, PodPlace]  # by address, except for those on their node's network
    backbone: IPv4Network | IPv6Network
    inner: tuple[
        IPv4Network | IPv6Network, ...
    ] = ()  # of pods and Services: nobody outside of the cluster has such addresses
    unread: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # nodes of other machines that do not say what their network is like, and why, by address
    machines: frozenset[str] = frozenset()  # the addresses of other machines, which their nodes send by

    def holder(self, address: str) -> Host | None:
        """Return the host that has an address."""
        return next((host for host in self.hosts.values() if address in host.addresses), None)
