"""What of a node's table follows a process that counts as a pod."""

from __future__ import annotations

import msgspec
import pytest

from machinery.model.k8s.networking_v1 import NetworkPolicy
from machinery.model.network_policies import NamedPort, PolicyPod, ProcessPort, policy_of
from proxy.core.merged import Merged
from proxy.core.policies import Policies
from proxy.core.table import CHAIN, Item
from tests.support.policy_worlds import new_policies

ASKER = PolicyPod("shop", "asker", {}, ("10.244.1.2",), "node-1")
DNS_POD = PolicyPod(
    "kube-system", "kube-dns", {"k8s-app": "kube-dns"}, ("10.77.0.1",), "", (NamedPort("UDP", "dns", 53),)
)
DNS = ProcessPort(DNS_POD, "UDP", 6447, 53)
SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
RULE = "ip daddr 10.77.0.1 udp dport 6447 return"


@pytest.fixture
def node() -> tuple[Merged[Item, str], Policies]:
    """Return node-1 with a pod that may ask kube-dns, where no process is known."""
    table, policies = new_policies("node-1")
    peer = {"namespaceSelector": {"matchLabels": SYSTEM}, "podSelector": {"matchLabels": DNS_POD.labels}}
    egress = [{"to": [peer], "ports": [{"protocol": "UDP", "port": 53}]}]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}
    obj = {"metadata": {"namespace": "shop", "name": "dns"}, "spec": spec}
    policies.put_pod("shop", "asker", ASKER)
    policies.put_namespace("kube-system", SYSTEM)
    policies.put_policy("shop", "dns", policy_of(msgspec.convert(obj, NetworkPolicy)))
    return table, policies


def has_rule(table: Merged[Item, str]) -> bool:
    """Whether any chain leads to the process."""
    return any(item.kind == CHAIN and RULE in text.splitlines() for item, text in table.items())


def test_a_process_has_a_rule_while_it_counts(node: tuple[Merged[Item, str], Policies]) -> None:
    """It comes, moves to another port and goes."""
    table, policies = node
    assert not has_rule(table)
    policies.put_processes((DNS,))
    assert has_rule(table)
    policies.put_processes((DNS._replace(port=6457),))
    assert not has_rule(table)
    policies.put_processes((DNS,))
    assert has_rule(table)
    policies.put_processes(())
    assert not has_rule(table)


def test_the_labels_of_its_namespace_count(node: tuple[Merged[Item, str], Policies]) -> None:
    """For pods of all namespaces, whenever they change."""
    table, policies = node
    policies.put_processes((DNS,))
    policies.put_namespace("kube-system", {})
    assert not has_rule(table)
    policies.put_namespace("kube-system", SYSTEM)
    assert has_rule(table)


def test_a_process_is_in_no_set(node: tuple[Merged[Item, str], Policies]) -> None:
    """There its address would be let through to at all ports."""
    table, policies = node
    policies.put_processes((DNS,))
    assert not [item for item, _ in table.items() if item.name == "10.77.0.1"]
