"""Ports of the machine that lead to Services: as they are written, and where each leads."""

from __future__ import annotations

import pytest

from kubarium.core.publications import (
    Place,
    Publication,
    Target,
    Ways,
    keys_of,
    oldest,
    ports_of,
    read_publication,
    read_target,
    twice,
    ways_to,
)
from machinery.model.k8s.core_v1 import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Node,
    NodeAddress,
    NodeCondition,
    NodeStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from machinery.model.k8s.meta_v1 import ObjectMeta


def service(
    *ports: ServicePort, type_: str = "LoadBalancer", ip: str = "10.96.0.7", balancer: str = "10.77.0.211"
) -> Service:
    """A Service `shop/web`, of a load balancer unless another type is said."""
    is_balanced = type_ == "LoadBalancer" and balancer
    ingress = [LoadBalancerIngress(ip=balancer)] if is_balanced else []
    return Service(
        metadata=ObjectMeta(name="web", namespace="shop"),
        spec=ServiceSpec(type=type_, clusterIP=ip, ports=list(ports)),
        status=ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=ingress)),
    )


def node(name: str, address: str, *, ready: str = "True") -> Node:
    """A node."""
    status = NodeStatus(
        addresses=[NodeAddress(type="InternalIP", address=address)],
        conditions=[NodeCondition(type="Ready", status=ready)],
    )
    return Node(metadata=ObjectMeta(name=name), status=status)


HTTP = ServicePort(name="http", port=80, protocol="TCP", nodePort=30080)
HTTPS = ServicePort(name="https", port=443, protocol="TCP")
DNS = ServicePort(name="dns", port=53, protocol="UDP")
NODES = [node("node-1", "10.77.0.11", ready="Unknown"), node("node-2", "10.77.0.12")]


@pytest.mark.parametrize(
    ("text", "publication"),
    [
        ("8080:80", Publication("127.0.0.1", 8080, Target(port="80"))),
        ("0.0.0.0:8080:80/tcp", Publication("0.0.0.0", 8080, Target(port="80"))),
        ("[::1]:53:53/udp", Publication("::1", 53, Target(port="53"), "UDP")),
        ("8443:shop/web:https", Publication("127.0.0.1", 8443, Target("shop", "web", "https"))),
        ("8080:shop/web", Publication("127.0.0.1", 8080, Target("shop", "web"))),
        ("53:a/b:53/udp", Publication("127.0.0.1", 53, Target("a", "b", "53"), "UDP")),
    ],
)
def test_what_is_published(text: str, publication: Publication) -> None:
    """On loopback unless an address says otherwise, over TCP unless a suffix does."""
    assert read_publication(text) == publication


@pytest.mark.parametrize(
    "text",
    [
        "", "80", "8080:", ":80", "0:80", "8080:0", "65536:80", "8080:65536", "1.2.3:8080:80", "8080:web",
        "8080:shop/web:0", "8080:shop/web:80/sctp", "8080:Shop/web", "host:8080:80", "8080:80:80", "8080: 80", "-1:80",
    ],
)  # fmt: skip
def test_what_cannot_be_published(text: str) -> None:
    """That is said before anything is started."""
    with pytest.raises(ValueError, match=r"is not \[ADDRESS|is not NAMESPACE|is no port|is no address"):
        read_publication(text)


def test_a_port_of_the_machine_is_published_once() -> None:
    """One over UDP is another one."""
    ports = [read_publication(each) for each in ("53:53", "53:53/udp", "0.0.0.0:53:53")]
    assert twice(ports) == ""
    assert twice([*ports, read_publication("53:a/b:1/udp")]) == "127.0.0.1:53/udp"


def test_a_target_may_leave_out_its_namespace_where_one_is_known() -> None:
    """As `kubarium tunnel -n` has it."""
    assert read_target("web:80", "shop") == Target("shop", "web", "80")
    with pytest.raises(ValueError, match="NAMESPACE/SERVICE"):
        read_target("web")


def test_a_load_balancers_port_comes_before_a_node_port_of_that_number() -> None:
    """By the keys of the index."""
    keys = keys_of(read_publication("8080:80"))
    assert keys == ("balancer/80/TCP", "node/80/TCP")
    assert ports_of(service(HTTP, DNS)) == ("balancer/80/TCP", "balancer/53/UDP", "node/30080/TCP")
    assert ports_of(service(HTTP, type_="NodePort")) == ("node/30080/TCP",)


def test_of_several_the_oldest_has_the_port() -> None:
    """And of those that came in one second, the first by name."""
    made = [
        Service(metadata=ObjectMeta(name=name, namespace="a", creationTimestamp=at))
        for name, at in (("c", "2026-01-02T00:00:00Z"), ("b", "2026-01-01T00:00:00Z"), ("d", "2026-01-01T00:00:00Z"))
    ]  # fmt: skip
    assert oldest(made).metadata.name == "b"


@pytest.mark.parametrize(
    ("text", "seen", "places"),
    [
        ("8080:80", service(HTTPS, HTTP), [Place("10.77.0.211", 80), Place("10.77.0.12", 30080)]),
        ("8080:30080", service(HTTP, type_="NodePort"), [Place("10.77.0.12", 30080)]),
        ("8080:shop/web:https", service(HTTP, HTTPS), [Place("10.77.0.211", 443)]),
        ("8080:shop/web", service(HTTPS), [Place("10.77.0.211", 443)]),
        ("53:shop/web:53/udp", service(HTTP, DNS), [Place("10.77.0.211", 53)]),
    ],
)
def test_where_a_service_is_reached(text: str, seen: Service, places: list[Place]) -> None:
    """At its load balancer's address, else at the port of a node that is Ready."""
    assert ways_to(read_publication(text), seen, NODES, enters_nodes=False) == Ways(tuple(places))


def test_from_within_a_node_every_service_with_an_address_is_reached() -> None:
    """After what is offered to the outside."""
    inside, plain = service(HTTPS, type_="ClusterIP"), read_publication("8080:shop/web")
    assert ways_to(plain, inside, NODES, enters_nodes=True).places == (Place("10.96.0.7", 443, "node-2"),)
    balanced = ways_to(plain, service(HTTPS), NODES, enters_nodes=True).places
    assert balanced == (Place("10.77.0.211", 443), Place("10.96.0.7", 443, "node-2"))


@pytest.mark.parametrize(
    ("text", "seen", "problem"),
    [
        ("8080:80", None, "no LoadBalancer or node port has port 80"),
        ("8080:80/udp", None, "no LoadBalancer or node port has port 80 (UDP)"),
        ("8080:shop/web", None, "no Service shop/web"),
        ("8080:shop/web", service(HTTP, HTTPS), "shop/web has several ports over TCP (it has: 80 (http), 443 (https))"),
        ("8080:shop/web:81", service(HTTP), "shop/web has no port 81 over TCP (it has: 80 (http))"),
        ("8080:443", service(HTTPS, balancer=""), "shop/web has no address of a load balancer yet"),
        (
            "8080:shop/web",
            service(HTTPS, type_="ClusterIP"),
            "shop/web is of type ClusterIP, which only nodes and pods reach: make it a LoadBalancer or NodePort",
        ),
        ("8080:shop/web", service(HTTPS, type_="ClusterIP", ip="None"), "shop/web is headless: it has no address of its own"),
        (
            "8080:shop/web",
            service(type_="ExternalName"),
            "shop/web is of type ExternalName, which stands for a name and has no address",
        ),
    ],
)  # fmt: skip
def test_why_there_is_no_way(text: str, seen: Service | None, problem: str) -> None:
    """The Service is named, and what to do where something can be done."""
    assert ways_to(read_publication(text), seen, NODES, enters_nodes=False).problem == problem


def test_without_a_ready_node_nothing_is_reached_by_node_port() -> None:
    """That is said."""
    seen = service(HTTP, type_="NodePort")
    ways = ways_to(read_publication("8080:30080"), seen, NODES[:1], enters_nodes=True)
    assert ways.problem == "shop/web cannot be reached while no node is Ready"
