"""What the connectivity check deploys and tries: enough, on its own ground, and expected by the documentation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from kubarium.core.net.check_ground import PODS, SERVERS, Addresses, Ground, choose_nodes, objects
from kubarium.core.net.matrix import REFUSED, SILENCE, Probe, Result, probes, table_rows
from kubarium.net.names import full_names, read_resolv_conf
from kubarium.net.probing import judged
from machinery.model.k8s.core_v1 import Namespace, Pod, Service
from machinery.model.k8s.networking_v1 import NetworkPolicy
from tests.support.builders import changed, node
from tests.support.families import twin

IMAGE = "busybox:1.36"
TYPES = {"Namespace": Namespace, "NetworkPolicy": NetworkPolicy, "Pod": Pod, "Service": Service}


def test_nodes_of_this_machine_are_tried():
    """Those that are Ready and take pods; others are named, for nobody from here can be in their networks."""
    nodes = [
        node("node-2-1", ready=True),
        node("node-2", ready=True),
        node("node-1", ready=True),
        node("node-3", ready=False),
        changed(node("node-4", ready=True), spec__unschedulable=True),
    ]
    own = {"node-1", "node-2", "node-3", "node-4"}
    assert choose_nodes(nodes, own) == (["node-1", "node-2"], ["node-2-1"])


def ground(*nodes: str) -> Ground:
    """Return where everything is, on one node or two."""
    first, second = nodes[0], nodes[-1]
    services = [
        each["metadata"]["name"]
        for each in objects("c", IMAGE, (first, second), ["10.77.0.1"])
        if each["kind"] == "Service"
    ]
    return Ground(
        "c",
        "10.77.0.1",
        (first, second),
        {node: f"10.77.0.1{number}" for number, node in enumerate(nodes, start=1)},
        {pod: f"10.244.1.{number}" for number, pod in enumerate(PODS, start=2)},
        {
            name: Addresses(f"10.96.0.{number}", {"tcp": 30_000 + number, "udp": 30_100 + number}, f"10.77.0.2{number + 10}")
            for number, name in enumerate(services, start=1)
        },
    )  # fmt: skip


def test_everything_that_is_deployed_is_well_formed() -> None:
    """And bears the names and the namespace that the check goes by; the namespace comes first, pods last."""
    made = objects("c", IMAGE, ("node-1", "node-2"), ["10.77.0.1", "fd00:10:77::1"])
    for each in made:
        msgspec.convert(each, TYPES[each["kind"]])
    assert made[0]["metadata"] == {"name": "c"}
    assert {each["metadata"]["namespace"] for each in made[1:]} == {"c"}
    pods = {each["metadata"]["name"]: each["spec"]["nodeSelector"] for each in made if each["kind"] == "Pod"}
    assert tuple(pods) == PODS
    assert all(
        (where["kubernetes.io/hostname"] == "node-1") is name.endswith("-a") for name, where in pods.items()
    )


def test_three_hundred_ways_are_tried() -> None:
    """By TCP and UDP alike, from pods, nodes and the machine, each once; some have to be refused or dropped."""
    made = probes(ground("node-1", "node-2"))
    assert len(made) >= 300
    assert len(set(made)) == len(made)
    by_protocol = Counter(each.protocol for each in made)
    assert by_protocol["tcp"] == by_protocol["udp"]
    sources = Counter(each.source for each in made)
    assert min(sources[each] for each in ("client-a", "client-b", "node-1", "node-2", "machine")) >= 25
    ends = Counter(each.end for each in made)
    assert min(ends[REFUSED], ends[SILENCE]) >= 30
    assert {name for each in made for name in each.answers} == set(SERVERS)


def test_ipv6_is_tried_as_ipv4_is() -> None:
    """Every kind of way, in rows of its own."""
    made = probes(ground("node-1", "node-2"))
    four = ground("node-1", "node-2")
    six = replace(
        four,
        machine=twin(four.machine),
        node_ips={name: twin(ip) for name, ip in four.node_ips.items()},
        pod_ips={name: twin(ip) for name, ip in four.pod_ips.items()},
        services={
            name: each._replace(cluster_ip=twin(each.cluster_ip), balancer=twin(each.balancer))
            for name, each in four.services.items()
        },
    )
    found = probes(six)
    assert all(each.is_ipv6 for each in found)
    assert {each.row for each in found} == {f"{each.row}, IPv6" for each in made}
    assert len(found) == sum(bool(each.address) for each in made)


def test_on_one_node_everybody_is_near() -> None:
    """What Local policies would drop elsewhere is answered; nobody is asked twice."""
    made = probes(ground("node-1"))
    assert len(set(made)) == len(made)
    local = [each for each in made if each.row in {"internal Local", "external Local"}]
    assert local
    assert not any(each.end for each in local)


def probe(**fields: object) -> Probe:
    """Return a probe that one of two servers has to answer."""
    made = Probe(
        "ClusterIP", "client-a", "both", "tcp", "10.96.0.1", 8080, frozenset({"server-a", "server-b"})
    )
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tried", "found", "passed"),
    [
        (probe(), ["server-b 10.0.0.1"], True),
        (probe(), ["guarded-a 10.0.0.1"], False),
        (probe(), [SILENCE], False),
        (probe(), [REFUSED], False),
        (probe(seen_as="10.0.0.1"), ["server-b 10.0.0.1"], True),
        (probe(seen_as="10.0.0.1"), ["server-b 10.0.0.2"], False),
        (probe(times=2), ["server-b 10.0.0.1", "server-b 10.0.0.1"], True),
        (probe(times=2), ["server-b 10.0.0.1", "server-a 10.0.0.1"], False),
        (probe(end=REFUSED), [REFUSED], True),
        (probe(end=REFUSED), [SILENCE], False),
        (probe(end=SILENCE), [REFUSED], False),
        (probe(end=SILENCE), ["server-a 10.0.0.1"], False),
    ],
)
def test_what_passes(tried: Probe, found: list[str], passed: bool) -> None:
    """The right server, from the right address, the same each time, or the right end: nothing else."""
    assert judged(tried, found).passed is passed


def test_the_table_counts_by_who_asks() -> None:
    """A row for each way and protocol; a dash where nobody asks."""
    made = [
        Result(probe(), "server-a answers", passed=True),
        Result(probe(source="node-1"), SILENCE, passed=False),
        Result(probe(protocol="udp"), SILENCE, passed=False),
    ]
    head, rows = table_rows(made, ground("node-1", "node-2"))
    assert head == ("WHAT", "BY", "FROM A POD", "FROM A NODE", "FROM THE MACHINE")
    assert rows == [("ClusterIP", "TCP", "1 of 1", "0 of 1", "-"), ("ClusterIP", "UDP", "0 of 1", "-", "-")]


def test_names_are_looked_up_as_resolvers_do() -> None:
    """By resolv.conf(5): the search path first for names with few dots, never for those that end in one."""
    text = "# by the kubelet\nsearch c.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5 edns0\n"
    servers, searched, dots = read_resolv_conf(text)
    assert (servers, dots) == (["10.96.0.10"], 5)
    assert full_names("near", searched, dots) == [
        "near.c.svc.cluster.local",
        "near.svc.cluster.local",
        "near",
    ]
    assert full_names("near.c", searched, 1)[0] == "near.c"
    assert full_names("near.", searched, dots) == ["near"]
    with pytest.raises(LookupError, match="names no server"):
        read_resolv_conf("search x\n")
