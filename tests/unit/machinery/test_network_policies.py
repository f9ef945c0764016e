"""NetworkPolicies as they are read, and judged by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.networking_v1 import NetworkPolicy
from machinery.model.network_policies import (
    NamedPort,
    Party,
    Policy,
    PolicyPod,
    ProcessPort,
    judge,
    pod_of,
    policy_of,
)

NAMESPACES = {"shop": {"name": "shop"}, "front": {"name": "front", "team": "a"}}
WEB = PolicyPod("shop", "web", {"app": "web"}, ("10.244.1.2",), "node-1", (NamedPort("TCP", "http", 8080),))
CART = PolicyPod("shop", "cart", {"app": "cart"}, ("10.244.1.3",), "node-1")
EDGE = PolicyPod("front", "edge", {"app": "edge"}, ("10.244.2.2",), "node-2")
PARTIES = {pod.name: Party(pod.ips[0], pod) for pod in (WEB, CART, EDGE)} | {"world": Party("192.0.2.1")}


def policy(name: str = "p", **spec: Any) -> Policy:
    """Read a policy of the namespace "shop"."""
    obj = {"metadata": {"namespace": "shop", "name": name}, "spec": spec}
    return policy_of(msgspec.convert(obj, NetworkPolicy))


def app(name: str) -> dict[str, Any]:
    """Return a selector."""
    return {"matchLabels": {"app": name}}


INGRESS_OF_WEB: dict[str, Any] = {"podSelector": app("web"), "policyTypes": ["Ingress"]}


@pytest.mark.parametrize(
    ("spec", "source", "is_open"),
    [
        pytest.param({"podSelector": app("cart")}, "world", True, id="of another pod"),
        pytest.param({}, "cart", False, id="default: ingress of all pods"),
        pytest.param(INGRESS_OF_WEB, "world", False, id="no rule"),
        pytest.param({**INGRESS_OF_WEB, "ingress": [{}]}, "world", True, id="an empty rule"),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"from": [{"podSelector": {}}]}]},
            "edge",
            False,
            id="pods of the namespace",
        ),
        pytest.param(
            {
                **INGRESS_OF_WEB,
                "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}],
            },
            "edge",
            True,
            id="all of a namespace",
        ),
        pytest.param(
            {
                **INGRESS_OF_WEB,
                "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": app("cart")}]}],
            },
            "edge",
            False,
            id="both selectors of one peer have to fit",
        ),
        pytest.param(
            {
                **INGRESS_OF_WEB,
                "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/24"]}}]}],
            },
            "world",
            False,
            id="except",
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]},
            "world",
            False,
            id="IPv6",
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"ports": [{"port": "http"}]}]}, "edge", True, id="a name"
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"ports": [{"port": "dns"}]}]}, "edge", False, id="no such name"
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"ports": [{"port": "http", "protocol": "UDP"}]}]},
            "edge",
            False,
            id="the name of a port of another protocol",
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"ports": [{"port": 8000, "endPort": 8080}]}]},
            "edge",
            True,
            id="a range",
        ),
        pytest.param(
            {**INGRESS_OF_WEB, "ingress": [{"ports": [{"protocol": "UDP"}]}]}, "edge", False, id="a protocol"
        ),
        pytest.param(
            {"podSelector": {}, "egress": [{"to": [{"podSelector": app("web")}]}]}, "cart", False, id="both"
        ),
    ],
)
def test_a_connection_to_web(spec: dict[str, Any], source: str, is_open: bool) -> None:
    """TCP port 8080."""
    judged = judge([policy(**spec)], NAMESPACES, PARTIES[source], PARTIES["web"], "TCP", 8080)
    assert all(each.is_allowed for each in judged) is is_open


def test_who_lets_through_is_told() -> None:
    """The first policy by name, and which of its rules."""
    rule = {"from": [{"podSelector": app("cart")}]}
    policies = [
        policy("b", **INGRESS_OF_WEB, ingress=[{}]),
        policy("a", **INGRESS_OF_WEB, ingress=[{"from": []}, rule]),
    ]
    egress, ingress = judge(policies, NAMESPACES, PARTIES["cart"], PARTIES["web"], "TCP", 80)
    assert (egress.isolating, egress.is_allowed) == ((), True)
    assert (ingress.isolating, ingress.admitting) == (("a", "b"), ("a", 0))


def test_a_pod_is_not_kept_from_itself() -> None:
    """Whatever isolates it."""
    policies = [policy(podSelector={}, policyTypes=["Ingress", "Egress"])]
    assert all(
        each.is_allowed for each in judge(policies, NAMESPACES, PARTIES["web"], PARTIES["web"], "TCP", 80)
    )


@pytest.mark.parametrize(
    ("changes", "is_seen"),
    [
        ({}, True),
        ({"spec": {"hostNetwork": True, "nodeName": "node-1", "containers": []}}, False),
        ({"spec": {"containers": []}}, False),
        ({"status": {"phase": "Succeeded"}}, False),
        ({"status": {"phase": "Failed"}}, False),
    ],
)
def test_which_pods_are_seen(changes: dict[str, Any], is_seen: bool) -> None:
    """Neither those on their node's network, nor those whose address may be another's by now."""
    obj = {
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 80}]}],
        },
        "status": {"podIPs": [{"ip": "10.244.1.2"}, {"ip": "2001:db8::2"}]},
    }
    found = pod_of(msgspec.convert({**obj, **changes}, Pod))
    assert (found is not None) is is_seen
    if found:
        assert (found.ips, found.ports) == (("10.244.1.2", "2001:db8::2"), (NamedPort("TCP", "http", 80),))


DNS_POD = PolicyPod(
    "kube-system", "kube-dns", {"k8s-app": "kube-dns"}, ("10.77.0.1",), "", (NamedPort("UDP", "dns", 53),)
)
DNS = Party("10.77.0.1", processes=(ProcessPort(DNS_POD, "UDP", 6447, 53),))
SYSTEM = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
DNS_PODS = {**SYSTEM, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
PORT_53 = [{"protocol": "UDP", "port": 53}]


@pytest.mark.parametrize(
    ("rules", "is_open"),
    [
        pytest.param([], False, id="default deny"),
        pytest.param([{"to": [DNS_PODS], "ports": PORT_53}], True, id="the usual one"),
        pytest.param([{"to": [DNS_PODS]}], True, id="at any port"),
        pytest.param([{"to": [SYSTEM]}], True, id="the namespace"),
        pytest.param([{"to": [{"namespaceSelector": {}}]}], True, id="any namespace"),
        pytest.param(
            [{"to": [{"podSelector": {}}], "ports": PORT_53}], False, id="pods of the own namespace"
        ),
        pytest.param([{"to": [{**SYSTEM, "podSelector": app("web")}]}], False, id="other pods there"),
        pytest.param([{"ports": PORT_53}], True, id="the port alone"),
        pytest.param([{"ports": [{"protocol": "UDP", "port": "dns"}]}], True, id="the port's name"),
        pytest.param([{"ports": [{"protocol": "TCP", "port": 53}]}], False, id="another protocol"),
        pytest.param([{"ports": [{"protocol": "UDP", "port": 6447}]}], True, id="the process' port"),
        pytest.param(
            [{"to": [DNS_PODS], "ports": [{"protocol": "UDP", "port": 6447}]}],
            False,
            id="a port that the pod would not have",
        ),
        pytest.param([{"to": [{"ipBlock": {"cidr": "10.77.0.1/32"}}]}], True, id="its address"),
        pytest.param(
            [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": PORT_53}], True, id="a block, port 53"
        ),
        pytest.param([{"to": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}], False, id="addresses of pods"),
    ],
)
def test_a_process_that_counts_as_a_pod(rules: list[dict[str, Any]], is_open: bool) -> None:
    """The cluster's DNS, asked by a pod that is isolated except for what these rules say."""
    namespaces = {**NAMESPACES, "kube-system": {"kubernetes.io/metadata.name": "kube-system"}}
    policies = [policy(podSelector={}, policyTypes=["Egress"], egress=rules)]
    egress, _ = judge(policies, namespaces, PARTIES["web"], DNS, "UDP", 6447)
    assert egress.is_allowed is is_open


def test_a_process_counts_at_its_own_port_only_and_not_as_a_source() -> None:
    """The apiserver may listen at the same address, and what comes from there is no pod's."""
    everybody = [{"namespaceSelector": {}}]
    policies = [
        policy(
            podSelector={},
            policyTypes=["Egress", "Ingress"],
            egress=[{"to": everybody}],
            ingress=[{"from": everybody}],
        )
    ]
    namespaces = {**NAMESPACES, "kube-system": {}}
    for source, target, port in ((PARTIES["web"], DNS, 6443), (DNS, PARTIES["web"], 6447)):
        judged = judge(policies, namespaces, source, target, "UDP", port)
        assert not all(each.is_allowed for each in judged)
