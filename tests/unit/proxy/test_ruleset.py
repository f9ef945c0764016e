"""The packet filter's text; what it does to packets is proved in tests/shells/proxy."""

from __future__ import annotations

from collections.abc import Iterable

from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from proxy.core.endpoints import plan_ports
from proxy.core.ruleset import Present, Ruleset, Surroundings, plan_ruleset
from tests.support.proxy import SERVICE_IP, endpoint, endpoint_slice, service, service_port

AROUND = Surroundings("10.244.0.0/16", ("10.77.0.11",))
ENDS = endpoint_slice(endpoint("10.244.1.2"), endpoint("10.244.2.2", node="node-2"))


def rules(
    *services: Service, slices: Iterable[EndpointSlice] = (ENDS,), around: Surroundings = AROUND
) -> Ruleset:
    """Write the rules of some Services."""
    return plan_ruleset(plan_ports(services, slices, "node-1"), around)


def test_order_of_input_does_not_matter() -> None:
    """The same objects in another order give the same text, so nothing is written for nothing."""
    first, second = service("a", ip="10.96.0.11"), service("b", ip="10.96.0.12")
    assert rules(first, second).text() == rules(second, first).text()


def test_no_two_chains_share_a_name() -> None:
    """Names that differ only behind the kernel's limit still give different chains of legal length."""
    long = "n" * 63
    services = [service(f"{'s' * 62}{letter}", long, ip=f"10.96.1.{n}") for n, letter in enumerate("ab")]
    slices = [
        endpoint_slice(endpoint("10.244.1.2"), of=svc.metadata.name, namespace=long) for svc in services
    ]
    names = [name for name in rules(*services, slices=slices).chains if name.startswith("service-")]
    assert len(set(names)) == 2
    assert max(map(len, names)) < 128


def test_a_taken_address_is_not_written_twice() -> None:
    """Two Services with one address and port, which the kernel would refuse, give one entry."""
    text = rules(service("a"), service("b")).text()
    assert text.count(f"{SERVICE_IP} . tcp") == 1


def test_no_endpoints_are_refused() -> None:
    """Every way to a Service without endpoints leads to a refusal."""
    svc = service(ports=[service_port(nodePort=30_007)], type="NodePort", externalIPs=["192.0.2.7"])
    text = rules(svc, slices=()).text()
    assert text.count(": goto refuse") == 3


def test_external_addresses_are_served() -> None:
    """An external address leads to the same endpoints as the ClusterIP, an IPv6 one nowhere."""
    found = rules(service(externalIPs=["192.0.2.7", "fd00::7"]))
    assert "192.0.2.7 . tcp . 8123 : goto external-" in found.text()
    assert "fd00" not in found.text()


def test_the_first_transaction_needs_nothing() -> None:
    """Without knowledge of the old table it is deleted as a whole, whether or not it is there."""
    text = rules(service()).transaction(None)
    assert text.startswith(
        "add table ip kubarium-proxy\ndelete table ip kubarium-proxy\ntable ip kubarium-proxy {"
    )


def test_stale_names_are_deleted_and_clients_remembered() -> None:
    """Chains and sets that are not needed any more go; a set of clients that is still needed keeps its content."""
    old = rules(service(sessionAffinity="ClientIP"))
    new = rules(service(sessionAffinity="ClientIP"), slices=[endpoint_slice(endpoint("10.244.1.2"))])
    text = new.transaction(old.names)
    kept = next(iter(name for name in new.sets if name.startswith("affinity-")))
    gone = next(iter(old.sets.keys() - new.sets.keys()))
    assert f"flush set ip kubarium-proxy {kept}" not in text
    assert f"delete set ip kubarium-proxy {gone}\n" in text
    assert text.count("delete chain") == 1
    assert "flush map ip kubarium-proxy services\n" in text


def test_a_foreign_chain_in_our_table_is_deleted() -> None:
    """What another hand has put into our table goes."""
    text = rules().transaction(Present(chains=frozenset({"stranger"})))
    assert "delete chain ip kubarium-proxy stranger\n" in text


def test_empty_maps_have_no_elements() -> None:
    """A cluster without Services and nodes still gets a table that nft can read."""
    assert "elements" not in rules(around=Surroundings("10.244.0.0/16")).text()


def test_a_port_that_a_cluster_ip_does_not_have_is_refused() -> None:
    """After the ports that it has; for every address once, also without endpoints, and for no external one."""
    other = service(
        "b", ip="10.96.0.12", externalIPs=["192.0.2.1"], ports=[service_port(80), service_port(81)]
    )
    written = rules(service("a"), other, slices=())
    assert written.sets["cluster-ips"][1] == f"elements = {{ 10.96.0.12, {SERVICE_IP} }}"
    for hook in ("prerouting", "output"):
        lines = list(written.chains[hook])
        served = next(index for index, line in enumerate(lines) if "@services" in line)
        assert lines.index("ip daddr @cluster-ips goto refuse") == served + 1


def test_without_services_no_address_is_refused() -> None:
    """Nor any that is not proxied here."""
    assert rules(service(ip="None")).sets["cluster-ips"] == ("type ipv4_addr;",)
