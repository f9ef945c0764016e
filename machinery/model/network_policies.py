"""NetworkPolicies: whom they isolate and whom they let through, read from the objects, and judged for one connection.

The packet filter's rules are planned from what is read here; `judge` is the documentation's text as directly as it can be
written, one connection at a time: it explains a connection to people, and the rules are compared with it.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.networking_v1 import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from machinery.model.pods import is_terminal, lasting_containers
from machinery.model.selectors import EVERYTHING, LabelMatcher, from_selector

INGRESS: Final = "Ingress"
EGRESS: Final = "Egress"
LAST_PORT: Final = 65_535
_EVERYBODY: Final = LabelSelector()

Labels: TypeAlias = Mapping[str, str]


class NamedPort(NamedTuple):
    """A port of a container that has a name."""

    protocol: str  # "TCP", "UDP", "SCTP"
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class PolicyPod:
    """What of a pod matters to policies."""

    namespace: str
    name: str
    labels: Labels
    ips: tuple[str, ...]  # one of each family at most; none while it has no sandbox
    node: str
    ports: tuple[NamedPort, ...] = ()


class PodPeer(NamedTuple):
    """Pods by their labels: of one namespace, or of the namespaces that have some labels."""

    namespace: str  # "" where `namespaces` says which
    namespaces: LabelMatcher
    pods: LabelMatcher

    def matches(self, pod: PolicyPod, namespaces: Mapping[str, Labels]) -> bool:
        """Whether a pod is meant; of a namespace that is not known none is meant by labels."""
        if self.namespace:
            return pod.namespace == self.namespace and self.pods.matches(pod.labels)
        labels = namespaces.get(pod.namespace)
        return labels is not None and self.namespaces.matches(labels) and self.pods.matches(pod.labels)


class Block(NamedTuple):
    """Addresses of a network, except for those of parts of it."""

    network: IPv4Network | IPv6Network
    parts: tuple[IPv4Network | IPv6Network, ...]  # of the same family

    def matches(self, address: str) -> bool:
        """Whether an address is meant, a pod's or any other."""
        ip = ip_address(address)
        return ip in self.network and not any(ip in part for part in self.parts)


Peer: TypeAlias = PodPeer | Block


class PortRange(NamedTuple):
    """Ports of one protocol: from the first to the last, or those that the target pod's containers call by a name."""

    protocol: str
    first: int
    last: int
    name: str = ""

    def matches(self, protocol: str, port: int, target: PolicyPod | None) -> bool:
        """Whether a connection goes to such a port."""
        if protocol != self.protocol:
            return False
        if self.name:
            return target is not None and NamedPort(protocol, self.name, port) in target.ports
        return self.first <= port <= self.last


class ProcessPort(NamedTuple):
    """A port of a process outside of pods that rules for egress take for a pod's, too: the cluster's DNS may be such a process."""

    pod: PolicyPod  # what it counts as; its address is the process'
    protocol: str
    port: int  # of the process, where packets arrive
    pod_port: int  # what it counts as


class Rule(NamedTuple):
    """Who may be at the other end, and at which ports; None for anybody, and for any port of any protocol."""

    peers: tuple[Peer, ...] | None
    ports: tuple[PortRange, ...] | None

    def admits(
        self,
        peer: Party,
        namespaces: Mapping[str, Labels],
        protocol: str,
        port: int,
        target: PolicyPod | None,
    ) -> bool:
        """Whether a connection goes through whose other end is `peer`, to a port of `target`."""
        if self.peers is not None and not any(_means(each, peer, namespaces) for each in self.peers):
            return False
        return self.ports is None or any(each.matches(protocol, port, target) for each in self.ports)

    def admits_process(self, process: ProcessPort, namespaces: Mapping[str, Labels]) -> bool:
        """Whether a rule for egress lets through to the pod that a process counts as."""
        pod, protocol, _, port = process
        return self.admits(Party(pod.ips[0], pod), namespaces, protocol, port, pod)


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy: the pods that it isolates, and what it lets through; None for a direction that it leaves alone."""

    namespace: str
    name: str
    pods: LabelMatcher
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None

    def rules(self, direction: str) -> tuple[Rule, ...] | None:
        """Return its rules for "Ingress" or "Egress", None where it leaves that direction alone."""
        return self.ingress if direction == INGRESS else self.egress

    def isolates(self, pod: PolicyPod, direction: str) -> bool:
        """Whether a pod is isolated by it in a direction."""
        if self.rules(direction) is None:
            return False
        return pod.namespace == self.namespace and self.pods.matches(pod.labels)


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a connection: an address, and the pod that has it, None for none of the cluster's."""

    ip: str
    pod: PolicyPod | None = None
    processes: tuple[ProcessPort, ...] = ()  # at this address

    def process_at(self, protocol: str, port: int) -> ProcessPort | None:
        """Return the process that counts as a pod there."""
        return next((each for each in self.processes if (each.protocol, each.port) == (protocol, port)), None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policies say of a connection in one direction.

    Without `isolating` policies everything goes through. Otherwise `admitting` names the first of them with a rule that
    lets it through, and the rule's place in it; None where none does.
    """

    direction: str
    isolating: tuple[str, ...] = ()  # names
    admitting: tuple[str, int] | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the connection goes through, as far as this direction is concerned."""
        return not self.isolating or self.admitting is not None


def pod_of(pod: Pod) -> PolicyPod | None:
    """Return what policies see of a pod; None for one on its node's own network, one that has ended, or one without a node."""
    if pod.spec.hostNetwork or is_terminal(pod) or not pod.spec.nodeName:
        return None
    return PolicyPod(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        labels=pod.metadata.labels,
        ips=tuple(entry.ip for entry in pod.status.podIPs),
        node=pod.spec.nodeName,
        ports=tuple(
            NamedPort(port.protocol or "TCP", port.name, port.containerPort)
            for container in lasting_containers(pod.spec)
            for port in container.ports
            if port.name
        ),
    )


def policy_of(policy: NetworkPolicy) -> Policy:
    """Read a NetworkPolicy.

    Raises:
        ValueError: a selector or a block is not well-formed.
    """
    spec, namespace = policy.spec, policy.metadata.namespace
    ingress = tuple(_rule(rule.from_, rule.ports, namespace) for rule in spec.ingress)
    egress = tuple(_rule(rule.to, rule.ports, namespace) for rule in spec.egress)
    types = spec.policyTypes or _default_types(spec)
    return Policy(
        namespace=namespace,
        name=policy.metadata.name,
        pods=from_selector(spec.podSelector or _EVERYBODY),
        ingress=ingress if INGRESS in types else None,
        egress=egress if EGRESS in types else None,
    )


def judge(
    policies: Iterable[Policy],
    namespaces: Mapping[str, Labels],
    source: Party,
    target: Party,
    protocol: str,
    port: int,
) -> tuple[Judgement, Judgement]:
    """Judge a new connection to a port: by what isolates its source, then its target. It needs both to let it through.

    `namespaces` are labels by name. A process that counts as a pod is let through to by what lets through to the pod, or to its
    own address and port. A pod is never kept from itself. What goes between a pod and its own node goes through
    whatever policies say; the caller knows which address is which node's.
    """
    if source.ip == target.ip:
        return Judgement(EGRESS), Judgement(INGRESS)
    known = sorted(policies, key=lambda policy: (policy.namespace, policy.name))

    process = target.process_at(protocol, port)

    def through(rule: Rule, direction: str, peer: Party) -> bool:
        if process and direction == EGRESS and rule.admits_process(process, namespaces):
            return True
        return rule.admits(peer, namespaces, protocol, port, target.pod)

    def one_way(direction: str, isolated: Party, peer: Party) -> Judgement:
        own = [policy for policy in known if isolated.pod and policy.isolates(isolated.pod, direction)]
        admitting = (
            (policy.name, number)
            for policy in own
            for number, rule in enumerate(policy.rules(direction) or ())
            if through(rule, direction, peer)
        )
        return Judgement(direction, tuple(policy.name for policy in own), next(admitting, None))

    return one_way(EGRESS, source, target), one_way(INGRESS, target, source)


def _default_types(spec: NetworkPolicySpec) -> Sequence[str]:
    return (INGRESS, EGRESS) if spec.egress else (INGRESS,)


def _means(peer: Peer, party: Party, namespaces: Mapping[str, Labels]) -> bool:
    if isinstance(peer, Block):
        return peer.matches(party.ip)
    return party.pod is not None and peer.matches(party.pod, namespaces)


def _rule(peers: Sequence[NetworkPolicyPeer], ports: Sequence[NetworkPolicyPort], namespace: str) -> Rule:
    return Rule(
        tuple(_peer(peer, namespace) for peer in peers) if peers else None,
        tuple(map(_port, ports)) if ports else None,
    )


def _peer(peer: NetworkPolicyPeer, namespace: str) -> Peer:
    if peer.ipBlock is not None:
        return _block(peer.ipBlock)
    pods = from_selector(peer.podSelector or _EVERYBODY)
    if peer.namespaceSelector is None:
        return PodPeer(namespace, EVERYTHING, pods)
    return PodPeer("", from_selector(peer.namespaceSelector), pods)


def _block(block: IPBlock) -> Block:
    network = ip_network(block.cidr, strict=False)
    parts = (ip_network(part, strict=False) for part in block.except_)
    return Block(network, tuple(part for part in parts if part.version == network.version))


def _port(port: NetworkPolicyPort) -> PortRange:
    protocol = port.protocol or "TCP"
    if isinstance(port.port, str):
        return PortRange(protocol, 0, 0, port.port)
    if port.port is None:
        return PortRange(protocol, 1, LAST_PORT)
    return PortRange(protocol, port.port, port.endPort or port.port)
