"""What the packet filter's table holds for NetworkPolicies.

A packet between two pods, or a pod and something outside of its node, takes this way:

    forward (filter)
      what belongs to a connection that is there already, or goes from a pod to itself, goes on
      policy-egress       by the source's address, if that is an isolated pod of this node: jump to its chain
      policy-ingress      by the target's address, the same
        egress-X, ingress-X   a rule for each thing that is let through: return; at the end: drop

A chain's name is made from its rules: pods that the same policies isolate share one, and other rules are another chain,
to which elements of the two maps then lead. Who is let through is in sets: pods by their addresses in `peers-X`, for each
selector, and addresses with the ports that containers call by a name in `named-X`. So a pod that comes or goes is a few
elements, whatever it is to however many policies. The process that is the cluster's DNS, of which there is one and which
stays, is a rule of its own in each chain that lets through to it as a pod.

Without any policy there is nothing of all this, and packets meet no hook.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from machinery.model.network_policies import (
    EGRESS,
    INGRESS,
    LAST_PORT,
    Block,
    Peer,
    PodPeer,
    Policy,
    PortRange,
    ProcessPort,
    Rule,
)
from proxy.core.families import V4, Family
from proxy.core.table import CHAIN, MAP, SET, Item

SELVES: Final = "policy-selves"  # pairs of an isolated pod's address with itself
LOCALS: Final = "policy-locals"  # addresses of this node's pods
_DROP: Final = "drop"
_THROUGH: Final = "return"


class PodPort(NamedTuple):
    """A name that rules call ports by."""

    protocol: str
    name: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One direction: the end that is isolated, and the one that is asked who it is."""

    direction: str
    holder: str  # the map from isolated pods to chains
    prefix: str  # of chains
    isolated: str
    other: str


_SIDES: Final = (
    _Side(EGRESS, "policy-egress", "egress-", "saddr", "daddr"),
    _Side(INGRESS, "policy-ingress", "ingress-", "daddr", "saddr"),
)


def plan_policies_base(waiting: Iterable[str], pod_range: str, family: Family = V4) -> dict[Item, str]:
    """Return what is there as soon as there is a policy.

    `waiting` are the directions in which a pod of this node is to be isolated that has no address yet: meanwhile
    an address of the node's `pod_range` that nobody is known to have takes no part in them.
    """
    waits, word = frozenset(waiting) if pod_range else frozenset(), family.word
    return {
        Item(SET, SELVES): f"type {family.type} . {family.type};",
        Item(SET, LOCALS): f"type {family.type};",
        **{Item(MAP, side.holder): f"type {family.type} : verdict;" for side in _SIDES},
        Item(CHAIN, "forward"): "\n".join(
            (
                "ct state established,related accept",
                f"{word} saddr . {word} daddr @{SELVES} accept",
                *(
                    f"{word} {side.isolated} {pod_range} {word} {side.isolated} != @{LOCALS} {_DROP}"
                    for side in _SIDES
                    if side.direction in waits
                ),
                *(f"{word} {side.isolated} vmap @{side.holder}" for side in _SIDES),
            )
        ),
    }


def plan_local(address: str) -> dict[Item, str]:
    """Return what a pod of this node adds, isolated or not."""
    return {Item(LOCALS, address): ""}


def plan_isolation(
    address: str,
    policies: Sequence[Policy],
    direction: str,
    processes: Iterable[ProcessPort] = (),
    family: Family = V4,
) -> dict[Item, str]:
    """Return what isolates a pod of this node in a direction: none, for no policies.

    `processes` are those that the rules let through to as pods.
    """
    if not policies:
        return {}
    side = next(side for side in _SIDES if side.direction == direction)
    besides = sorted({_process(process, family) for process in processes})
    text = "\n".join((*_rules(policies, side, family), *besides, _DROP))
    chain = f"{side.prefix}{_digest(text)}"
    return {
        Item(SELVES, f"{address} . {address}"): "",
        Item(CHAIN, chain): text,
        Item(side.holder, address): f"jump {chain}",
    }


def plan_sets(policy: Policy, family: Family = V4) -> dict[Item, str]:
    """Return the sets that a policy's rules look into, empty."""
    return {
        **{Item(SET, peer_set(peer)): f"type {family.type};" for peer in peers_of(policy)},
        **{Item(SET, port_set(port)): f"type {family.type} . inet_service;" for port in ports_of(policy)},
    }


def peer_set(peer: PodPeer) -> str:
    """Name the set of the pods that a selector means."""
    return f"peers-{_digest(repr(peer))}"


def port_set(port: PodPort) -> str:
    """Name the set of the addresses and ports that have a name."""
    return f"named-{port.protocol.lower()}-{port.name}"


def peers_of(policy: Policy) -> frozenset[PodPeer]:
    """Return the selectors of pods that a policy's rules have."""
    return frozenset(
        peer for rule in _all_rules(policy) for peer in rule.peers or () if isinstance(peer, PodPeer)
    )


def ports_of(policy: Policy) -> frozenset[PodPort]:
    """Return the names that a policy's rules call ports by."""
    return frozenset(
        PodPort(port.protocol, port.name)
        for rule in _all_rules(policy)
        for port in rule.ports or ()
        if port.name
    )


def _all_rules(policy: Policy) -> Iterator[Rule]:
    yield from policy.ingress or ()
    yield from policy.egress or ()


def _rules(policies: Sequence[Policy], side: _Side, family: Family) -> Iterable[str]:
    """Write what is let through, each rule once: the order does not matter."""
    return sorted(
        {
            f"{peer}{port}{_THROUGH}"
            for policy in policies
            for rule in policy.rules(side.direction) or ()
            for peer in _peers(rule, side, family)
            for port in _ports(rule, family)
        }
    )


def _peers(rule: Rule, side: _Side, family: Family) -> Iterable[str]:
    if rule.peers is None:
        return ("",)
    return [
        _peer(peer, f"{family.word} {side.other}")
        for peer in rule.peers
        if isinstance(peer, PodPeer) or peer.network.version == family.version
    ]


def _peer(peer: Peer, address: str) -> str:
    if isinstance(peer, Block):
        return f"{address} {peer.network} {''.join(f'{address} != {part} ' for part in peer.parts)}"
    return f"{address} @{peer_set(peer)} "


def _process(process: ProcessPort, family: Family) -> str:
    return (
        f"{family.word} daddr {process.pod.ips[0]} {process.protocol.lower()} dport {process.port} {_THROUGH}"
    )


def _ports(rule: Rule, family: Family) -> Iterable[str]:
    if rule.ports is None:
        return ("",)
    numbered: dict[str, list[PortRange]] = defaultdict(list)
    found: list[str] = []
    for port in rule.ports:
        protocol = port.protocol.lower()
        if port.name:
            found.append(
                f"{family.word} daddr . {protocol} dport @{port_set(PodPort(port.protocol, port.name))} "
            )
        else:
            numbered[protocol].append(port)
    return [*found, *(_numbers(protocol, ports) for protocol, ports in numbered.items())]


def _numbers(protocol: str, ports: Sequence[PortRange]) -> str:
    merged = _merged(ports)
    if (1, LAST_PORT) in merged:
        return f"meta l4proto {protocol} "
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in merged]
    several = "{ " + ", ".join(texts) + " }"
    return f"{protocol} dport {several if len(texts) > 1 else texts[0]} "


def _merged(ports: Sequence[PortRange]) -> list[tuple[int, int]]:
    """Return the ranges in order, without two that touch: nft takes no others."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((port.first, port.last) for port in ports):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
