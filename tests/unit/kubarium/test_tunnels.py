"""Which ports a tunnel opens."""

from __future__ import annotations

import pytest

from kubarium.core.publications import Target
from kubarium.core.tunnels import NoTunnel, Opening, Wanted, openings, read_wanted
from machinery.model.k8s.core_v1 import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from machinery.model.k8s.meta_v1 import ObjectMeta

HTTP, DNS = ServicePort(name="http", port=80), ServicePort(name="dns", port=53, protocol="UDP")
SCTP = ServicePort(name="sctp", port=9, protocol="SCTP")


def service(name: str, *ports: ServicePort, type_: str = "ClusterIP", ip: str = "10.96.0.7") -> Service:
    """A Service of the namespace shop; a LoadBalancer has its address."""
    ingress = [LoadBalancerIngress(ip="10.77.0.211")] if type_ == "LoadBalancer" else []
    return Service(
        metadata=ObjectMeta(name=name, namespace="shop"),
        spec=ServiceSpec(type=type_, clusterIP=ip, ports=list(ports)),
        status=ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=ingress)),
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("web", Wanted(Target("shop", "web"))),
        ("web:http", Wanted(Target("shop", "web", "http"))),
        ("8080:web:80", Wanted(Target("shop", "web", "80"), 8080)),
        ("8080:other/web", Wanted(Target("other", "web"), 8080)),
    ],
)
def test_what_is_named(text: str, wanted: Wanted) -> None:
    """In the namespace that is meant, unless it names one."""
    assert read_wanted(text, "shop") == wanted


@pytest.mark.parametrize("text", ["", "80", "8080:80", "0:web", "70000:web", "a/b/c", "web:0", "We b"])
def test_what_names_no_service(text: str) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match=r"is not \[|is no port"):
        read_wanted(text, "shop")


def test_without_names_every_load_balancer_is_opened() -> None:
    """Each of its ports that can be forwarded; those without an address are not there yet."""
    waiting = Service(
        metadata=ObjectMeta(name="new", namespace="shop"),
        spec=ServiceSpec(type="LoadBalancer", ports=[HTTP]),
    )
    seen = [service("b", HTTP, SCTP, type_="LoadBalancer"), service("a", DNS, type_="LoadBalancer"), waiting]
    assert openings([*seen, service("c", HTTP)], []) == [
        Opening("shop", "a", 53, "UDP"),
        Opening("shop", "b", 80, "TCP"),
    ]


def test_a_service_that_is_named_is_opened_whatever_its_type() -> None:
    """All its ports, or the one that was named, at the port that was asked for; else at its own or a free one."""
    seen = [service("web", HTTP, DNS)]
    whole = openings(seen, [read_wanted("web", "shop")])
    assert [each.name for each in whole] == ["shop/web:80", "shop/web:53/udp"]
    assert whole[0].attempts == (80, 0)
    (one,) = openings(seen, [read_wanted("8080:web:http", "shop")])
    assert one.attempts == (8080,)
    assert one.publication(8080).listens_at == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("text", "seen", "said"),
    [
        ("web", service("other", HTTP), "there is no Service shop/web"),
        ("web:81", service("web", HTTP), r"has no port 81 \(it has: 80 \(http\)\)"),
        ("8080:web", service("web", HTTP, DNS), "has several ports"),
        ("web", service("web", HTTP, ip="None"), "has no address of its own"),
        ("web", service("web", type_="ExternalName", ip=""), "has no address of its own"),
    ],
)
def test_why_there_is_no_tunnel(text: str, seen: Service, said: str) -> None:
    """The Service is named."""
    with pytest.raises(NoTunnel, match=said):
        openings([seen], [read_wanted(text, "shop")])
