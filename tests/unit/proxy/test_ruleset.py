"""What the packet filter's table holds; what it does to packets is proved in tests/shells/proxy."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.store import key_of
from proxy.core.desired import Desired
from proxy.core.table import CHAIN, SET, Item, write_changes, write_whole
from tests.support.proxy import (
    SERVICE_IP,
    balancer,
    endpoint,
    endpoint_slice,
    routed_node,
    service,
    service_port,
)

ENDS = endpoint_slice(endpoint("10.244.1.2"), endpoint("10.244.2.2", node="node-2"))


def told(*services: Service, slices: Iterable[EndpointSlice] = (ENDS,)) -> Desired:
    """Return what is desired with some Services; the slices are looked through for each."""
    desired = Desired("node-1", "10.244.0.0/16", sees_bridged=False)
    for svc in services:
        desired.put_service(key_of(svc), svc, slices)
    return desired


def table(*services: Service, slices: Iterable[EndpointSlice] = (ENDS,)) -> dict[Item, str]:
    """Return the table with some Services."""
    return dict(told(*services, slices=slices).table.items())


def elements(found: dict[Item, str], kind: str) -> dict[str, str]:
    """Return the elements of a set or map."""
    return {item.name: value for item, value in found.items() if item.kind == kind}


def test_order_of_input_does_not_matter() -> None:
    """The same objects in another order give the same text."""
    first, second = service("a", ip="10.96.0.11"), service("b", ip="10.96.0.12")
    texts = [write_whole(table(*order), None) for order in ((first, second), (second, first))]
    assert texts[0] == texts[1]


def test_services_with_as_many_endpoints_share_their_chains() -> None:
    """A thousandth Service adds elements only, two for each way to it and one for each endpoint."""
    few = [service(name, ip=f"10.96.0.{number}") for number, name in enumerate("ab")]
    slices = [endpoint_slice(endpoint("10.244.2.2", node="node-2"), of=name) for name in "abc"]
    desired = told(*few, slices=slices)
    desired.table.settle()
    desired.put_service(("default", "c"), service("c", ip="10.96.0.9"), slices)
    assert {item.kind: (item.name, new) for item, _, new in desired.table.differences()} == {
        "services": ("10.96.0.9 . tcp . 8123", "goto service-tcp-1"),
        "cluster-ips": ("10.96.0.9", ""),
        "tcp-endpoints": ("10.96.0.9 . 8123 . 0", "10.244.2.2 . 9123"),
    }


@pytest.mark.parametrize("count", [3, 100])
def test_another_endpoint_touches_what_changed(count: int) -> None:
    """One that takes another's place is one element, also where it is in the middle of a hundred."""
    ips = [f"10.244.2.{number}" for number in range(count + 1)]

    def piece(left_out: str) -> EndpointSlice:
        return endpoint_slice(*(endpoint(ip, node="node-2") for ip in ips if ip != left_out))

    desired = told(service(), slices=[piece(ips[-1])])
    desired.table.settle()
    desired.put_service(("default", "web"), service(), [piece(ips[1])])
    assert write_changes(desired.table.differences()).splitlines() == [
        f"delete element ip kubarium-proxy tcp-endpoints {{ {SERVICE_IP} . 8123 . 1 }}",
        f"add element ip kubarium-proxy tcp-endpoints {{ {SERVICE_IP} . 8123 . 1 : {ips[-1]} . 9123 }}",
    ]


def test_no_two_chains_share_a_name() -> None:
    """Names that differ only behind the kernel's limit still give different chains of legal length."""
    long, sticky = "n" * 63, "ClientIP"
    services = [
        service(f"{'s' * 62}{letter}", long, ip=f"10.96.1.{n}", sessionAffinity=sticky)
        for n, letter in enumerate("ab")
    ]
    slices = [
        endpoint_slice(endpoint("10.244.1.2"), of=svc.metadata.name, namespace=long) for svc in services
    ]
    found = [item.name for item in table(*services, slices=slices) if item.kind == CHAIN]
    names = [name for name in found if name.startswith("service-")]
    assert len(set(names)) == 2
    assert max(map(len, names)) < 128


def test_the_first_service_has_an_address() -> None:
    """Of two Services with one address and port the first by name has it, until it goes."""
    desired = told(service("b"), service("a"), slices=[endpoint_slice(endpoint("10.244.1.2"), of="a")])
    taken = Item("services", f"{SERVICE_IP} . tcp . 8123")
    assert desired.table.get(taken) == "goto service-tcp-1"
    desired.put_service(("default", "a"), None, ())
    assert desired.table.get(taken) == "goto refuse"


def test_no_endpoints_are_refused() -> None:
    """Every way to a Service without endpoints leads to a refusal."""
    svc = service(ports=[service_port(nodePort=30_007)], type="NodePort", externalIPs=["192.0.2.7"])
    found = table(svc, slices=())
    ways = [*elements(found, "services").values(), *elements(found, "nodeports").values()]
    assert ways == ["goto refuse"] * 3


def test_external_addresses_are_served() -> None:
    """An external address leads to the same endpoints as the ClusterIP, an IPv6 one nowhere."""
    found = table(service(externalIPs=["192.0.2.7", "fd00::7"]))
    assert elements(found, "services")["192.0.2.7 . tcp . 8123"] == "goto external-tcp-2"
    assert [item for item in found if "fd00" in item.name] == []


def test_clients_are_remembered_for_each_endpoint() -> None:
    """A set and a chain come and go with an endpoint; those of the others stay."""
    sticky = service(sessionAffinity="ClientIP")
    desired = told(sticky)
    desired.table.settle()
    desired.put_service(("default", "web"), sticky, [endpoint_slice(endpoint("10.244.1.2"))])
    gone = {item.kind: item.name for item, _, new in desired.table.differences() if new is None}
    assert gone.keys() == {CHAIN, SET}
    assert all("10.244.2.2" in name for name in gone.values())


def test_a_port_that_a_cluster_ip_does_not_have_is_refused() -> None:
    """After the ports that it has; for every address once, also without endpoints, and for no external one."""
    other = service(
        "b", ip="10.96.0.12", externalIPs=["192.0.2.1"], ports=[service_port(80), service_port(81)]
    )
    found = table(service("a"), other, slices=())
    assert elements(found, "cluster-ips").keys() == {"10.96.0.12", SERVICE_IP}
    for hook in ("prerouting", "output"):
        lines = found[Item(CHAIN, hook)].splitlines()
        served = next(index for index, line in enumerate(lines) if "@services" in line)
        assert lines.index("ip daddr @cluster-ips goto refuse") == served + 1


def test_without_services_no_address_is_refused() -> None:
    """Nor any that is not proxied here."""
    assert elements(table(service(ip="None")), "cluster-ips") == {}


def test_load_balancers_with_the_same_sources_share_a_guard() -> None:
    """Whatever their order in the object; others have one of their own, and who lets everybody in has none."""
    ranges = [["10.0.0.0/8", "192.0.2.0/24"], ["192.0.2.0/24", "10.0.0.0/8"], ["10.0.0.0/8"], []]
    services = [
        balancer(
            f"198.51.100.{number}", name=f"b{number}", ip=f"10.96.1.{number}", loadBalancerSourceRanges=each
        )
        for number, each in enumerate(ranges)
    ]
    found = table(*services, slices=())
    guards = elements(found, "guards")
    assert len(guards) == 3
    chains = [guards[f"198.51.100.{number} . tcp . 8123"] for number in range(3)]
    assert chains[0] == chains[1] != chains[2]
    assert elements(found, chains[0].removeprefix("jump ")).keys() == {"10.0.0.0/8", "192.0.2.0/24"}


@pytest.mark.parametrize(
    ("node_ports", "rule"),
    [
        ((), "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @nodeports"),
        (
            ("10.77.0.0/24",),
            "fib daddr type local ip daddr { 10.77.0.0/24 } meta l4proto . th dport vmap @nodeports",
        ),
        (
            ("primary",),
            "fib daddr type local ip daddr { 10.77.0.11 } meta l4proto . th dport vmap @nodeports",
        ),
    ],
)
def test_node_ports_are_served_at_the_addresses_that_are_wanted(
    node_ports: tuple[str, ...], rule: str
) -> None:
    """The primary one is the one that the Node names: while it names none there are no node ports."""
    desired = Desired("node-1", "10.244.0.0/16", sees_bridged=True, node_ports=node_ports)
    assert ("@nodeports" in str(desired.table.get(Item(CHAIN, "output")))) is (node_ports != ("primary",))
    desired.put_node("node-1", routed_node("node-1", "10.244.1.0/24", "10.77.0.11"))
    for hook in ("prerouting", "output"):
        assert str(desired.table.get(Item(CHAIN, hook))).splitlines()[-1] == rule
