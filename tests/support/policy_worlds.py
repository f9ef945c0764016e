"""Random small clusters with NetworkPolicies, and what they say of every connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from machinery.model.k8s.networking_v1 import NetworkPolicy
from machinery.model.network_policies import (
    Labels,
    NamedPort,
    Party,
    Policy,
    PolicyPod,
    ProcessPort,
    judge,
    policy_of,
)
from proxy.core.families import V4, V6, Family
from proxy.core.merged import Merged
from proxy.core.policies import Policies
from proxy.core.table import Item
from tests.support.families import both, of_family
from tests.support.filter_walk import Packet, is_forwarded

NODES = ("node-1", "node-2")
NAMESPACES = ("red", "blue")
NODE_RANGES = {"node-1": "10.244.1.0/24", "node-2": "10.244.2.0/24"}
OUTSIDE = ("192.0.2.7", "10.77.0.5")
PORTS = (("TCP", 80), ("TCP", 81), ("UDP", 80), ("SCTP", 7))
PROCESS = ("TCP", 81)  # where one listens that counts as a pod, at port 80
KINDS = ("policy", "policy", "pod", "pod", "namespace", "process")
_PORT_NAMES = ("web", "dns")
_BLOCKS = ("10.244.0.0/16", "10.244.1.0/24", "192.0.2.0/24", "0.0.0.0/0", "10.244.2.3/32", "2001:db8::/32")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "10.244.0.0/16": ("10.244.1.0/24", "10.244.2.2/32"),
    "0.0.0.0/0": ("10.0.0.0/8", "192.0.2.7/32"),
    "192.0.2.0/24": ("192.0.2.0/25",),
}


@dataclass
class PolicyWorld:
    """What there is; each step changes one thing and says what."""

    rng: Random
    family: Family = V4  # whose packets are meant; pods have addresses of both
    policies: dict[tuple[str, str], Policy] = field(default_factory=dict)
    pods: dict[tuple[str, str], PolicyPod] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    processes: tuple[ProcessPort, ...] = ()
    written: int = 0  # policies so far, each one random
    judged: int = 0  # connections so far

    def steps(
        self, tables: Mapping[str, Policies], count: int, kinds: Sequence[str] = KINDS
    ) -> Iterator[None]:
        """Change one thing after another, and tell each node's table of it."""
        for turn in range(count):
            kind = "process" if not turn and "process" in kinds else self.rng.choice(kinds)
            if kind == "policy":
                key = self.rng.choice(NAMESPACES), self.rng.choice("abc")
                policy = None if self.rng.random() < 0.25 else self._policy(*key)
                self.written += policy is not None
                _put(self.policies, key, policy)
                for table in tables.values():
                    table.put_policy(*key, policy)
            elif kind == "pod":
                key = self.rng.choice(NAMESPACES), f"pod-{self.rng.randrange(4)}"
                pod = None if self.rng.random() < 0.2 else self._pod(*key)
                _put(self.pods, key, pod)
                for table in tables.values():
                    table.put_pod(*key, pod)
            elif kind == "process":
                self.processes = () if self.rng.random() < 0.2 else (self._process(),)
                for table in tables.values():
                    table.put_processes(self.processes)
            else:
                name = self.rng.choice(NAMESPACES)
                labels = None if self.rng.random() < 0.2 else self.random_labels()
                _put(self.labels, name, labels)
                for table in tables.values():
                    table.put_namespace(name, labels)
            yield

    def fresh(self, node: str) -> Merged[Item, str]:
        """Return a node's table, made at once from what there is now."""
        table, policies = new_policies(node, self.family)
        for name, labels in self.labels.items():
            policies.put_namespace(name, labels)
        for policy_key, policy in self.policies.items():
            policies.put_policy(*policy_key, policy)
        for pod_key, pod in self.pods.items():
            policies.put_pod(*pod_key, pod)
        policies.put_processes(self.processes)
        return table

    def differences(self, tables: Mapping[str, Mapping[Item, str]], times: int) -> Iterator[str]:
        """Compare what the rules do to some random connections, and to all to the process, with what the documentation says."""
        parties = [
            *(Party(ip, pod) for pod in self.pods.values() for ip in filter(self.family.read, pod.ips)),
            *(
                Party(of_family(ip, self.family), processes=self.processes if ip == OUTSIDE[1] else ())
                for ip in OUTSIDE
            ),
        ]
        asked = [
            *(
                (self.rng.choice(parties), self.rng.choice(parties), *self.rng.choice(PORTS))
                for _ in range(times)
            ),
            *((source, parties[-1], *PROCESS) for source in parties),
        ]
        self.judged += len(asked)
        for source, target, protocol, port in asked:
            nodes = {each.pod.node for each in (source, target) if each.pod}
            packet = Packet(source.ip, target.ip, protocol.lower(), port)
            found = all(is_forwarded(tables[node], packet) for node in nodes)
            judged = judge(self.policies.values(), self.labels, source, target, protocol, port)
            if found != all(each.is_allowed for each in judged):
                yield f"{source} → {target} {protocol} {port}: {found}, {judged}"

    def _pod(self, namespace: str, name: str) -> PolicyPod:
        place = self.rng.randrange(2)
        number = 2 + NAMESPACES.index(namespace) * 4 + int(name[-1])
        return self.random_pod(namespace, name, f"10.244.{place + 1}.{number}", NODES[place])

    def _process(self) -> ProcessPort:
        pod = self.random_pod(self.rng.choice(NAMESPACES), "process", OUTSIDE[1], "")
        return ProcessPort(pod, *PROCESS, 80)

    def random_pod(self, namespace: str, name: str, ip: str, node: str) -> PolicyPod:
        """Return a pod with any labels and names of ports."""
        names = self.rng.sample(_PORT_NAMES, self.rng.randrange(3))
        return PolicyPod(
            namespace,
            name,
            self.random_labels(),
            (of_family(ip, self.family),) if not node else tuple(both([ip])),
            node,
            tuple(NamedPort(*self.rng.choice(PORTS)[:1], each, self.rng.choice((80, 81))) for each in names),
        )

    def _policy(self, namespace: str, name: str) -> Policy:
        spec = {
            "podSelector": self._selector(),
            "policyTypes": self.rng.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
            "ingress": [self._rule("from") for _ in range(self.rng.randrange(3))],
            "egress": [self._rule("to") for _ in range(self.rng.randrange(3))],
        }
        obj = {"metadata": {"namespace": namespace, "name": name}, "spec": spec}
        return policy_of(msgspec.convert(obj, NetworkPolicy))

    def _rule(self, peers: str) -> dict[str, Any]:
        return {
            peers: [self._peer() for _ in range(self.rng.randrange(3))],
            "ports": [self._port() for _ in range(self.rng.randrange(3))],
        }

    def _peer(self) -> dict[str, Any]:
        kind = self.rng.randrange(4)
        if kind == 0:
            block = self.rng.choice(_BLOCKS)
            parts = _PARTS.get(block, ())
            chosen = self.rng.sample(parts, self.rng.randrange(len(parts) + 1))
            if ":" not in block:
                block, chosen = (
                    of_family(block, self.family),
                    [of_family(each, self.family) for each in chosen],
                )
            elif self.family is V6:
                block = "192.0.2.0/24"  # of the other family
            return {"ipBlock": {"cidr": block, "except": chosen}}
        return {
            **({"podSelector": self._selector()} if kind != 1 else {}),
            **({"namespaceSelector": self._selector()} if kind != 2 else {}),
        }

    def _port(self) -> dict[str, Any]:
        protocol, number = self.rng.choice(PORTS)
        return self.rng.choice(
            [
                {"protocol": protocol},
                {"protocol": protocol, "port": number},
                {"protocol": protocol, "port": number, "endPort": number + self.rng.randrange(3)},
                {"protocol": protocol, "port": self.rng.choice(_PORT_NAMES)},
            ]
        )

    def _selector(self) -> dict[str, Any]:
        return self.rng.choice(
            [
                {},
                {"matchLabels": self.random_labels()},
                {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]},
                {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]},
                {"matchExpressions": [{"key": "b", "operator": "Exists"}]},
                {"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]},
            ]
        )

    def random_labels(self) -> dict[str, str]:
        """Return labels that selectors here may mean."""
        return {key: self.rng.choice("xy") for key in "ab" if self.rng.random() < 0.6}


def new_policies(node: str, family: Family = V4) -> tuple[Merged[Item, str], Policies]:
    """Return the empty table of a node, and what writes into it."""
    table: Merged[Item, str] = Merged()
    policies = Policies(table, node, family)
    policies.set_range(of_family(NODE_RANGES[node], family))
    return table, policies


def _put(known: dict[Any, Any], key: Any, value: Any) -> None:
    known.pop(key, None)
    if value is not None:
        known[key] = value
