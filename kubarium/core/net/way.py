"""Follows the first packet of a connection from who sends it to who gets it, or to where it is lost.

What decides at each place is what its kernel has: rules, routes, interfaces, listening sockets. What only the API knows
(policies by their names, whether a pod is ready) is said by `report` beside it.

    pod ─ veth ─► node: prerouting ─► route ─► forward ─► postrouting ─┬─► veth ─► pod
                  (its own packets: output)                            └─► another host: prerouting, and so on
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, NamedTuple

from kubarium.core.net.filtering import End, Match, Packet, is_own, passages
from kubarium.core.net.rules import Table
from kubarium.core.net.scene import MACHINE, Host, PodPlace, Route, Scene

_HOPS: Final = 4  # pod, node, node, pod: more is a circle


class Hop(NamedTuple):
    """Something that happens to a packet at a place; `matches` are the rules that did it."""

    place: str
    what: str
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One way that a packet may take, all of it."""

    hops: tuple[Hop, ...]
    asked: Packet  # as it was sent
    packet: Packet  # as it is at the end
    loss: str = ""  # why it does not arrive; "" where it does
    lost_at: str = ""  # the hook whose rules lost it; "" for none
    is_left: bool = False  # it leaves what kubarium knows; whether it arrives is not known

    @property
    def is_translated(self) -> bool:
        """Whether it went to a Service, and goes to an endpoint now."""
        return self.asked.destination != self.packet.destination

    @property
    def arrives(self) -> bool:
        """Whether somebody of the cluster gets it."""
        return not self.loss and not self.is_left


def ways(scene: Scene, packet: Packet, origin: PodPlace | Host) -> list[Way]:
    """Return every way that a packet may take from a pod, a node or the machine."""
    return list(_Walk(scene).begin(packet, origin))


@dataclass(frozen=True)
class _Walk:
    scene: Scene

    def begin(self, packet: Packet, origin: PodPlace | Host) -> Iterator[Way]:
        way = Way((), packet, packet)
        if isinstance(origin, PodPlace):
            host = self.scene.hosts[origin.node]
            if origin.is_on_host:
                yield from self._from_host(
                    _added(way, Hop(str(origin), f"on the network of {host.name}")), host
                )
            elif packet.destination == origin.ip:
                yield self._into_pod(way, origin)
            else:
                way = _added(way, Hop(str(origin), f"{packet.source} leaves by {_wire(origin, host.name)}"))
                yield from self._arrived(way, host, _HOPS, came_from=origin)
        else:
            yield from self._from_host(way, origin)

    def _from_host(self, way: Way, host: Host) -> Iterator[Way]:
        for each in self._filtered(way, host, "output"):
            yield from [each] if each.loss else self._routed(each, host, _HOPS, "")

    def _arrived(
        self, way: Way, host: Host, hops: int, *, came_from: PodPlace | None = None
    ) -> Iterator[Way]:
        """A packet has come to a host."""
        if hops == 0:
            yield replace(way, loss="it goes in a circle")
        elif came_from and self._is_bridged(way.packet, came_from) and not host.sees_bridged:
            yield self._into_pod(way, self.scene.pods[way.packet.destination])
        else:
            for each in self._filtered(way, host, "prerouting"):
                yield from [each] if each.loss else self._routed(each, host, hops, "forward")

    def _is_bridged(self, packet: Packet, source: PodPlace) -> bool:
        target = self.scene.pods.get(packet.destination)
        return target is not None and target.node == source.node

    def _filtered(self, way: Way, host: Host, *hooks: str) -> Iterator[Way]:
        """Put a packet through one hook after the other."""
        if not hooks:
            yield way
            return
        for each in self._hooked(way, host, hooks[0]):
            yield from [each] if each.loss else self._filtered(each, host, *hooks[1:])

    def _hooked(self, way: Way, host: Host, hook: str) -> Iterator[Way]:
        for each in self._through(way, host, hook, host.table):
            is_done = each.packet.is_translated and not way.packet.is_translated  # one of both tables does it
            yield from [each] if each.loss or is_done else self._through(each, host, hook, host.host_ports)

    def _through(self, way: Way, host: Host, hook: str, table: Table) -> Iterator[Way]:
        for passed in passages(table, hook, way.packet, host.addresses):
            each = replace(way, packet=passed.packet)
            if passed.matches:
                each = _added(each, Hop(host.name, hook, passed.matches))
            match passed.end:
                case End.DROPPED:
                    yield replace(each, loss=f"dropped on {host.name}", lost_at=hook)
                case End.REFUSED:
                    yield replace(each, loss=f"refused on {host.name}", lost_at=hook)
                case End.UNCLEAR:
                    yield replace(each, loss=f"{host.name} has a rule that is not understood", lost_at=hook)
                case End.PASSED:
                    yield each

    def _routed(self, way: Way, host: Host, hops: int, hook: str) -> Iterator[Way]:
        """Send a packet where its destination is, through a hook for what comes from others ("" for none)."""
        target = way.packet.destination
        if is_own(target, host.addresses):
            yield self._into_host(way, host)
            return
        route = host.route_to(target)
        if route is None:
            yield replace(way, loss=f"{host.name} has no route to {target}")
            return
        way = _added(way, Hop(host.name, f"route {route.text}"))
        if route.device in host.down:
            yield replace(way, loss=f"{route.device} of {host.name} is down: its cable is pulled")
            return
        for each in self._filtered(way, host, *([hook] if hook else []), "postrouting"):
            yield from (
                [each] if each.loss else self._carried(self._disguised(each, host, route), host, route, hops)
            )

    def _disguised(self, way: Way, host: Host, route: Route) -> Way:
        """Have a packet come from the host's address on the interface that it leaves by, where it is masqueraded."""
        if not way.packet.is_masqueraded:
            return way
        neighbour = route.gateway or way.packet.destination
        near = (each for each in host.routes if not each.gateway and each.device == route.device)
        link = next((each for each in near if each.holds(neighbour)), None)
        own = sorted(each for each in host.addresses if link and link.holds(each))
        source = own[0] if own else way.packet.source
        packet = replace(way.packet, source=source, mark=0, is_masqueraded=False)
        return _added(replace(way, packet=packet), Hop(host.name, f"masqueraded: it comes from {source} now"))

    def _carried(self, way: Way, host: Host, route: Route, hops: int) -> Iterator[Way]:
        """Carry a packet over a wire to who is at its other end."""
        next_address = route.gateway or way.packet.destination
        pod = self.scene.pods.get(next_address)
        other = self.scene.holder(next_address)
        if pod and pod.node == host.name:
            yield self._into_pod(way, pod)
        elif other and other.name == MACHINE and not is_own(way.packet.destination, other.addresses):
            yield self._left(way)
        elif other:
            yield from self._taken(way, other, next_address, hops)
        elif way.packet.destination in self.scene.machines:
            yield self._gone_to(way, f"machine {next_address}", "who listens there is not known here")
        elif next_address in self.scene.unread:
            node, why = self.scene.unread[next_address]
            said = f"is on another machine, and does not say what its network is like: {why}"
            yield self._gone_to(way, node, said)
        elif next_address in self.scene.machines:
            yield self._left(way, f"machine {next_address}")
        elif ip_address(next_address) in self.scene.backbone or host.name != MACHINE:
            yield replace(way, loss=f"nobody that is known has {next_address}")
        else:
            yield self._left(way)

    def _taken(self, way: Way, host: Host, address: str, hops: int) -> Iterator[Way]:
        device = next(
            (route.device for route in host.routes if not route.gateway and route.holds(address)), ""
        )
        if device in host.down:
            yield replace(way, loss=f"{device} of {host.name} is down: its cable is pulled")
        else:
            packet = replace(way.packet, mark=0, is_translated=False)  # that is the sender's business
            yield from self._arrived(replace(way, packet=packet), host, hops - 1)

    def _gone_to(self, way: Way, place: str, what: str) -> Way:
        """Send a packet to a place of which nothing is known: whether it arrives is not, either."""
        return replace(_added(way, Hop(place, what)), is_left=True)

    def _left(self, way: Way, machine: str = MACHINE) -> Way:
        """Send a packet out of the cluster, which is the end of one for an address of the cluster's own."""
        target = ip_address(way.packet.destination)
        if any(target in network for network in self.scene.inner):
            return replace(way, loss=f"{target} is one of the cluster's addresses, and nobody has it")
        return self._gone_to(
            way, machine, f"{target} is none of the cluster's addresses: the machine sends it on"
        )

    def _into_host(self, way: Way, host: Host) -> Way:
        door = way.packet.protocol, way.packet.port
        if door in host.doors:
            return _added(way, Hop(host.name, f"arrives: somebody listens at {_door(way.packet)}"))
        return replace(way, loss=f"refused on {host.name}: nobody listens at {_door(way.packet)} there")

    def _into_pod(self, way: Way, pod: PodPlace) -> Way:

        if not pod.wire.interface:
            return replace(way, loss=f"{pod} has no network: its sandbox is not there")
        doors = pod.wire.doors
        if doors is not None and (way.packet.protocol, way.packet.port) not in doors:
            way = _added(way, Hop(str(pod), f"comes in by {_wire(pod, pod.node)}"))
            return replace(way, loss=f"refused in {pod}: nobody listens at {_door(way.packet)} there")
        return _added(way, Hop(str(pod), f"arrives by {_wire(pod, pod.node)} at {_door(way.packet)}"))


def _added(way: Way, hop: Hop) -> Way:
    return replace(way, hops=(*way.hops, hop))


def _wire(pod: PodPlace, node: str) -> str:
    wire = pod.wire
    return f"{wire.interface or '?'}, {wire.veth or '?'} on {wire.bridge or '?'} of {node}"


def _door(packet: Packet) -> str:
    return f"{packet.protocol} {packet.port}"
