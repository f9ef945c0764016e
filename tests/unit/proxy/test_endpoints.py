"""Which endpoints a Service's port leads to."""

from __future__ import annotations

from itertools import zip_longest
from random import Random

import pytest

from machinery.model.endpoints import backends_of
from machinery.model.k8s.core_v1 import ClientIPConfig, LoadBalancerIngress, Service, SessionAffinityConfig
from machinery.model.k8s.discovery_v1 import EndpointSlice
from proxy.core.endpoints import LocalEndpoints, PortPlan, Target, keep_places, plan_health, plan_ports
from proxy.core.health import write_answer
from proxy.core.topology import Place, near
from tests.support.proxy import balancer, endpoint, endpoint_slice, leaving, service, service_port


def only(svc: Service, *slices: EndpointSlice, node: str = "node-1") -> PortPlan:
    """Plan one Service with one port."""
    (plan,) = plan_ports(svc, slices, Place(node))
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
    found = {plan.port: plan.cluster for plan in plan_ports(svc, slices, Place("node-1"))}
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
    assert plan_ports(svc, [], Place("node-1")) == ()


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
    before = plan_ports(
        service(), [endpoint_slice(endpoint("10.1.0.1"), endpoint("10.1.0.2"))], Place("node-1")
    )
    slices = [endpoint_slice(endpoint("10.1.0.0"), endpoint("10.1.0.2"))]
    (plan,) = plan_ports(service(), slices, Place("node-1"), before)
    assert ips(plan.cluster) == ips(plan.local) == ["10.1.0.0", "10.1.0.2"]
    (plan,) = plan_ports(service(), [endpoint_slice(endpoint("10.1.0.2"))], Place("node-1"), before)
    assert ips(plan.cluster) == ["10.1.0.2"]


ZONED = {"a1": ("node-1", "a"), "a2": ("node-2", "a"), "b3": ("node-3", "b")}


@pytest.mark.parametrize(
    ("hints", "node", "zone", "expected"),
    [
        ({"a1": "a", "a2": "a", "b3": "b"}, "node-1", "a", {"a1", "a2"}),
        ({"a1": "a", "a2": "a", "b3": "b"}, "node-3", "b", {"b3"}),
        ({"a1": "a", "a2": "ab", "b3": "b"}, "node-3", "b", {"a2", "b3"}),
        ({"a1": "a", "a2": "a", "b3": ""}, "node-1", "a", {"a1", "a2", "b3"}),
        ({"a1": "a", "a2": "a", "b3": "b"}, "node-9", "c", {"a1", "a2", "b3"}),
        ({"a1": "a", "a2": "a", "b3": "b"}, "node-9", "", {"a1", "a2", "b3"}),
        ({"a1": "a1", "a2": "a2", "b3": "b3"}, "node-1", "a", {"a1"}),
        ({"a1": "a1", "a2": "a2", "b3": "b3"}, "node-9", "a", {"a1", "a2"}),
        ({"a1": "a1", "a2": "a", "b3": "b3"}, "node-1", "a", {"a1", "a2"}),
        ({}, "node-1", "a", {"a1", "a2", "b3"}),
    ],
)
def test_hints_count_where_all_have_some_and_one_is_for_us(
    hints: dict[str, str], node: str, zone: str, expected: set[str]
) -> None:
    """A digit stands for a hint for a node: it goes before those for zones."""
    ends = [
        endpoint(
            name,
            node=ZONED[name][0],
            zones=[letter for letter in hints.get(name, "") if letter.isalpha()],
            nodes=[f"node-{letter}" for letter in hints.get(name, "") if letter.isdigit()],
        )
        for name in ZONED
    ]
    backends = backends_of(service_port(), [endpoint_slice(*ends)])
    assert {backend.ip for backend in near(backends, Place(node, zone))} == expected


def test_endpoints_that_end_serve_from_anywhere() -> None:
    """Where nobody is ready no hint counts; and those that are not ready have no say in hints."""
    leaving_far = leaving("far", "node-3")
    assert [
        each.ip for each in near(backends_of(service_port(), [endpoint_slice(leaving_far)]), Place("x", "a"))
    ] == ["far"]
    mixed = endpoint_slice(endpoint("near", zones=["a"]), endpoint("far", zones=["b"]), leaving("old"))
    assert [each.ip for each in near(backends_of(service_port(), [mixed]), Place("x", "a"))] == ["near"]


@pytest.mark.parametrize(
    ("ip_mode", "type_", "expected"),
    [
        ("VIP", "LoadBalancer", ("192.0.2.1",)),
        ("", "LoadBalancer", ("192.0.2.1",)),
        ("Proxy", "LoadBalancer", ()),
        ("VIP", "NodePort", ()),
    ],
)
def test_addresses_of_load_balancers_are_the_nodes_unless_told_otherwise(
    ip_mode: str, type_: str, expected: tuple[str, ...]
) -> None:
    """Not under ipMode Proxy, and not what another type has left behind."""
    ingress = [
        LoadBalancerIngress(ip="192.0.2.1", ipMode=ip_mode),
        LoadBalancerIngress(hostname="lb.example.com"),
    ]
    assert only(service(ingress=ingress, type=type_)).balancer_ips == expected


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], ()),
        ([" 10.0.0.0/8 ", "10.1.0.0/16"], ("10.0.0.0/8",)),
        (["192.0.2.0/25", "192.0.2.128/25", "fd00::/8"], ("192.0.2.0/24",)),
        (["10.1.2.3/16", "nonsense"], ("10.1.0.0/16",)),
    ],
)
def test_source_ranges_are_without_overlaps(ranges: list[str], expected: tuple[str, ...]) -> None:
    """The kernel's sets take none; what is no IPv4 network is left out."""
    assert only(balancer("192.0.2.1", loadBalancerSourceRanges=ranges)).sources == expected


def test_health_is_the_number_of_ready_endpoints_here() -> None:
    """Each counts once, however many ports and slices it is in; and only a load balancer under Local has any."""
    ends = endpoint_slice(
        endpoint("10.1.0.1"),
        endpoint("10.1.0.2", node="node-2"),
        leaving("10.1.0.3"),
        endpoint("10.1.0.4", ready=False),
    )
    ports = [service_port(80), service_port(81)]
    local = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 32_000, "ports": ports}
    svc = balancer("192.0.2.1", **local)
    assert plan_health(svc, [ends, ends], "node-1") == {32_000: ("default", "web", 1)}
    assert plan_health(svc, [ends], "node-3") == {32_000: ("default", "web", 0)}
    for other in (
        balancer("192.0.2.1", **{**local, "externalTrafficPolicy": "Cluster"}),
        service(type="NodePort", **local),
        balancer("192.0.2.1", **{**local, "healthCheckNodePort": None}),
    ):
        assert plan_health(other, [ends], "node-1") == {}


def test_health_is_told_as_load_balancers_read_it() -> None:
    """Status, headers and body of kube-proxy."""
    head, _, body = (
        write_answer(LocalEndpoints("default", "web", 2), is_healthy=True).decode().partition("\r\n\r\n")
    )
    assert head.splitlines() == [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "X-Content-Type-Options: nosniff",
        "X-Load-Balancing-Endpoint-Weight: 2",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    assert body == (
        '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n'
        '\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}'
    )
    for local, is_healthy in ((2, False), (0, True)):
        answer = write_answer(LocalEndpoints("default", "web", local), is_healthy=is_healthy)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
