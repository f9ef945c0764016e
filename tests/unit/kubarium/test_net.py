"""The way of a packet over two nodes: what is said of it follows from rules, routes, wires and doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest

from kubarium.core.connections import Door
from kubarium.core.net.asked import (
    Destination,
    Thing,
    asked_address,
    left_out,
    pod_destinations,
    read_source,
    read_target,
    service_destinations,
)
from kubarium.core.net.filtering import End, Packet, passages
from kubarium.core.net.listings import find_peer, read_addresses, read_doors, read_down, read_routes
from kubarium.core.net.report import Journey, Report, Said
from kubarium.core.net.rules import Table, read_table
from kubarium.core.net.scene import MACHINE, Host, PodPlace, Route, Scene, Wire
from kubarium.core.net.way import Way, ways
from machinery.model.k8s.core_v1 import Container, ContainerPort, Pod, PodSpec, Service
from machinery.model.network_policies import Party, Policy, PolicyPod
from machinery.model.selectors import EVERYTHING
from tests.support.builders import meta
from tests.support.proxy import balancer, endpoint, endpoint_slice, leaving, service, service_port

IP = "10.96.7.7"
WEB = PodPlace(
    "shop", "web", "10.244.1.2", "node-1", wire=Wire("cni0", "veth1", "eth0", frozenset({("tcp", 8080)}))
)
FAR = PodPlace(
    "shop", "far", "10.244.2.2", "node-2", wire=Wire("cni0", "veth2", "eth0", frozenset({("tcp", 8080)}))
)
CLIENT = PodPlace("shop", "client", "10.244.1.3", "node-1", wire=Wire("cni0", "veth3", "eth0", frozenset()))


def payload(field: str, protocol: str = "ip") -> dict[str, Any]:
    """Return what a rule compares: a field of a packet."""
    return {"payload": {"protocol": protocol, "field": field}}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """Return a rule's condition."""
    return {"match": {"op": op, "left": left, "right": right}}


def rule(chain: str, *expressions: Any) -> dict[str, Any]:
    """Return a rule as nft lists it."""
    return {"rule": {"chain": chain, "handle": 1, "expr": list(expressions)}}


def hook(name: str) -> dict[str, Any]:
    """Return a chain at the hook of its name."""
    return {"chain": {"name": name, "hook": name, "type": "nat", "prio": 0, "policy": "accept"}}


def table_of(*entries: Any) -> Table:
    """Return a table."""
    return read_table({"nftables": list(entries)})


def balancing(*targets: str) -> Table:
    """Return the rules of a Service with some endpoints, at port 8080."""
    key = {
        "concat": [
            payload("daddr"),
            payload("dport", "tcp"),
            {"numgen": {"mode": "random", "mod": len(targets), "offset": 0}},
        ]
    }
    elements = [
        [{"concat": [IP, 80, number]}, {"concat": [target, 8080]}] for number, target in enumerate(targets)
    ]
    return table_of(
        hook("prerouting"),
        {"map": {"name": "ends", "map": "x", "elem": elements}},
        rule(
            "prerouting",
            match(payload("daddr"), IP),
            {"dnat": {"addr": {"map": {"key": key, "data": "@ends"}}}},
        ),
    )


def scene(near: Table | None = None, far: Table | None = None, **changes: Host) -> Scene:
    """Return two nodes and the machine, with three pods."""
    hosts = {
        MACHINE: Host(
            MACHINE,
            frozenset({"10.77.0.1"}),
            (route("10.77.0.0/24", "kubarium0"), route("0.0.0.0/0", "eth0", "192.0.2.1")),
        ),
        **{
            f"node-{number}": Host(
                f"node-{number}",
                frozenset({f"10.77.0.1{number}", f"10.244.{number}.1"}),
                (
                    route("0.0.0.0/0", "eth0", "10.77.0.1"),
                    route("10.77.0.0/24", "eth0"),
                    route(f"10.244.{number}.0/24", "cni0"),
                    route(f"10.244.{3 - number}.0/24", "eth0", f"10.77.0.1{3 - number}"),
                ),
                rules or table_of(),
                doors=frozenset({("tcp", 10250)}),
            )
            for number, rules in ((1, near), (2, far))
        },
        **{name.replace("_", "-"): host for name, host in changes.items()},
    }
    pods = {pod.ip: pod for pod in (WEB, FAR, CLIENT)}
    inner = IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16")
    return Scene(hosts, pods, IPv4Network("10.77.0.0/24"), inner)


def route(network: str, device: str, gateway: str = "") -> Route:
    """Return a route."""
    return Route(IPv4Network(network), device, gateway, f"{network} dev {device}")


def to(destination: str, port: int = 8080, source: str = CLIENT.ip) -> Packet:
    """Return the first packet of a connection."""
    return Packet(source, destination, "tcp", port)


def one(found: Sequence[Way]) -> Way:
    """Return the only way."""
    [way] = found
    return way


def test_a_node_of_another_machine_that_says_nothing_is_where_the_way_ends() -> None:
    """What becomes of the packet is not known, and not said: it is no loss."""
    behind = route("10.244.9.0/24", "eth0", "10.77.0.36")
    near = scene().hosts["node-1"]
    there = replace(
        scene(node_1=replace(near, routes=(*near.routes, behind))),
        unread={"10.77.0.36": ("node-2-1", "no answer")},
    )
    way = one(ways(there, to("10.244.9.5"), CLIENT))
    assert (way.is_left, way.loss, way.hops[-1].place) == (True, "", "node-2-1")
    assert "on another machine" in way.hops[-1].what
    assert way.hops[-1].what.endswith(": no answer")
    lost = one(ways(replace(there, unread={}), to("10.244.9.5"), CLIENT))
    assert lost.loss == "nobody that is known has 10.77.0.36"


def test_a_node_of_another_machine_sends_out_by_that_machine() -> None:
    """Packets for others leave the cluster there; who listens on that machine is not known here."""
    out = route("0.0.0.0/0", "eth0", "10.77.0.9")
    near = scene().hosts["node-1"]
    routes = (out, *(each for each in near.routes if each.length))
    there = replace(scene(node_1=replace(near, routes=routes)), machines=frozenset({"10.77.0.9"}))
    left = one(ways(there, to("203.0.113.7"), CLIENT))
    assert (left.is_left, left.hops[-1].place) == (True, "machine 10.77.0.9")
    assert "the machine sends it on" in left.hops[-1].what
    machine = one(ways(there, to("10.77.0.9"), CLIENT))
    assert (machine.is_left, machine.hops[-1].what) == (True, "who listens there is not known here")
    nobody = one(ways(there, to("10.244.77.7"), CLIENT))
    assert nobody.loss == "10.244.77.7 is one of the cluster's addresses, and nobody has it"


def test_a_packet_of_ipv6_goes_the_same_ways() -> None:
    """By a table of its own, whose rules look at other fields of packets."""
    key = {"concat": [payload("daddr", "ip6"), payload("dport", "tcp")]}
    own = {"prefix": {"addr": "fd00:10:244::", "len": 56}}
    table = table_of(
        hook("prerouting"),
        hook("postrouting"),
        {"map": {"name": "ends", "map": "x", "elem": [[{"concat": ["fd00:10:96::7", 80]}, {"concat": ["fd00:10:244:1::2", 8080]}]]}},
        rule("prerouting", {"dnat": {"family": "ip6", "addr": {"map": {"key": key, "data": "@ends"}}}}),
        rule("postrouting", match(payload("saddr", "ip6"), own, "!="), {"masquerade": None}),
    )  # fmt: skip
    addresses = read_addresses([{"addr_info": [{"family": "inet6", "local": "fd00:10:77::11"}]}], "inet6")
    routes = read_routes(
        [{"dst": "fd00:10:244:1::/64", "dev": "cni0"}, {"dst": "default", "gateway": "fd00:10:77::1", "dev": "eth0"}], "::/0"
    )  # fmt: skip
    pods = {
        each.ip: each
        for each in (replace(CLIENT, ip="fd00:10:244:1::3"), replace(WEB, ip="fd00:10:244:1::2"))
    }
    here = Scene({"node-1": Host("node-1", addresses, routes, table)}, pods, ip_network("fd00:10:77::/64"))
    way = one(ways(here, to("fd00:10:96::7", 80, "fd00:10:244:1::3"), pods["fd00:10:244:1::3"]))
    assert (way.arrives, way.packet.destination, way.packet.port) == (True, "fd00:10:244:1::2", 8080)
    assert way.packet.source == "fd00:10:244:1::3"


def test_a_service_leads_to_each_of_its_endpoints() -> None:
    """One way for each number that may be drawn, over the bridge and over the other node."""
    near, far = ways(scene(balancing(WEB.ip, FAR.ip)), to(IP, 80), CLIENT)
    assert [near.packet.destination, far.packet.destination] == [WEB.ip, FAR.ip]
    assert near.arrives
    assert far.arrives
    assert [hop.place for hop in far.hops] == [
        "pod shop/client",
        "node-1",
        "node-1",
        "node-2",
        "pod shop/far",
    ]
    assert far.hops[-1].what == "arrives by eth0, veth2 on cni0 of node-2 at tcp 8080"
    assert far.is_translated


@pytest.mark.parametrize(
    ("verdict", "loss"),
    [({"drop": None}, "dropped on node-1"), ({"reject": {"type": "tcp reset"}}, "refused on node-1"),
     ({"queue": {"num": 1}}, "node-1 has a rule that is not understood")],
)  # fmt: skip
def test_rules_that_lose_packets(verdict: dict[str, Any], loss: str) -> None:
    """Dropped, refused, or by a rule that says something else: then nothing is guessed."""
    table = table_of(hook("forward"), rule("forward", match(payload("daddr"), WEB.ip), verdict))
    way = one(ways(scene(table), to(WEB.ip), CLIENT))
    assert (way.loss, way.lost_at, way.arrives) == (loss, "forward", False)


def test_what_else_loses_packets() -> None:
    """A door that is shut, a cable that is pulled, an address of nobody, a route that is missing."""
    assert (
        one(ways(scene(), to(WEB.ip, 99), CLIENT)).loss
        == "refused in pod shop/web: nobody listens at tcp 99 there"
    )
    known = scene()
    pulled = scene(node_2=replace(known.hosts["node-2"], down=frozenset({"eth0"})))
    assert one(ways(pulled, to(FAR.ip), CLIENT)).loss == "eth0 of node-2 is down: its cable is pulled"
    own = scene(node_1=replace(known.hosts["node-1"], down=frozenset({"eth0"})))
    assert one(ways(own, to(FAR.ip), CLIENT)).loss == "eth0 of node-1 is down: its cable is pulled"
    assert one(ways(known, to("10.244.9.9"), CLIENT)).loss.startswith(
        "10.244.9.9 is one of the cluster's addresses"
    )
    lost = scene(node_1=replace(known.hosts["node-1"], routes=()))
    assert one(ways(lost, to(FAR.ip), CLIENT)).loss == "node-1 has no route to 10.244.2.2"
    gone = replace(FAR, wire=Wire())
    assert (
        "its sandbox is not there"
        in one(ways(replace(known, pods={**known.pods, FAR.ip: gone}), to(FAR.ip), CLIENT)).loss
    )
    assert (
        one(ways(known, to("10.77.0.99", source="10.77.0.11"), known.hosts["node-1"])).loss
        == "nobody that is known has 10.77.0.99"
    )


def test_what_leaves_the_cluster() -> None:
    """It neither arrives nor is lost, as far as anybody here knows."""
    way = one(ways(scene(), to("192.0.2.7", 443), CLIENT))
    assert (way.is_left, way.loss, way.arrives) == (True, "", False)


def test_hosts_have_doors_of_their_own() -> None:
    """A kubelet's port is served, any other refused."""
    known = scene()
    assert one(ways(known, to("10.77.0.12", 10250), CLIENT)).arrives
    loss = one(ways(known, to("10.77.0.12", 1), known.hosts[MACHINE])).loss
    assert loss == "refused on node-2: nobody listens at tcp 1 there"


def test_masqueraded_packets_come_from_the_node() -> None:
    """From its address where they leave: seen by the rules of the next node."""
    masked = table_of(
        hook("postrouting"), rule("postrouting", match(payload("saddr"), CLIENT.ip), {"masquerade": None})
    )
    seen = table_of(hook("forward"), rule("forward", match(payload("saddr"), "10.77.0.11"), {"drop": None}))
    way = one(ways(scene(masked, seen), to(FAR.ip), CLIENT))
    assert (way.loss, way.packet.source) == ("dropped on node-2", "10.77.0.11")


def test_pods_of_one_bridge_where_the_filter_does_not_see_them() -> None:
    """No rule concerns them."""
    table = table_of(hook("prerouting"), rule("prerouting", {"drop": None}))
    blind = scene(node_1=replace(scene(table).hosts["node-1"], sees_bridged=False))
    assert one(ways(blind, to(WEB.ip), CLIENT)).arrives
    assert one(ways(scene(table), to(WEB.ip), CLIENT)).loss == "dropped on node-1"


def test_jumps_come_back_and_gotos_do_not() -> None:
    """As nft(8) says; `return` ends a chain, and sets of networks and ranges hold what lies in them."""
    table = table_of(
        hook("prerouting"),
        {"set": {"name": "friends", "elem": [{"prefix": {"addr": "10.244.0.0", "len": 16}}, {"range": ["192.0.2.1", "192.0.2.9"]}, {"elem": {"val": "203.0.113.1", "timeout": 9}}]}},
        {"chain": {"name": "guard"}},
        rule("prerouting", {"jump": {"target": "guard"}}),
        rule("prerouting", match(payload("dport", "th"), {"set": [80, {"range": [90, 99]}]}), {"accept": None}),
        rule("prerouting", {"goto": {"target": "end"}}),
        rule("prerouting", {"accept": None}),
        rule("guard", match(payload("saddr"), "@friends"), {"return": None}),
        rule("guard", {"reject": {"type": "tcp reset"}}),
        rule("guard", {"drop": None}),
        {"chain": {"name": "end"}},
        rule("end", match({"meta": {"key": "l4proto"}}, "udp"), {"drop": None}),
    )  # fmt: skip

    def end(source: str, protocol: str, port: int) -> End:
        [passed] = passages(table, "prerouting", Packet(source, "10.0.0.1", protocol, port), frozenset())
        return passed.end

    assert [end(source, "tcp", 80) for source in ("10.244.3.4", "192.0.2.5", "203.0.113.1")] == [
        End.PASSED
    ] * 3
    assert end("198.51.100.1", "tcp", 80) is End.REFUSED
    assert end("198.51.100.1", "udp", 80) is End.DROPPED
    assert [end("10.244.3.4", "udp", port) for port in (95, 100)] == [End.PASSED, End.DROPPED]


def test_ways_are_bounded() -> None:
    """Of a Service with very many endpoints so many are followed."""
    table = balancing(*(f"10.244.1.{number}" for number in range(2, 102)))
    assert len(passages(table, "prerouting", to(IP, 80), frozenset(), most=10)) == 10


@pytest.mark.parametrize("document", [{}, {"nftables": [{"rule": {}}]}, {"nftables": 7}])
def test_what_is_no_table(document: Any) -> None:
    """It is said."""
    with pytest.raises(ValueError, match="no table as nft lists it"):
        read_table(document)


def test_rules_have_the_texts_of_nft() -> None:
    """By their handles."""
    listing = "table ip x {\n\tchain a { # handle 7\n\t\tip daddr 10.0.0.1 drop # handle 1\n\t}\n}\n"
    table = read_table({"nftables": [hook("a"), rule("a", {"drop": None})]}, listing)
    assert table.chains["a"][0].text == "ip daddr 10.0.0.1 drop"


def test_listings() -> None:
    """Of addresses, links, routes and sockets."""
    links = [
        {"ifindex": 5, "ifname": "veth1", "master": "cni0", "flags": ["UP", "LOWER_UP"], "addr_info": []},
        {"ifindex": 2, "ifname": "eth0", "flags": ["UP", "NO-CARRIER"], "addr_info": [{"family": "inet", "local": "10.77.0.11"}, {"family": "inet6", "local": "fe80::1"}]},
    ]  # fmt: skip
    assert read_addresses(links) == {"10.77.0.11"}
    assert read_down(links) == {"eth0"}
    assert (find_peer(links, 5), find_peer(links, 9)) == (("veth1", "cni0"), ("", ""))
    routes = read_routes(
        [
            {"dst": "default", "gateway": "10.77.0.1", "dev": "eth0"},
            {"dst": "10.9.0.0/16", "type": "blackhole"},
        ]
    )
    assert routes == (Route(IPv4Network("0.0.0.0/0"), "eth0", "10.77.0.1", "default via 10.77.0.1 dev eth0"),)
    sockets = "head\n 0: 00000000:1F90 00000000:0000 0A 0\n 1: 0100007F:1F91 0100007F:0050 01 0\n"
    assert read_doors("tcp", sockets) == {("tcp", 8080)}
    assert read_doors("udp", sockets) == {("udp", 8080), ("udp", 8081)}


def test_what_is_asked_for() -> None:
    """Services, pods, addresses; from pods, nodes and the machine."""
    assert read_target("svc/web", "shop") == Thing("service", "web", "shop")
    assert read_target("pod/web", "shop") == Thing("pod", "web", "shop")
    assert read_target("10.0.0.1", "shop") == Thing("address", "10.0.0.1")
    nodes = ["node-1", "node-2"]
    assert read_source("", "shop", nodes) == Thing("node", "node-1")
    assert read_source("node/node-2", "shop", nodes) == Thing("node", "node-2")
    assert read_source("machine", "shop", nodes) == Thing("node", MACHINE)
    assert read_source("street/a", "shop", nodes) == Thing("pod", "a", "street")
    with pytest.raises(ValueError, match="is no service/NAME"):
        read_target("web", "shop")
    for text in ("node-3", "10.0.0.1"):
        with pytest.raises(ValueError, match="none of node-1, node-2, machine"):
            read_source(text, "shop", nodes)


def test_where_a_service_is_asked_for() -> None:
    """Inside by its ClusterIP; from the machine by a load balancer's address, or a node's."""
    pod, machine, nodes = Thing("pod", "a", "shop"), Thing("node", MACHINE), {"node-1": "10.77.0.11"}
    lb = balancer("10.77.0.211", ports=[service_port(nodePort=31000)])
    assert asked_address(lb, pod, "", nodes) == IP
    assert asked_address(lb, machine, "", nodes) == "10.77.0.211"
    assert asked_address(lb, machine, "node-1", nodes) == "10.77.0.11"
    node_port = service(type="NodePort", ports=[service_port(nodePort=31000)])
    assert asked_address(node_port, machine, "", nodes) == "10.77.0.11"
    with pytest.raises(ValueError, match="no address outside of the cluster"):
        asked_address(service(), machine, "", nodes)


def test_destinations_of_services() -> None:
    """Ports by number and name; node ports at nodes' addresses; a headless Service's endpoints."""

    def found(what: Service, address: str = IP, door: Door | None = None) -> list[Destination]:
        ends = [endpoint_slice(endpoint("10.244.1.2"), endpoint("10.244.1.3", ready=False))]
        return list(service_destinations(what, ends, door, address))

    web = service(ports=[service_port(80, name="", nodePort=31000)])
    assert found(web) == [Destination(IP, "tcp", 80)]
    assert found(web, "10.77.0.11") == [Destination("10.77.0.11", "tcp", 31000)]
    assert found(web, door=Door("TCP", 81)) == [Destination(IP, "tcp", 81)]  # to be seen to be refused
    assert found(service(ip="None")) == [Destination("10.244.1.2", "tcp", 9123)]
    with pytest.raises(ValueError, match="has no such port; it has: 80/tcp"):
        found(web, door=Door("TCP", name="dns"))
    with pytest.raises(ValueError, match="no node port, and"):
        found(service(), "10.77.0.11")


def test_destinations_of_pods() -> None:
    """The ports that its containers declare, or the one that is asked for."""
    ports = [ContainerPort(name="http", containerPort=8080), ContainerPort(containerPort=53, protocol="UDP")]
    pod = Pod(metadata=meta("web", "shop"), spec=PodSpec(containers=[Container(name="c", ports=ports)]))
    both = [Destination(WEB.ip, "tcp", 8080), Destination(WEB.ip, "udp", 53)]
    assert pod_destinations(pod, WEB.ip, None) == both
    assert pod_destinations(pod, WEB.ip, Door("TCP", name="http")) == both[:1]
    assert pod_destinations(pod, WEB.ip, Door("TCP", 7)) == [Destination(WEB.ip, "tcp", 7)]
    with pytest.raises(ValueError, match="calls no port 'sql'"):
        pod_destinations(pod, WEB.ip, Door("TCP", name="sql"))


def test_who_is_left_out() -> None:
    """Endpoints that are not ready, or that terminate while others are ready."""
    ends = [endpoint_slice(endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False), leaving("10.0.0.3"))]
    assert list(left_out(service(), ends)) == [("10.0.0.2", "it is not ready"), ("10.0.0.3", "it terminates")]


def test_a_report_names_the_policy_that_is_behind_a_loss() -> None:
    """Beside the rule; rules that lead to what is no endpoint any more are said to be old."""
    drop = table_of(hook("forward"), rule("forward", match(payload("daddr"), FAR.ip), {"drop": None}))
    found = tuple(ways(scene(balancing(WEB.ip, FAR.ip), drop), to(IP, 80), CLIENT))
    parties = {
        pod.ip: Party(pod.ip, PolicyPod("shop", pod.name, {}, (pod.ip,), pod.node))
        for pod in (WEB, FAR, CLIENT)
    }
    said = Said(
        [Policy("shop", "deny", EVERYTHING, (), None)], {"shop": {}}, parties, frozenset({(FAR.ip, 8080)})
    )
    report = Report(
        "service shop/web",
        str(CLIENT),
        (("name", "web is 10.96.7.7"),),
        (Journey(Destination(IP, "tcp", 80), found),),
        said,
    )
    text = "\n".join(report.lines())
    assert "one of 2 ways, by chance:" in text
    assert "LOST: dropped on node-2\n       ingress: what comes to shop/far is isolated by deny" in text
    assert "10.244.1.2:8080 is no endpoint of the Service: the rules are older" in text
    assert not report.arrives
    [journey] = report.document()["destinations"]
    assert [way["end"] for way in journey["ways"]] == ["arrives", "lost"]
    assert [way["pod"] for way in journey["ways"]] == ["shop/web", "shop/far"]
