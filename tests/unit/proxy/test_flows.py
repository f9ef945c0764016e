"""Which UDP flows are forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from machinery.model.k8s.discovery_v1 import Endpoint
from proxy.core.endpoints import Target, plan_ports
from proxy.core.flows import (
    Address,
    Allowed,
    Flow,
    may_be_stale,
    parse_attempts,
    parse_flows,
    plan_abandoning,
    plan_forgetting,
    plan_udp,
)
from proxy.core.merged import Difference
from proxy.core.topology import Place
from tests.support.proxy import SERVICE_IP, endpoint, endpoint_slice, leaving, service, service_port

LISTING = """\
udp      17 29 src=10.1.0.2 dst=10.96.7.7 sport=4000 dport=8123 [UNREPLIED] src=10.1.0.3 dst=10.1.0.2 sport=53 dport=4000 mark=0 use=1
udp      17 29 src=10.1.0.4 dst=10.96.7.7 sport=4001 dport=8123 src=10.1.0.3 dst=10.1.0.4 sport=53 dport=4001 [ASSURED] mark=0 use=1
conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.
"""
ATTEMPTS = """\
tcp      6 104 SYN_SENT src=10.1.0.2 dst=10.96.7.7 sport=4000 dport=8123 [UNREPLIED] src=10.1.0.3 dst=10.1.0.2 sport=9123 dport=30250 mark=0 use=1
tcp      6 108 SYN_SENT src=10.77.0.11 dst=10.77.0.12 sport=4001 dport=30053 [UNREPLIED] src=10.77.0.12 dst=10.77.0.11 sport=30053 dport=4001 mark=0 use=1
conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.
"""
NOTHING: Allowed = dict[Address, frozenset[Target]]().get


def table(*ends: Endpoint, **fields: Any) -> Allowed:
    """Return the table of one UDP Service."""
    ports = [service_port(protocol="UDP", nodePort=30_053)]
    svc = service(ports=ports, type="NodePort", **fields)
    return plan_udp(plan_ports(svc, [endpoint_slice(*ends, protocol="UDP")], Place("node-1"))).get


def flow(answered_by: str, to: str = SERVICE_IP, port: int = 8123, *, at: int = 9123) -> Flow:
    """Return a flow to the Service."""
    return Flow(to, port, Target(answered_by, at))


def test_a_listing_is_read() -> None:
    """Flows of many clients to one endpoint are one; other lines are none."""
    assert parse_flows(LISTING) == (flow("10.1.0.3", at=53),)


def test_flows_to_endpoints_stay() -> None:
    """Who is answered by a ready endpoint, or by one that still serves, is left alone."""
    now = table(endpoint("10.1.0.1"), leaving("10.1.0.2"))
    assert plan_forgetting([flow("10.1.0.1"), flow("10.1.0.2")], now, NOTHING, ()) == ()


def test_flows_to_what_is_gone_are_forgotten() -> None:
    """Also one that never got to an endpoint, because the Service had no rules then, and one through a node port."""
    now = table(endpoint("10.1.0.1"))
    stale = (flow("10.1.0.9"), flow(SERVICE_IP), flow("10.1.0.9", "10.77.0.11", 30_053))
    assert plan_forgetting(stale, now, NOTHING, ["10.77.0.11"]) == stale


def test_flows_to_a_port_that_is_no_endpoint_s_any_more_are_forgotten() -> None:
    """The pod is still one, by another targetPort."""
    now = table(endpoint("10.1.0.1"))
    old, new = flow("10.1.0.1", at=9122), flow("10.1.0.1")
    assert plan_forgetting([old, new], now, NOTHING, ()) == (old,)


def test_flows_of_a_deleted_service_are_forgotten() -> None:
    """When the whole Service goes, so do its flows; those of others with the same address do not."""
    before = table(endpoint("10.1.0.1"))
    flows = [flow("10.1.0.1"), flow("10.1.0.1", port=9)]
    assert plan_forgetting(flows, NOTHING, before, ()) == (flow("10.1.0.1"),)


def test_flows_that_are_no_services_stay() -> None:
    """The node's own business, and pods' among each other, are not ours."""
    flows = [flow("8.8.8.8", "8.8.8.8", 53), flow("10.77.0.9", "10.77.0.9", 30_053)]
    assert plan_forgetting(flows, table(endpoint("10.1.0.1")), NOTHING, ["10.77.0.11"]) == ()


def test_tcp_has_no_table() -> None:
    """TCP connections are never forgotten."""
    assert plan_udp(plan_ports(service(), [endpoint_slice(endpoint("10.1.0.1"))], Place("node-1"))) == {}


def test_attempts_at_connections_are_read() -> None:
    """By who has not answered yet; other lines are none."""
    assert parse_attempts(ATTEMPTS) == {Target("10.1.0.3", 9123), Target("10.77.0.12", 30_053)}


def test_endpoints_that_have_gone_are_abandoned() -> None:
    """Not those that still serve, nor UDP's, which have a table."""
    before, now = (
        plan_ports(
            service(ports=[service_port(), service_port(name="udp", port=53, protocol="UDP")]),
            [endpoint_slice(*ends), endpoint_slice(*ends, protocol="UDP", name="web-udp")],
            Place("node-1"),
        )
        for ends in (
            [endpoint("10.1.0.1"), endpoint("10.1.0.2"), endpoint("10.1.0.3")],
            [endpoint("10.1.0.1"), leaving("10.1.0.2")],
        )
    )
    assert plan_abandoning(before, now) == {Target("10.1.0.3", 9123)}
    assert plan_abandoning((), now) == plan_abandoning(now, now) == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"10.1.0.1"}, {"10.1.0.1", "10.1.0.2"}, False),
        ({"10.1.0.1", "10.1.0.2"}, {"10.1.0.1"}, True),
        ({"10.1.0.1"}, {"10.1.0.2"}, True),
        ({"10.1.0.1"}, set(), True),
        (set(), {"10.1.0.1"}, True),
        (None, {"10.1.0.1"}, True),
        ({"10.1.0.1"}, None, True),
    ],
)
def test_flows_are_looked_at_where_they_may_be_stale(
    old: set[str] | None, new: set[str] | None, *, expected: bool
) -> None:
    """An address that only gets endpoints in addition has no stale flows; one that had none may: they went nowhere."""
    before, after = (
        None if each is None else frozenset(Target(ip, 9123) for ip in each) for each in (old, new)
    )
    assert may_be_stale([Difference((SERVICE_IP, 8123), before, after)]) is expected
