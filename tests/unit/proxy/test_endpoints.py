"""Which endpoints a Service's port leads to."""

from __future__ import annotations

from itertools import zip_longest
from random import Random

import pytest

from machinery.model.k8s.core_v1 import ClientIPConfig, Service, SessionAffinityConfig
from machinery.model.k8s.discovery_v1 import EndpointSlice
from proxy.core.endpoints import PortPlan, Target, keep_places, plan_ports
from tests.support.proxy import endpoint, endpoint_slice, leaving, service, service_port


def only(svc: Service, *slices: EndpointSlice, node: str = "node-1") -> PortPlan:
    """Plan one Service with one port."""
    (plan,) = plan_ports(svc, slices, node)
    return plan


def ips(targets: tuple[Target, ...]) -> list[str]:
    """Return the addresses."""
    return [target.ip for target in targets]


def test_only_ready_endpoints_take_connections() -> None:
    """An endpoint that is not ready is left out, also while it serves and terminates."""
    ends = endpoint_slice(endpoint("10.1.0.1"), endpoint("10.1.0.2", ready=False), leaving("10.1.0.3"))
    assert ips(only(service(), ends).cluster) == ["10.1.0.1"]


def test_unknown_readiness_counts_as_ready() -> None:
    """The API's default for a condition that is not there is ready."""
    assert ips(only(service(), endpoint_slice(endpoint("10.1.0.1", ready=None))).cluster) == ["10.1.0.1"]


def test_serving_and_terminating_endpoints_are_the_fallback() -> None:
    """With no ready endpoint those that serve while they terminate are used, and no others."""
    ends = endpoint_slice(
        leaving("10.1.0.1"),
        endpoint("10.1.0.2", ready=False, serving=False, terminating=True),
        endpoint("10.1.0.3", ready=False, serving=True, terminating=False),
    )
    assert ips(only(service(), ends).cluster) == ["10.1.0.1"]


def test_local_falls_back_on_its_own() -> None:
    """The node's own endpoints fall back to terminating ones although other nodes have ready ones."""
    plan = only(service(), endpoint_slice(leaving("10.1.0.1"), endpoint("10.2.0.1", node="node-2")))
    assert ips(plan.cluster) == ["10.2.0.1"]
    assert ips(plan.local) == ["10.1.0.1"]


def test_serving_holds_what_may_have_old_flows() -> None:
    """Ready and terminating endpoints may still have flows; those that serve no more may not."""
    ends = endpoint_slice(endpoint("10.1.0.1"), leaving("10.1.0.2"), endpoint("10.1.0.3", ready=False))
    assert ips(only(service(), ends).serving) == ["10.1.0.1", "10.1.0.2"]


def test_an_endpoint_in_two_slices_counts_once() -> None:
    """While endpoints move from one slice to another, none gets twice its share."""
    slices = [endpoint_slice(endpoint("10.1.0.1"), name=name) for name in ("web-a", "web-b")]
    assert ips(only(service(), *slices).cluster) == ["10.1.0.1"]


def test_ports_are_matched_by_name() -> None:
    """A named port leads to the slice's port of that name, whatever its number."""
    svc = service(ports=[service_port(80, name="http"), service_port(81, name="admin")])
    slices = [
        endpoint_slice(endpoint("10.1.0.1"), name="a", port=8080, port_name="http"),
        endpoint_slice(endpoint("10.1.0.1"), name="b", port=9090, port_name="admin"),
    ]
    found = {plan.port: plan.cluster for plan in plan_ports(svc, slices, "node-1")}
    assert found == {80: (Target("10.1.0.1", 8080),), 81: (Target("10.1.0.1", 9090),)}


@pytest.mark.parametrize(
    "piece",
    [
        endpoint_slice(endpoint("10.1.0.1"), of="other"),
        endpoint_slice(endpoint("10.1.0.1"), namespace="other"),
        endpoint_slice(endpoint("10.1.0.1"), protocol="UDP"),
        endpoint_slice(endpoint("fd00::1"), address_type="IPv6"),
        endpoint_slice(endpoint("no-address")),
    ],
    ids=["of another Service", "in another namespace", "of another protocol", "IPv6", "malformed"],
)
def test_what_is_no_endpoint_of_the_port(piece: EndpointSlice) -> None:
    """What does not belong to the Service's port never gets into its rules."""
    assert only(service(), piece).cluster == ()


@pytest.mark.parametrize(
    "svc",
    [
        service(ip="None"),
        service(ip=""),
        service(ip="fd00::7"),
        service(type="ExternalName"),
        service(labels={"service.kubernetes.io/service-proxy-name": "other"}),
        service(ports=[service_port(protocol="ICMP")]),
    ],
    ids=["headless", "no address yet", "IPv6", "ExternalName", "another proxy's", "strange protocol"],
)
def test_services_without_rules(svc: Service) -> None:
    """A Service without a virtual address of ours has no rules."""
    assert plan_ports(svc, [], "node-1") == ()


def test_affinity() -> None:
    """ClientIP lasts for three hours unless the Service says otherwise."""
    config = SessionAffinityConfig(clientIP=ClientIPConfig(timeoutSeconds=60))
    assert only(service()).affinity_s == 0
    assert only(service(sessionAffinity="ClientIP")).affinity_s == 10_800
    assert only(service(sessionAffinity="ClientIP", sessionAffinityConfig=config)).affinity_s == 60


def test_node_ports_belong_to_their_types() -> None:
    """A node port that was left in a ClusterIP Service is not opened."""
    ports = [service_port(nodePort=30_007)]
    assert only(service(ports=ports)).node_port == 0
    assert only(service(ports=ports, type="NodePort")).node_port == 30_007


def test_only_who_may_be_here_meets_itself() -> None:
    """Hairpins are the addresses on this node, and those of which nobody says where they are."""
    ends = endpoint_slice(
        endpoint("10.1.0.1"), endpoint("10.1.0.2", node=""), endpoint("10.2.0.1", node="node-2")
    )
    assert only(service(), ends).hairpins == ("10.1.0.1", "10.1.0.2")


def test_endpoints_keep_their_places() -> None:
    """One that comes takes the place of one that went; a place that stays free is taken by the last one."""
    a, b, c, d = (Target(f"10.1.0.{number}", 80) for number in range(1, 5))
    assert keep_places((a, b, c), ()) == (a, b, c)
    assert keep_places((b, c, d), (c, a, b)) == (c, d, b)
    assert keep_places((b, c), (a, b, c)) == (c, b)
    assert keep_places((a, b, c, d), (d, c)) == (d, c, a, b)
    assert keep_places((), (a, b)) == ()
    assert keep_places((d,), (a, b, c)) == (d,)


@pytest.mark.parametrize("seed", range(5))
def test_few_places_change(seed: int) -> None:
    """For each endpoint that comes or goes at most two places are different, however many there are."""
    random = Random(seed)
    pool = [Target(f"10.1.0.{number}", 80) for number in range(40)]
    before: tuple[Target, ...] = ()
    for _ in range(30):
        wanted = sorted(random.sample(pool, random.randrange(len(pool))))
        after = keep_places(wanted, before)
        assert sorted(after) == wanted
        different = sum(old != new for old, new in zip_longest(before, after))
        assert different <= 2 * len(set(before) ^ set(after))
        before = after


def test_places_are_kept_from_plan_to_plan() -> None:
    """Under both traffic policies."""
    before = plan_ports(service(), [endpoint_slice(endpoint("10.1.0.1"), endpoint("10.1.0.2"))], "node-1")
    slices = [endpoint_slice(endpoint("10.1.0.0"), endpoint("10.1.0.2"))]
    (plan,) = plan_ports(service(), slices, "node-1", before)
    assert ips(plan.cluster) == ips(plan.local) == ["10.1.0.0", "10.1.0.2"]
    (plan,) = plan_ports(service(), [endpoint_slice(endpoint("10.1.0.2"))], "node-1", before)
    assert ips(plan.cluster) == ["10.1.0.2"]
