"""Connections as people ask for them, and what is said of them."""

from __future__ import annotations

import pytest

from kubarium.core.connections import Door, End, explain, read_door, read_end
from machinery.model.network_policies import NamedPort, Party, Policy, PolicyPod, ProcessPort, Rule
from machinery.model.selectors import EVERYTHING

WEB = Party(
    "10.244.1.2", PolicyPod("shop", "web", {}, ("10.244.1.2",), "node-1", (NamedPort("UDP", "dns", 53),))
)
CART = Party("10.244.2.2", PolicyPod("shop", "cart", {}, ("10.244.2.2",), "node-2"))
NODE = Party("10.77.0.11")
WORLD = Party("192.0.2.1")
DENY = Policy("shop", "deny", EVERYTHING, (), None)
SOME = Policy("shop", "some", EVERYTHING, (Rule((), None), Rule(None, None)), None)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("pod/web", End("here", "web")),
        ("po/web", End("here", "web")),
        ("shop/web", End("shop", "web")),
        ("192.0.2.1", End(ip="192.0.2.1")),
    ],
)
def test_ends(text: str, end: End) -> None:
    """A pod with or without its namespace, or an address."""
    assert read_end(text, "here") == end


@pytest.mark.parametrize("text", ["", "web", "pod/", "a/b/c", "192.0.2", "fd00:"])
def test_what_is_no_end(text: str) -> None:
    """It is named."""
    with pytest.raises(ValueError, match="is no pod/NAME"):
        read_end(text, "here")


@pytest.mark.parametrize(
    ("text", "door"),
    [
        ("80", Door("TCP", 80)),
        ("53/udp", Door("UDP", 53)),
        ("http", Door("TCP", name="http")),
        ("dns/udp", Door("UDP", name="dns")),
    ],
)
def test_doors(text: str, door: Door) -> None:
    """A number or a name, TCP unless told otherwise."""
    assert read_door(text) == door


@pytest.mark.parametrize(
    ("text", "message"),
    [("0", "from 1 to"), ("65536", "from 1 to"), ("80/quic", "quic is none of"), ("/udp", "no port")],
)
def test_what_is_no_door(text: str, message: str) -> None:
    """It is named."""
    with pytest.raises(ValueError, match=message):
        read_door(text)


@pytest.mark.parametrize(
    ("source", "policies", "is_allowed", "reason"),
    [
        (CART, [], True, "no policy isolates what comes to shop/web"),
        (CART, [DENY], False, "what comes to shop/web is isolated by deny, and no rule lets it through"),
        (WORLD, [DENY], False, "what comes to shop/web is isolated by deny, and no rule lets it through"),
        (CART, [DENY, SOME], True, "by rule 1 of networkpolicy shop/some"),
        (NODE, [DENY], True, "node-1 is the pod's own node, which policies do not keep from it"),
        (WEB, [DENY], True, "a pod is never kept from itself"),
    ],
)
def test_what_is_said(source: Party, policies: list[Policy], *, is_allowed: bool, reason: str) -> None:
    """Of what comes to a pod."""
    found = explain(
        source,
        WEB,
        Door("TCP", 80),
        policies=policies,
        namespaces={},
        node_addresses={"node-1": ["10.77.0.11"]},
    )
    assert (found.is_allowed, found.reasons[-1][2]) == (is_allowed, reason)


def test_the_name_of_a_port_is_the_targets() -> None:
    """Of the protocol that is meant."""
    found = explain(CART, WEB, Door("UDP", name="dns"), policies=[], namespaces={}, node_addresses={})
    assert next(iter(found.lines())).endswith("UDP 53 (dns)")
    with pytest.raises(ValueError, match=r"pod shop/web .* calls no TCP port 'dns'"):
        explain(CART, WEB, Door("TCP", name="dns"), policies=[], namespaces={}, node_addresses={})


def test_a_process_that_counts_as_a_pod_is_told() -> None:
    """At its port, as which pod and at which of its ports it counts."""
    pod = PolicyPod("kube-system", "kube-dns", {}, ("10.77.0.1",), "")
    dns = Party("10.77.0.1", processes=(ProcessPort(pod, "UDP", 6447, 53),))
    found = explain(CART, dns, Door("UDP", 6447), policies=[], namespaces={}, node_addresses={})
    assert found.target == "10.77.0.1 (counts as a pod kube-system/kube-dns at UDP 53)"
    found = explain(CART, dns, Door("TCP", 6443), policies=[], namespaces={}, node_addresses={})
    assert found.target == "10.77.0.1"
