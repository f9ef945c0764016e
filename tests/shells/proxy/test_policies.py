"""NetworkPolicies, proved with packets."""

from __future__ import annotations

import asyncio
import itertools
import os
import selectors
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Network
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from kubarium.core.net.filtering import Packet
from kubarium.core.net.scene import PodPlace, Scene, Wire
from kubarium.core.net.way import ways
from kubarium.net.kernel import look_at_host
from machinery.model.k8s.networking_v1 import NetworkPolicy
from machinery.model.network_policies import NamedPort, Party, PolicyPod, judge, policy_of
from machinery.process.clock import SystemClock
from proxy.commands import Commands
from proxy.core.desired import Desired
from proxy.core.policies import Policies
from proxy.nft import Nft
from proxy.routes import enable_forwarding, sees_bridged
from tests.support.netns import MACHINE_IP, NODE_IPS, POD_CIDRS, POD_IPS, Lab, inside
from tests.support.policy_worlds import NAMESPACES, PolicyWorld
from tests.support.proxy import PORT, SERVICE_IP, endpoint, endpoint_slice, routed_node, service

HISTORIES = int(
    os.environ.get("KUBARIUM_POLICY_PACKETS") or 12
)  # of ROUNDS times STEPS changes of policies each
ROUNDS = 24
STEPS = 5
LOOKS_EVERY = 8  # rounds
SEED = int(os.environ.get("KUBARIUM_SEED") or 0)
DOORS = (80, 81)
QUIET_S = 0.05  # after the last packet that has come through: what has not come by now is not coming
CONNECT_S = 2.0
PODS = {
    name: PolicyPod("default", name, {"app": name}, (ip,), f"node-{name[4]}") for name, ip in POD_IPS.items()
}


class Probe(NamedTuple):
    """A connection that is tried."""

    source: str  # a namespace
    address: str
    port: int


class Filters:
    """What both nodes' packet filters are to be, and are after `write`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.wanted: dict[str, Desired] = {}
        self._nft: dict[str, Nft] = {}
        for node in NODE_IPS:
            inside(lab.space(node), lambda node=node: self._begin(node))

    def put_policy(self, name: str, spec: dict[str, Any] | None, namespace: str = "default") -> None:
        """Change a policy, as an object of the API has it."""
        obj = {"metadata": {"namespace": namespace, "name": name}, "spec": spec}
        policy = policy_of(msgspec.convert(obj, NetworkPolicy)) if spec is not None else None
        for wanted in self.wanted.values():
            wanted.policies.put_policy(namespace, name, policy)

    def put_pod(self, name: str, pod: PolicyPod | None) -> None:
        """Change a pod of the namespace "default"."""
        for wanted in self.wanted.values():
            wanted.policies.put_pod("default", name, pod)

    def write(self) -> None:
        """Make it so."""
        for node in self.wanted:
            inside(self.lab.space(node), lambda node=node: asyncio.run(self._write(node)))

    def _begin(self, node: str) -> None:
        enable_forwarding()
        assert sees_bridged()
        wanted = Desired(node, "10.244.0.0/16", sees_bridged=True)
        for name, address in NODE_IPS.items():
            wanted.put_node(name, routed_node(name, POD_CIDRS[name], address))
        self.wanted[node] = wanted
        self._nft[node] = Nft(Commands(SystemClock(), 10))

    async def _write(self, node: str) -> None:
        table = self.wanted[node].table
        await self._nft[node].apply(table)
        table.settle()


@pytest.fixture(scope="module")
def routed(lab: Lab) -> Lab:
    """Return the laboratory, where nodes know the way to each other's pods, and everybody listens."""
    for node, other in itertools.permutations(NODE_IPS, 2):
        lab.run(node, "ip", "route", "replace", POD_CIDRS[other], "via", NODE_IPS[other])
        lab.run("machine", "ip", "route", "replace", POD_CIDRS[node], "via", NODE_IPS[node])
    return lab


@pytest.fixture(scope="module")
def doors(routed: Lab) -> Iterator[list[socket.socket]]:
    """Whoever comes through is accepted by the kernel; `came_through` empties the queues."""
    with ExitStack() as stack:
        places = ["machine", *POD_IPS]
        found = [stack.enter_context(routed.listen(place, port)) for place in places for port in DOORS]
        for door in found:
            door.listen(512)
            door.setblocking(False)
        yield found


@pytest.fixture
def filters(routed: Lab) -> Iterator[Filters]:
    """Filters that know the laboratory's pods, without policies; afterwards nothing is isolated."""
    made = Filters(routed)
    for wanted in made.wanted.values():
        wanted.policies.put_namespace("default", {"name": "default"})
    for name, pod in PODS.items():
        made.put_pod(name, pod)
    made.write()
    yield made
    empty = Filters(routed)
    empty.write()


def came_through(
    lab: Lab, doors: Collection[socket.socket], probes: Collection[Probe], expected: Collection[Probe]
) -> set[Probe]:
    """Try all connections at once; wait for those that are expected, and a moment longer for any other."""
    came: set[Probe] = set()
    with selectors.DefaultSelector() as ready, ExitStack() as stack:
        for probe in probes:
            client = stack.enter_context(lab.client(probe.source))
            client.setblocking(False)
            client.connect_ex((probe.address, probe.port))
            ready.register(client, selectors.EVENT_WRITE, probe)
        while events := ready.select(CONNECT_S if not came.issuperset(expected) else QUIET_S):
            for key, _ in events:
                ready.unregister(key.fileobj)
                client = key.fileobj
                if isinstance(client, socket.socket) and not client.getsockopt(
                    socket.SOL_SOCKET, socket.SO_ERROR
                ):
                    came.add(key.data)
            if len(came) == len(probes):
                break
    for door in doors:
        _empty(door)
    return came


def _empty(door: socket.socket) -> None:
    while True:
        try:
            door.accept()[0].close()
        except BlockingIOError:
            return


def check(filters: Filters, doors: list[socket.socket], **expected: bool) -> None:
    """Compare who reaches what: names like pod_1a_pod_1b."""
    probes = {name: _probe(name) for name in expected}
    wanted = {probes[name] for name, is_open in expected.items() if is_open}
    assert came_through(filters.lab, doors, list(probes.values()), wanted) == wanted


def _probe(name: str) -> Probe:
    source, target = name.replace("_", "-").split("-to-")
    address = {**POD_IPS, **NODE_IPS, "machine": MACHINE_IP, "service": SERVICE_IP}[target]
    return Probe(source, address, PORT if target == "service" else DOORS[0])


def only(*pods: str) -> dict[str, Any]:
    """Return a rule's peer: these pods."""
    return {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": list(pods)}]}}


def test_default_deny_and_its_exceptions(filters: Filters, doors: list[socket.socket]) -> None:
    """On one bridge and between nodes; a pod's own node always reaches it; others than pods are outside."""
    filters.put_policy("deny", {"podSelector": {}, "policyTypes": ["Ingress"]})
    filters.write()
    check(
        filters, doors,
        pod_1a_to_pod_1b=False, pod_1a_to_pod_2a=False, node_1_to_pod_1a=True, node_2_to_pod_1a=False,
        machine_to_pod_1a=False, pod_1a_to_machine=True, pod_1a_to_pod_1a=True,
    )  # fmt: skip
    filters.put_policy("some", {**only("pod-1b"), "ingress": [{"from": [only("pod-1a", "pod-2a")]}]})
    filters.write()
    check(
        filters, doors,
        pod_1a_to_pod_1b=True, pod_2a_to_pod_1b=True, pod_2b_to_pod_1b=False, pod_1a_to_pod_2a=False,
    )  # fmt: skip


def test_egress(filters: Filters, doors: list[socket.socket]) -> None:
    """By blocks with exceptions, to pods and to what is outside."""
    blocks = [{"ipBlock": {"cidr": "10.244.0.0/16", "except": [f"{POD_IPS['pod-2b']}/32"]}}]
    filters.put_policy("out", {**only("pod-1a"), "policyTypes": ["Egress"], "egress": [{"to": blocks}]})
    filters.write()
    check(
        filters, doors,
        pod_1a_to_pod_1b=True, pod_1a_to_pod_2a=True, pod_1a_to_pod_2b=False, pod_1a_to_machine=False,
        pod_1b_to_machine=True, pod_2b_to_pod_1a=True,
    )  # fmt: skip


def test_services_lead_to_who_lets_through(filters: Filters, doors: list[socket.socket]) -> None:
    """A policy sees the pod behind a Service, and its port; a pod meets itself through its own Service."""
    behind = [endpoint_slice(endpoint(POD_IPS["pod-1b"]), port=DOORS[0])]
    for wanted in filters.wanted.values():
        wanted.put_service(("default", "web"), service(), behind)
    ports = [{"protocol": "TCP", "port": DOORS[0]}]
    filters.put_policy("web", {**only("pod-1b"), "ingress": [{"from": [only("pod-2a")], "ports": ports}]})
    filters.write()
    check(
        filters, doors,
        pod_2a_to_service=True, pod_1a_to_service=False, pod_2b_to_service=False, pod_1b_to_service=True,
    )  # fmt: skip


def test_a_dns_outside_of_pods_counts_as_one(filters: Filters, doors: list[socket.socket]) -> None:
    """What lets through to the pods of kube-dns lets through to the process there, at its port alone."""
    dns = service("kube-dns", "kube-system")
    behind = endpoint_slice(endpoint(MACHINE_IP), of="kube-dns", namespace="kube-system", port=DOORS[0])
    for wanted in filters.wanted.values():
        wanted.policies.put_namespace("kube-system", {})
        wanted.put_service(("kube-system", "kube-dns"), dns, [behind])
    filters.put_policy("deny", {"podSelector": {}, "policyTypes": ["Egress"]})
    filters.write()
    check(filters, doors, pod_1a_to_service=False, pod_1a_to_machine=False)
    to = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]
    ports = [{"protocol": "TCP", "port": PORT}]
    rules = [{"to": to, "ports": ports}]
    filters.put_policy("dns", {**only("pod-1a"), "policyTypes": ["Egress"], "egress": rules})
    filters.write()
    check(filters, doors, pod_1a_to_service=True, pod_1b_to_service=False)
    other = Probe("pod-1a", MACHINE_IP, DOORS[1])
    assert came_through(filters.lab, doors, [other], []) == set()


def test_what_is_connected_stays_connected(filters: Filters, doors: list[socket.socket]) -> None:
    """Policies decide about new connections."""
    lab = filters.lab
    with lab.client("pod-2a") as client:
        client.connect((POD_IPS["pod-1a"], DOORS[0]))
        filters.put_policy("deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
        filters.write()
        client.sendall(b"still here")
        door = doors[2 + 2 * list(POD_IPS).index("pod-1a")]
        server, _ = door.accept()
        with server:
            server.settimeout(CONNECT_S)
            assert server.recv(64) == b"still here"
    check(filters, doors, pod_2a_to_pod_1a=False)


def test_nobody_reaches_a_pod_before_its_policy_does(filters: Filters, doors: list[socket.socket]) -> None:
    """While the address of a pod that is going to be isolated is not known, no unknown address takes part."""
    filters.put_policy("deny", {**only("pod-1a"), "policyTypes": ["Ingress"]})
    filters.put_pod("pod-1a", replace(PODS["pod-1a"], ips=()))
    filters.write()
    check(filters, doors, pod_1b_to_pod_1a=False, pod_2a_to_pod_1b=True, pod_1a_to_pod_1b=True)
    filters.put_pod("pod-1a", PODS["pod-1a"])
    filters.put_policy("deny", None)
    filters.write()
    check(filters, doors, pod_1b_to_pod_1a=True)


def test_udp_and_names_of_ports(filters: Filters, doors: list[socket.socket]) -> None:
    """A rule for one protocol lets no other through; a name is what the target's containers say."""
    ports, target = [{"protocol": "UDP", "port": "dns"}], POD_IPS["pod-1b"]
    filters.put_policy("dns", {**only("pod-1b"), "ingress": [{"ports": ports}]})
    filters.put_pod("pod-1b", replace(PODS["pod-1b"], ports=(NamedPort("UDP", "dns", 5300),)))
    filters.write()
    with ExitStack() as stack:
        door, other = (
            stack.enter_context(filters.lab.listen("pod-1b", port, socket.SOCK_DGRAM))
            for port in (5300, 5301)
        )
        client = stack.enter_context(filters.lab.client("pod-2a", socket.SOCK_DGRAM))
        client.sendto(b"closed", (target, 5301))
        client.sendto(b"open", (target, 5300))
        door.settimeout(CONNECT_S)
        assert door.recv(64) == b"open"
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(64)
    check(filters, doors, pod_2a_to_pod_1b=False)


@pytest.mark.parametrize(
    "number", [pytest.param(each, marks=[pytest.mark.deep] if each > 1 else []) for each in range(HISTORIES)]
)
def test_random_policies(routed: Lab, doors: list[socket.socket], number: int) -> None:
    """Whoever comes through is whom the documentation lets through, and whom `kubarium net` says comes through.

    A thousand policies in all, each judged beside others; KUBARIUM_POLICY_PACKETS makes it longer.
    """
    filters = Filters(routed)
    tables = {node: wanted.policies for node, wanted in filters.wanted.items()}
    world = _furnished(Random(SEED + number), tables)
    planned: dict[int, object] = {}
    try:
        for turn in range(ROUNDS):
            for _ in world.steps(tables, STEPS, ("policy",)):
                planned.update((id(policy), policy) for policy in world.policies.values())
            filters.write()
            probes = _judged(world)
            expected = {probe for probe, is_open in probes.items() if is_open}
            said = f"KUBARIUM_SEED={SEED + number}, round {turn}"
            assert came_through(routed, doors, list(probes), expected) == expected, said
            if turn % LOOKS_EVERY == 0:
                assert _arriving(routed, probes) == expected, said
    finally:
        Filters(routed).write()
    assert len(planned) > ROUNDS * STEPS / 2


def _arriving(lab: Lab, probes: Iterable[Probe]) -> set[Probe]:
    """Return the connections that `kubarium net` says to arrive, by what it reads of the nodes."""
    hosts = {name: look_at_host(name, lab.space(name)) for name in ("machine", *NODE_IPS)}
    wire = Wire("cni0", "veth", "eth0", frozenset(("tcp", port) for port in DOORS))
    pods = {ip: PodPlace("default", name, ip, f"node-{name[4]}", wire=wire) for name, ip in POD_IPS.items()}
    scene = Scene(hosts, pods, IPv4Network("10.77.250.0/24"))
    origins = {"machine": hosts["machine"], **{pod.name: pod for pod in pods.values()}}
    return {
        probe
        for probe in probes
        for sender in [origins[probe.source]]
        for source in [sender.ip if isinstance(sender, PodPlace) else MACHINE_IP]
        if all(way.arrives for way in ways(scene, Packet(source, probe.address, "tcp", probe.port), sender))
    }


def _furnished(rng: Random, tables: Mapping[str, Policies]) -> PolicyWorld:
    """Return a world of the laboratory's pods, in any namespaces."""
    world = PolicyWorld(rng, labels={})
    for name, ip in POD_IPS.items():
        key = rng.choice(NAMESPACES), name
        world.pods[key] = world.random_pod(*key, ip, f"node-{name[4]}")
    world.labels.update({namespace: world.random_labels() for namespace in NAMESPACES})
    for table in tables.values():
        for key, pod in world.pods.items():
            table.put_pod(*key, pod)
        for namespace, labels in world.labels.items():
            table.put_namespace(namespace, labels)
    return world


def _judged(world: PolicyWorld) -> dict[Probe, bool]:
    """Return every connection between the pods and the machine, and whether it is let through."""
    parties = {pod.name: Party(pod.ips[0], pod) for pod in world.pods.values()}
    parties["machine"] = Party(MACHINE_IP)
    return {
        Probe(source, parties[target].ip, port): all(
            each.is_allowed
            for each in judge(
                world.policies.values(), world.labels, parties[source], parties[target], "TCP", port
            )
        )
        for source, target in itertools.permutations(parties, 2)
        for port in DOORS
    }
