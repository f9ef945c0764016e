"""The proxy's rules and routes, proved with packets."""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import ANNOUNCER
from machinery.model.log import SILENT
from machinery.model.store import Change, EventType
from machinery.process.clock import SystemClock
from proxy.addresses import Addresses
from proxy.cleanup import clean_up
from proxy.commands import Commands
from proxy.conntrack import Conntrack
from proxy.core.desired import Desired
from proxy.nft import Nft
from proxy.redirects import switch_off_redirects
from proxy.routes import Routes, enable_forwarding, sees_bridged
from proxy.sync import Kernel, Stores, Syncer
from tests.support.builders import changed
from tests.support.netns import MACHINE_IP, NODE_IPS, POD_CIDRS, POD_IPS, Lab, inside
from tests.support.proxy import (
    PORT,
    SERVICE_IP,
    Nowhere,
    balancer,
    endpoint,
    endpoint_slice,
    leaving,
    routed_node,
    service,
    service_port,
    stores_of,
    tell_all,
)
from tests.support.stalls import taking

TARGET = 9123
NODE_PORT = 31234
NODES = tuple(routed_node(name, POD_CIDRS[name], NODE_IPS[name]) for name in NODE_IPS)


@dataclass(frozen=True)
class Cluster:
    """What both nodes' proxies see; a copy with other objects is another moment."""

    lab: Lab
    services: Sequence[Service] = ()
    slices: Sequence[EndpointSlice] = ()
    nodes: Sequence[Node] = NODES
    bridged: bool | None = None  # what to believe of the bridge; None: look
    node_ports: tuple[str, ...] = ()  # at which addresses they are served

    def sync(self, *names: str) -> None:
        """Write with new proxies once, as after a restart, on both nodes or some."""
        for name in names or tuple(NODE_IPS):
            inside(self.lab.space(name), lambda name=name: asyncio.run(self._sync(name)))

    async def _sync(self, name: str) -> None:
        syncer, _ = self.proxy(name)
        await syncer.sync(anyway=True)

    def proxy(self, name: str) -> tuple[Syncer, Stores]:
        """Make a node's proxy, in its namespace, that was told of everything, and return it with what it reads."""
        enable_forwarding()
        switch_off_redirects()
        bridged = sees_bridged() if self.bridged is None else self.bridged
        commands = Commands(SystemClock(), 10)
        stores = stores_of(self.services, self.slices, self.nodes)
        syncer = Syncer(
            Desired(name, "10.244.0.0/16", sees_bridged=bridged, node_ports=self.node_ports),
            stores,
            Kernel(Nft(commands), Routes(commands), Conntrack(commands), Nowhere(), Addresses(commands)),
            clock=SystemClock(),
            log=SILENT,
            period_s=30,
            min_gap_s=0.05,
        )
        tell_all(stores, syncer)
        return syncer, stores


@pytest.fixture
def cluster(lab: Lab) -> Iterator[Cluster]:
    """A cluster without Services; afterwards none has any."""
    empty = Cluster(lab)
    empty.sync()
    yield empty
    empty.sync()


@contextmanager
def serving(lab: Lab, *pods: str, port: int = TARGET) -> Iterator[None]:
    """Start pods that answer TCP connections with their name and the client's address, then echo."""
    with ExitStack() as stack:
        for pod in pods:
            door = stack.enter_context(lab.listen(pod, port))
            door.listen(64)
            done = threading.Event()
            thread = threading.Thread(target=_serve, args=(door, pod, done))
            thread.start()
            stack.callback(thread.join)
            stack.callback(done.set)
        yield


def _serve(door: socket.socket, name: str, done: threading.Event) -> None:
    with selectors.DefaultSelector() as ready, ExitStack() as clients:
        ready.register(door, selectors.EVENT_READ)
        while not done.is_set():
            for key, _ in ready.select(0.02):
                if key.data is not None:
                    _echo(key.data, ready)
                    continue
                client, address = door.accept()
                clients.enter_context(client).sendall(f"{name} {address[0]}".encode())
                ready.register(client, selectors.EVENT_READ, data=client)


def _echo(client: socket.socket, ready: selectors.BaseSelector) -> None:
    try:
        text = client.recv(64)
    except ConnectionError:
        text = b""
    if text:
        client.sendall(text)
    else:
        ready.unregister(client)
        client.close()


def ask(lab: Lab, where: str, address: str = SERVICE_IP, port: int = PORT) -> tuple[str, str]:
    """Connect from a namespace; gives who answered and which address it saw."""
    with lab.client(where) as client:
        client.connect((address, port))
        pod, _, seen = client.recv(64).decode().partition(" ")
    return pod, seen


def answers(lab: Lab, where: str, times: int = 40, **to: Any) -> Counter[str]:
    """Connect many times; gives who answered how often."""
    return Counter(ask(lab, where, **to)[0] for _ in range(times))


def web(*pods: str, **fields: Any) -> dict[str, Any]:
    """Return a Service with these pods behind it."""
    ends = [endpoint(POD_IPS[pod], node=f"node-{pod[4]}") for pod in pods]
    return {"services": [service(**fields)], "slices": [endpoint_slice(*ends)]}


def node_port(**fields: Any) -> dict[str, Any]:
    """Return the fields of a Service with a node port."""
    return {"type": "NodePort", "ports": [service_port(nodePort=NODE_PORT)], **fields}


def test_cluster_ip_balances(cluster: Cluster) -> None:
    """A pod reaches both endpoints of a Service, one of them on the other node, and they see its own address."""
    replace(cluster, **web("pod-1b", "pod-2a")).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        assert set(answers(cluster.lab, "pod-1a")) == {"pod-1b", "pod-2a"}
        assert {ask(cluster.lab, "pod-1a")[1] for _ in range(20)} == {POD_IPS["pod-1a"]}


def test_bridge_hides_replies(cluster: Cluster) -> None:
    """Where the filter does not see the bridge, pods of one node still reach each other through a Service."""
    cluster.lab.run("node-1", "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
    replace(cluster, **web("pod-1b", "pod-2a"), bridged=False).sync("node-1")
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        assert set(answers(cluster.lab, "pod-1a")) == {"pod-1b", "pod-2a"}


def test_removed_endpoint(cluster: Cluster) -> None:
    """An endpoint that is not ready gets no new connection; the others get all."""
    replace(cluster, **web("pod-1b", "pod-2a")).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        replace(cluster, **web("pod-2a")).sync()
        assert answers(cluster.lab, "pod-1a") == {"pod-2a": 40}


def test_established_connection_survives(cluster: Cluster) -> None:
    """A TCP connection goes on while its endpoint terminates, and while it is no endpoint any more."""
    replace(cluster, **web("pod-2a")).sync()
    with serving(cluster.lab, "pod-2a", "pod-2b"), cluster.lab.client("pod-1a") as client:
        client.connect((SERVICE_IP, PORT))
        client.recv(64)
        for moment in (web("pod-2b"), web()):
            replace(cluster, **moment).sync()
            client.sendall(b"still there?")
            assert client.recv(64) == b"still there?"


def test_terminating_endpoint_is_the_last_resort(cluster: Cluster) -> None:
    """Endpoints that terminate but serve take connections when none is ready."""
    ends = endpoint_slice(leaving(POD_IPS["pod-2a"], "node-2"))
    replace(cluster, services=[service()], slices=[ends]).sync()
    with serving(cluster.lab, "pod-2a"):
        assert ask(cluster.lab, "pod-1a")[0] == "pod-2a"


@pytest.mark.parametrize("where", ["pod-1a", "node-1"])
def test_no_endpoints(cluster: Cluster, where: str) -> None:
    """A Service without endpoints refuses at once, pods and the node alike."""
    replace(cluster, **web()).sync()
    with taking(less_than_s=5), pytest.raises(ConnectionRefusedError):  # at once; the machine is shared
        ask(cluster.lab, where)


def knock(cluster: Cluster, where: str, kind: socket.SocketKind, port: int) -> None:
    """Send a packet to a port of the Service and wait for an answer; the node's own datagram is refused as it is sent."""
    with cluster.lab.client(where, kind) as client:
        client.connect((SERVICE_IP, port))
        client.send(b"?")
        client.recv(64)


@pytest.mark.parametrize("where", ["pod-1a", "node-1"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_no_such_port(cluster: Cluster, where: str, kind: socket.SocketKind) -> None:
    """A port that a ClusterIP does not have is refused at once, pods and the node alike; the one that it has is not."""
    replace(cluster, **web("pod-1b")).sync()
    with taking(less_than_s=5), pytest.raises((ConnectionRefusedError, PermissionError)):
        knock(cluster, where, kind, PORT + 1)
    with serving(cluster.lab, "pod-1b"):
        assert ask(cluster.lab, where)[0] == "pod-1b"


def test_no_endpoints_udp(cluster: Cluster) -> None:
    """A UDP Service without endpoints answers port-unreachable."""
    replace(cluster, services=[service(ports=[service_port(protocol="UDP")])]).sync()
    with cluster.lab.client("pod-1a", socket.SOCK_DGRAM) as client:
        client.connect((SERVICE_IP, PORT))
        client.send(b"?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(64)


def test_refusals_are_told_to_who_is_served_around_a_corner(cluster: Cluster) -> None:
    """Packets that leave a node where they came in make no redirects, which count against the limit of refusals."""
    replace(cluster, **web("pod-2a", **node_port())).sync()
    with serving(cluster.lab, "pod-2a"):
        answers(cluster.lab, "machine", times=20, address=NODE_IPS["node-1"], port=NODE_PORT)
    empty = service(type="NodePort", ports=[service_port(protocol="UDP", nodePort=NODE_PORT)])
    replace(cluster, services=[empty]).sync()
    with cluster.lab.client("machine", socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect((NODE_IPS["node-1"], NODE_PORT))
        client.send(b"?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(64)


def test_from_the_node(cluster: Cluster) -> None:
    """The node itself reaches endpoints here and there, and is seen by an address that replies come back to."""
    replace(cluster, **web("pod-1b", "pod-2a")).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        seen = dict(ask(cluster.lab, "node-1") for _ in range(40))
    assert seen == {"pod-1b": "10.244.1.1", "pod-2a": NODE_IPS["node-1"]}


@pytest.mark.parametrize("sees_bridged", ["0", "1"])
def test_hairpin(cluster: Cluster, sees_bridged: str) -> None:
    """A pod reaches itself through its Service, whether or not the filter sees the bridge."""
    cluster.lab.run("node-1", "sysctl", "-qw", f"net.bridge.bridge-nf-call-iptables={sees_bridged}")
    replace(cluster, **web("pod-1a"), bridged=sees_bridged == "1").sync()
    with serving(cluster.lab, "pod-1a"):
        assert ask(cluster.lab, "pod-1a")[0] == "pod-1a"


@pytest.mark.parametrize("where", ["machine", "pod-2b", "node-1", "node-2"])
def test_node_port(cluster: Cluster, where: str) -> None:
    """A node port leads to every endpoint, from outside, from pods, and from nodes."""
    replace(cluster, **web("pod-1b", "pod-2a", **node_port())).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        got = answers(cluster.lab, where, address=NODE_IPS["node-1"], port=NODE_PORT)
    assert set(got) == {"pod-1b", "pod-2a"}


def test_node_port_local(cluster: Cluster) -> None:
    """Under externalTrafficPolicy Local a node serves with its own endpoints, which see the client's address."""
    replace(cluster, **web("pod-1b", "pod-2a", **node_port(externalTrafficPolicy="Local"))).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        got = {ask(cluster.lab, "machine", NODE_IPS["node-1"], NODE_PORT) for _ in range(20)}
    assert got == {("pod-1b", MACHINE_IP)}


def test_node_port_local_elsewhere(cluster: Cluster) -> None:
    """Under externalTrafficPolicy Local a node without endpoints drops strangers, and serves its own pods."""
    replace(cluster, **web("pod-2a", **node_port(externalTrafficPolicy="Local"))).sync()
    with serving(cluster.lab, "pod-2a"), cluster.lab.client("machine") as stranger:
        stranger.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stranger.connect((NODE_IPS["node-1"], NODE_PORT))
        assert ask(cluster.lab, "pod-1a", NODE_IPS["node-1"], NODE_PORT)[0] == "pod-2a"


def test_a_pod_of_another_node_is_served_at_a_node_port(cluster: Cluster):
    """Under externalTrafficPolicy Local, too: replies come back through the node that was asked, wherever the endpoint is."""
    replace(cluster, **web("pod-1b", **node_port(externalTrafficPolicy="Local"))).sync()
    with serving(cluster.lab, "pod-1b"):
        assert ask(cluster.lab, "pod-1a", NODE_IPS["node-2"], NODE_PORT) == ("pod-1b", NODE_IPS["node-2"])
        assert ask(cluster.lab, "pod-1a", NODE_IPS["node-1"], NODE_PORT) == ("pod-1b", POD_IPS["pod-1a"])


BALANCER_IP = "10.77.250.200"


@contextmanager
def routed(lab: Lab, address: str, node: str = "node-1") -> Iterator[None]:
    """Send what the machine has for an address to a node."""
    lab.run("machine", "ip", "route", "replace", address, "via", NODE_IPS[node])
    try:
        yield
    finally:
        lab.run("machine", "ip", "route", "delete", address)


def is_dropped(lab: Lab, where: str, address: str = SERVICE_IP, port: int = PORT) -> bool:
    """Whether nobody answers a connection, not even with a refusal."""
    with lab.client(where) as client:
        client.settimeout(0.3)
        try:
            client.connect((address, port))
        except TimeoutError:
            return True
    return False


def test_external_address(cluster: Cluster) -> None:
    """What comes for an external address leads to every endpoint, whoever sends it; without one it is refused."""
    moment = replace(cluster, **web("pod-1b", "pod-2a", externalIPs=["192.0.2.7"]))
    moment.sync()
    with routed(cluster.lab, "192.0.2.7"), serving(cluster.lab, "pod-1b", "pod-2a"):
        for where in ("machine", "pod-1a", "node-2"):
            assert set(answers(cluster.lab, where, address="192.0.2.7")) == {"pod-1b", "pod-2a"}
        replace(cluster, **web(externalIPs=["192.0.2.7"])).sync()
        with pytest.raises(ConnectionRefusedError):
            ask(cluster.lab, "machine", "192.0.2.7")


def balanced(*pods: str, **fields: Any) -> dict[str, Any]:
    """Return a load balancer with these pods behind it, and one node port."""
    found = web(*pods)
    ports = [service_port(nodePort=NODE_PORT)]
    return {**found, "services": [balancer(BALANCER_IP, ports=ports, **fields)]}


def test_load_balancer_from_everywhere(cluster: Cluster) -> None:
    """Its address is answered by the nodes: for who comes from outside, and for pods and nodes without leaving them."""
    replace(cluster, **balanced("pod-1b", "pod-2a")).sync()
    with routed(cluster.lab, BALANCER_IP), serving(cluster.lab, "pod-1b", "pod-2a"):
        for where in ("machine", "pod-1a", "node-2"):
            assert set(answers(cluster.lab, where, address=BALANCER_IP)) == {"pod-1b", "pod-2a"}


def test_load_balancer_moves(cluster: Cluster) -> None:
    """The node that is to answer has the address, and the machine finds it at once where another node has it then."""
    moment = replace(cluster, **balanced("pod-1b", "pod-2a"))
    [svc] = moment.services
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        for here in ("node-1", "node-2", "node-1", ""):
            now = changed(svc, metadata__annotations={ANNOUNCER: here})
            replace(moment, services=[now]).sync()
            for name in NODE_IPS:
                held = BALANCER_IP in cluster.lab.run(name, "ip", "address", "show", "dev", "eth0")
                assert held is (name == here)
            for where in ("machine", "node-1", "node-2", "pod-1a") if here else ():
                assert ask(cluster.lab, where, BALANCER_IP)[0] in {"pod-1b", "pod-2a"}


def test_cleanup(cluster: Cluster) -> None:
    """A node that leaves keeps nothing of a proxy's, and what is not its own."""
    moment = replace(cluster, **balanced("pod-2a"))
    [svc] = moment.services
    replace(moment, services=[changed(svc, metadata__annotations={ANNOUNCER: "node-1"})]).sync()
    run = cluster.lab.run
    for _ in range(2):
        inside(
            cluster.lab.space("node-1"), lambda: asyncio.run(clean_up(Commands(SystemClock(), 10), SILENT))
        )
        assert "kubarium-proxy" not in run("node-1", "nft", "list", "tables")
        assert POD_CIDRS["node-2"] not in run("node-1", "ip", "route")
        addresses = run("node-1", "ip", "address", "show", "dev", "eth0")
        assert BALANCER_IP not in addresses
        assert NODE_IPS["node-1"] in addresses


def test_load_balancer_that_is_a_proxy(cluster: Cluster) -> None:
    """Under ipMode Proxy packets go to the load balancer itself, also from pods."""
    replace(cluster, **balanced("pod-1b", ip_mode="Proxy")).sync()
    with serving(cluster.lab, "pod-1b"):
        assert is_dropped(cluster.lab, "pod-1a", BALANCER_IP)
        assert ask(cluster.lab, "machine", NODE_IPS["node-1"], NODE_PORT)[0] == "pod-1b"


def test_load_balancer_local(cluster: Cluster) -> None:
    """Under externalTrafficPolicy Local the client's address is kept, and a node without endpoints drops strangers."""
    replace(cluster, **balanced("pod-1b", externalTrafficPolicy="Local")).sync()
    with serving(cluster.lab, "pod-1b"):
        with routed(cluster.lab, BALANCER_IP, "node-2"):
            assert is_dropped(cluster.lab, "machine", BALANCER_IP)
        with routed(cluster.lab, BALANCER_IP, "node-1"):
            assert ask(cluster.lab, "machine", BALANCER_IP) == ("pod-1b", MACHINE_IP)
        assert ask(cluster.lab, "pod-2a", BALANCER_IP)[0] == "pod-1b"


@pytest.mark.parametrize(
    ("ranges", "served"),
    [
        (["10.77.250.0/28", "10.77.250.1/32"], {"machine", "node-1"}),
        (["10.244.1.0/24"], {"pod-1a"}),
        (["0.0.0.0/0"], {"machine", "node-1", "pod-1a"}),
        ([" 192.0.2.0/24"], set()),
        (["fd00::/8"], {"machine", "node-1", "pod-1a"}),
    ],
)
def test_load_balancer_sources(cluster: Cluster, ranges: list[str], served: set[str]) -> None:
    """Only who is in one of the ranges may ask; the ClusterIP and the node port are for all."""
    replace(cluster, **balanced("pod-2a", loadBalancerSourceRanges=ranges)).sync()
    with routed(cluster.lab, BALANCER_IP), serving(cluster.lab, "pod-2a"):
        for where in ("machine", "node-1", "pod-1a"):
            assert is_dropped(cluster.lab, where, BALANCER_IP) is (where not in served)
        assert ask(cluster.lab, "pod-1a")[0] == "pod-2a"
        assert ask(cluster.lab, "machine", NODE_IPS["node-1"], NODE_PORT)[0] == "pod-2a"


def test_node_ports_at_some_addresses(cluster: Cluster) -> None:
    """They are served at the addresses that the proxy was told, and at no other of the node's own."""
    cluster.lab.run("node-1", "ip", "address", "replace", "10.77.250.21/24", "dev", "eth0")
    moment = replace(cluster, **web("pod-1b", **node_port()))
    with serving(cluster.lab, "pod-1b"):
        moment.sync()
        for address in ("10.77.250.21", NODE_IPS["node-1"]):
            assert ask(cluster.lab, "machine", address, NODE_PORT)[0] == "pod-1b"
        for at, silent in (("primary", "10.77.250.21"), ("10.77.250.16/28", NODE_IPS["node-1"])):
            replace(moment, node_ports=(at,)).sync("node-1")
            with pytest.raises(ConnectionRefusedError):
                ask(cluster.lab, "machine", silent, NODE_PORT)
    cluster.lab.run("node-1", "ip", "address", "delete", "10.77.250.21/24", "dev", "eth0")


def test_near_endpoints(cluster: Cluster) -> None:
    """Hints keep a client's connections near, as long as there is somebody near."""
    near, far = (
        endpoint(POD_IPS["pod-1b"], zones=["a"]),
        endpoint(POD_IPS["pod-2a"], node="node-2", zones=["b"]),
    )
    nodes = [
        routed_node(name, POD_CIDRS[name], NODE_IPS[name], zone)
        for name, zone in zip(NODE_IPS, "ab", strict=True)
    ]
    moment = replace(cluster, services=[service()], slices=[endpoint_slice(near, far)], nodes=nodes)
    moment.sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        assert answers(cluster.lab, "pod-1a", 20) == {"pod-1b": 20}
        assert answers(cluster.lab, "pod-2b", 20) == {"pod-2a": 20}
        replace(moment, slices=[endpoint_slice(far)]).sync()
        assert answers(cluster.lab, "pod-1a", 5) == {"pod-2a": 5}


def test_internal_local(cluster: Cluster) -> None:
    """Under internalTrafficPolicy Local a pod is served on its node, or not at all."""
    replace(cluster, **web("pod-1b", "pod-2a", internalTrafficPolicy="Local")).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a"):
        assert answers(cluster.lab, "pod-1a", 20) == {"pod-1b": 20}
        replace(cluster, **web("pod-2a", internalTrafficPolicy="Local")).sync("node-1")
        with cluster.lab.client("pod-1a") as client:
            client.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.connect((SERVICE_IP, PORT))


def test_affinity(cluster: Cluster) -> None:
    """Under sessionAffinity ClientIP a client stays where it was, also after the rules are written anew."""
    sticky = {"sessionAffinity": "ClientIP"}
    replace(cluster, **web("pod-1b", "pod-2a", "pod-2b", **sticky)).sync()
    with serving(cluster.lab, "pod-1b", "pod-2a", "pod-2b"):
        first = ask(cluster.lab, "pod-1a")[0]
        assert answers(cluster.lab, "pod-1a", 20) == {first: 20}
        rest = [pod for pod in ("pod-1b", "pod-2a", "pod-2b") if pod != first]
        replace(cluster, **web(first, rest[0], **sticky)).sync()
        assert answers(cluster.lab, "pod-1a", 20) == {first: 20}


def test_udp_flow_is_forgotten(cluster: Cluster) -> None:
    """A client that keeps its UDP port reaches the endpoint that is left when the one it used goes."""
    ports = [service_port(protocol="UDP")]
    both = {"pod-1b": endpoint(POD_IPS["pod-1b"]), "pod-2a": endpoint(POD_IPS["pod-2a"], node="node-2")}

    def moment(*pods: str) -> Cluster:
        ends = endpoint_slice(*(both[pod] for pod in pods), protocol="UDP")
        return replace(cluster, services=[service(ports=ports)], slices=[ends])

    moment("pod-1b", "pod-2a").sync()
    with ExitStack() as stack:
        client = stack.enter_context(cluster.lab.client("pod-1a", socket.SOCK_DGRAM))
        doors = {pod: stack.enter_context(cluster.lab.listen(pod, TARGET, socket.SOCK_DGRAM)) for pod in both}
        for door in doors.values():
            door.settimeout(0.3)
        client.sendto(b"1", (SERVICE_IP, PORT))
        used = next(pod for pod, door in doors.items() if _hears(door, b"1"))
        left = next(pod for pod in both if pod != used)
        moment(left).sync()
        client.sendto(b"2", (SERVICE_IP, PORT))
        assert _hears(doors[left], b"2")


@pytest.mark.parametrize("to", [(SERVICE_IP, PORT), (NODE_IPS["node-1"], NODE_PORT)], ids=["cluster", "node"])
def test_a_udp_flow_follows_another_port_of_its_endpoint(cluster: Cluster, to: tuple[str, int]) -> None:
    """A client that keeps its port reaches the new targetPort of the pod that it used, by ClusterIP and node port."""
    svc = service(type="NodePort", ports=[service_port(protocol="UDP", nodePort=NODE_PORT)])

    def lead_to(port: int) -> None:
        ends = endpoint_slice(endpoint(POD_IPS["pod-1b"]), protocol="UDP", port=port)
        replace(cluster, services=[svc], slices=[ends]).sync("node-1")

    with ExitStack() as stack:
        client = stack.enter_context(cluster.lab.client("pod-1a", socket.SOCK_DGRAM))
        for number, port in enumerate((TARGET, TARGET + 1)):
            door = stack.enter_context(cluster.lab.listen("pod-1b", port, socket.SOCK_DGRAM))
            door.settimeout(5)
            lead_to(port)
            client.sendto(text := f"{number}".encode(), to)
            assert _hears(door, text)


def test_an_attempt_at_what_is_gone_is_forgotten(cluster: Cluster) -> None:
    """Whoever gets the source port of a client that waited for a dead endpoint in vain is not sent there, too."""
    dead = replace(
        cluster, services=[service()], slices=[endpoint_slice(endpoint("10.244.2.99", node="node-2"))]
    )
    alive = endpoint_slice(endpoint(POD_IPS["pod-2a"], node="node-2"))

    def attempt() -> bool:
        with cluster.lab.client("pod-1a") as client:
            client.settimeout(0.3)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((POD_IPS["pod-1a"], 4123))
            return client.connect_ex((SERVICE_IP, PORT)) == 0

    async def change() -> tuple[bool, bool]:
        syncer, stores = dead.proxy("node-1")
        await syncer.sync(anyway=True)
        before = await asyncio.to_thread(attempt)
        (old,) = stores.slices.list()
        stores.slices.put(alive)
        syncer.on_slice(Change(EventType.MODIFIED, old, alive))
        await syncer.sync(anyway=False)
        return before, await asyncio.to_thread(attempt)

    with serving(cluster.lab, "pod-2a"):
        assert inside(cluster.lab.space("node-1"), lambda: asyncio.run(change())) == (False, True)


def _hears(door: socket.socket, text: bytes) -> bool:
    try:
        return door.recv(64) == text
    except TimeoutError:
        return False


def test_leaving_the_cluster(cluster: Cluster) -> None:
    """Outside of the cluster a pod is seen as its node; by pods and nodes it is seen as itself."""
    cluster.sync()
    with serving(cluster.lab, "machine", "node-2", "pod-2a"):
        assert ask(cluster.lab, "pod-1a", MACHINE_IP, TARGET)[1] == NODE_IPS["node-1"]
        assert ask(cluster.lab, "pod-1a", NODE_IPS["node-2"], TARGET)[1] == POD_IPS["pod-1a"]
        assert ask(cluster.lab, "pod-1a", POD_IPS["pod-2a"], TARGET)[1] == POD_IPS["pod-1a"]


def test_routes_follow_nodes(cluster: Cluster) -> None:
    """A node that goes takes its route with it; routes that are not ours stay."""
    cluster.lab.run("node-1", "ip", "route", "add", "10.99.0.0/24", "via", NODE_IPS["node-2"])
    replace(cluster, nodes=NODES[:1]).sync("node-1")
    routes = cluster.lab.run("node-1", "ip", "route")
    cluster.lab.run("node-1", "ip", "route", "delete", "10.99.0.0/24")
    assert "10.244.2.0/24" not in routes
    assert "10.99.0.0/24" in routes


def test_foreign_hands(cluster: Cluster) -> None:
    """A table that another hand has filled or emptied is as it should be after the next full write."""
    moment = replace(cluster, **web("pod-2a"))
    moment.sync()
    cluster.lab.run("node-1", "nft", "flush", "table", "ip", "kubarium-proxy")
    cluster.lab.run("node-1", "nft", "add", "chain", "ip", "kubarium-proxy", "stranger")
    moment.sync()
    with serving(cluster.lab, "pod-2a"):
        assert ask(cluster.lab, "pod-1a")[0] == "pod-2a"
    assert "stranger" not in cluster.lab.run("node-1", "nft", "list", "table", "ip", "kubarium-proxy")


def test_incompatible_table(cluster: Cluster) -> None:
    """A table that cannot be changed into ours is replaced as a whole."""
    cluster.lab.run("node-1", "nft", "delete", "table", "ip", "kubarium-proxy")
    strange = "table ip kubarium-proxy { set nodes { type inet_service; }; }"
    cluster.lab.run("node-1", "nft", strange)
    replace(cluster, **web("pod-2a")).sync()
    with serving(cluster.lab, "pod-2a"):
        assert ask(cluster.lab, "pod-1a")[0] == "pod-2a"
