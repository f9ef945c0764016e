"""What NetworkPolicies say of one connection, in words: `kubarium explain netpol`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from machinery.model.network_policies import EGRESS, Judgement, Labels, Party, Policy, ProcessPort, judge

PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_PORTS: Final = range(1, 65_536)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection as it is asked for: a pod, or an address."""

    namespace: str = ""
    pod: str = ""
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """The port that is asked for: a number, or what the target pod calls it."""

    protocol: str
    number: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a connection goes through, and why, one reason for each direction."""

    source: str
    target: str
    door: str
    is_allowed: bool
    reasons: tuple[tuple[str, bool, str], ...]  # direction, whether it lets through, why

    def lines(self) -> Iterable[str]:
        """Write it for people."""
        yield f"{self.source} -> {self.target}, {self.door}"
        for direction, is_allowed, why in self.reasons:
            yield f"  {direction.lower():<8} {'allowed' if is_allowed else 'stopped'}: {why}"
        yield "goes through" if self.is_allowed else "does not go through"

    def document(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "from": self.source,
            "to": self.target,
            "port": self.door,
            "allowed": self.is_allowed,
            "directions": [
                {"direction": direction, "allowed": is_allowed, "reason": why}
                for direction, is_allowed, why in self.reasons
            ],
        }


def read_end(text: str, namespace: str) -> End:
    """Read `pod/NAME` (in a namespace), `NAMESPACE/NAME` of a pod, or an address.

    Raises:
        ValueError: it is none of these.
    """
    first, slash, name = text.partition("/")
    if slash and name and "/" not in name:
        return End(namespace if first in {"pod", "pods", "po"} else first, name)
    try:
        return End(ip=str(ip_address(text)))
    except ValueError:
        raise ValueError(f"{text!r} is no pod/NAME, no NAMESPACE/NAME of a pod and no address") from None


def read_door(text: str) -> Door:
    """Read a port: `80`, `53/udp`, or a name that the target pod's containers have for it.

    Raises:
        ValueError: it is none.
    """
    port, _, protocol = text.partition("/")
    protocol = (protocol or "TCP").upper()
    if protocol not in PROTOCOLS:
        raise ValueError(f"{text!r}: {protocol.lower()} is none of {', '.join(map(str.lower, PROTOCOLS))}")
    if not port.isdecimal():
        if not port:
            raise ValueError(f"{text!r} has no port")
        return Door(protocol, name=port)
    if int(port) not in _PORTS:
        raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
    return Door(protocol, int(port))


def port_of(door: Door, target: Party) -> int:
    """Return the number of a port.

    Raises:
        ValueError: it is a name that the target has for no port.
    """
    if not door.name:
        return door.number
    known = target.pod.ports if target.pod else ()
    for protocol, name, number in known:
        if (protocol, name) == (door.protocol, door.name):
            return number
    raise ValueError(f"{_party(target)} calls no {door.protocol} port {door.name!r}")


def explain(
    source: Party,
    target: Party,
    door: Door,
    *,
    policies: Collection[Policy],
    namespaces: Mapping[str, Labels],
    node_addresses: Mapping[str, Collection[str]],
) -> Explanation:
    """Judge a connection. `node_addresses` are the addresses of each node by its name.

    Raises:
        ValueError: the port is a name that the target has for no port.
    """
    number = port_of(door, target)
    if node := _own_node(source, target, node_addresses):
        why = f"{node} is the pod's own node, which policies do not keep from it"
        reasons: tuple[tuple[str, bool, str], ...] = (("both", True, why),)
    elif source.ip == target.ip:
        reasons = (("both", True, "a pod is never kept from itself"),)
    else:
        ends = (source, target)
        judged = judge(policies, namespaces, source, target, door.protocol, number)
        reasons = tuple(
            (each.direction, each.is_allowed, _why(each, end)) for each, end in zip(judged, ends, strict=True)
        )
    return Explanation(
        _party(source),
        _party(target) + _counting(target.process_at(door.protocol, number)),
        f"{door.protocol} {number}" + (f" ({door.name})" if door.name else ""),
        all(is_allowed for _, is_allowed, _ in reasons),
        reasons,
    )


def _own_node(source: Party, target: Party, addresses: Mapping[str, Collection[str]]) -> str:
    for end, other in ((source, target), (target, source)):
        if end.pod and not other.pod and other.ip in addresses.get(end.pod.node, ()):
            return end.pod.node
    return ""


def _why(judged: Judgement, isolated: Party) -> str:
    if isolated.pod is None:
        return f"{isolated.ip} is no pod's address: no policy isolates it"
    pod = f"{isolated.pod.namespace}/{isolated.pod.name}"
    way = "what leaves" if judged.direction == EGRESS else "what comes to"
    if not judged.isolating:
        return f"no policy isolates {way} {pod}"
    if judged.admitting:
        name, number = judged.admitting
        return f"by rule {number} of networkpolicy {isolated.pod.namespace}/{name}"
    names = ", ".join(judged.isolating)
    return f"{way} {pod} is isolated by {names}, and no rule lets it through"


def _counting(process: ProcessPort | None) -> str:
    if process is None:
        return ""
    namespace, name = process.pod.namespace, process.pod.name
    return f" (counts as a pod {namespace}/{name} at {process.protocol} {process.pod_port})"


def _party(party: Party) -> str:
    if party.pod is None:
        return party.ip
    return f"pod {party.pod.namespace}/{party.pod.name} ({party.ip}, {party.pod.node})"
