"""The laws of the architecture, looked at from outside a running cluster.

Every listener speaks TLS and knows whom it speaks with; a node may touch what is its own; both doors refuse alike;
of several schedulers and controllers one works.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from cryptography import x509

from kubarium import Cluster
from kubarium.core.certificates import Certificate
from kubarium.core.components import Component, control_plane
from kubarium.core.network import node_namespace
from kubarium.core.places import LocalPlaces
from kubarium.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.rest_transport import connect_rest
from machinery.client.tls import ClientTls
from machinery.model import resources as kinds
from machinery.model.errors import ApiError
from machinery.model.profile import intervals
from machinery.model.requests import PatchType, Selection
from machinery.process.clock import WALL
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.listeners import TcpListener, tcp_listeners, unix_listeners
from tests.support.netns import inside
from tests.support.requirements import need
from tests.support.stalls import taking
from tests.support.streams import closing
from tests.support.waiting import remains, rest

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # with an empty SETTINGS frame
)
FAST = intervals("fast")
LONGEST_LOOK_S = FAST.leader_retry_s * 2.2  # a standby looks at the lease that often, or more so: it jitters
# One that cannot watch last saw the lease renewed a look late, waits it out, and notices a look late; the rest is work.
TAKEOVER_S = FAST.leader_lease_s + 2 * LONGEST_LOOK_S + 0.5


@pytest.fixture(scope="module")
def lawful(images: None) -> Iterator[Cluster]:
    """A cluster of one real node, with fast timings."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("laws", nodes=1, runtime="docker", profile="fast")


@dataclass(frozen=True)
class Door:
    """A listener of a component, and how to get to it."""

    component: str
    listener: TcpListener
    namespace: str  # "" for the machine's own

    def connect(self) -> socket.socket:
        """Open a connection from where the component runs."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listener.host, self.listener.host)

        def dial() -> socket.socket:
            return socket.create_connection((host, self.listener.port), timeout=5)

        return inside(self.namespace, dial) if self.namespace else dial()

    @property
    def authority(self) -> str:
        """Whose certificates it shows and wants."""
        return "etcd-ca" if self.component == "etcd" else "ca"

    def handshake(self, trust: Pki, shown: Path | None = None) -> ssl.SSLSocket:
        """Do the TLS handshake, trusting the authority that it should have, and show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(trust.certificate(self.authority))
        context.set_alpn_protocols(["http/1.1"] if self.component == "etcd" else ["h2", "http/1.1"])
        if shown:
            context.load_cert_chain(shown, shown.with_suffix(".key"))
        return context.wrap_socket(self.connect())

    def answer(self, trust: Pki, shown: Path | None = None) -> bytes:
        """Say what it says to the beginning of a conversation; nothing where it refuses."""
        try:
            with self.handshake(trust, shown) as secure:
                is_http2 = secure.selected_alpn_protocol() == "h2"
                secure.sendall(PREFACE if is_http2 else b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return secure.recv(64)
        except (ssl.SSLError, ConnectionError):
            return b""


def doors(cluster: Cluster) -> list[Door]:
    """Find every TCP socket that a process of the cluster listens on."""
    return [
        Door(component, listener, node_namespace(cluster.name, node) if node else "")
        for component, node, pid in processes(cluster)
        for listener in tcp_listeners(pid)
    ]


def processes(cluster: Cluster) -> list[tuple[str, str, int]]:
    """List (component, node, pid) of the components, of what they have started, and of the supervisor."""
    found = []
    for row in cluster.ps():
        _, _, node = row.name.partition("@")
        family = [psutil.Process(row.pid), *psutil.Process(row.pid).children(recursive=True)]
        found += [(row.name, node, each.pid) for each in family]
    supervisor = psutil.Process(cluster.ps()[0].pid).ppid()
    return [*found, ("supervisor", "", supervisor)]


def pki(cluster: Cluster) -> Pki:
    """Give the cluster's certificates."""
    return Pki(cluster.layout.pki)


def client_of(cluster: Cluster, component: str) -> Path:
    """Name the certificate that may speak with a component."""
    names = {"etcd": "apiserver-etcd-client", "apiserver": "admin"}
    return pki(cluster).certificate(names.get(component, "apiserver-kubelet-client"))


def test_the_cluster_listens_where_it_should(lawful: Cluster):
    """Two doors of etcd, the apiserver's on each of its addresses, and the kubelet's: what follows looks at all."""
    found = sorted(door.component for door in doors(lawful))
    assert found == ["apiserver"] * 4 + ["etcd"] * 2 + ["kubelet@node-1"]


def test_no_listener_speaks_http_in_the_clear(lawful: Cluster):
    """A plaintext request is hung up on; Go's servers say in the clear that they want TLS, and nothing more."""
    for door in doors(lawful):
        with door.connect() as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            plain.settimeout(5)
            said = b""
            with contextlib.suppress(ConnectionError):
                while chunk := plain.recv(4096):
                    said += chunk
        wants_tls = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
        allowed = {b"", wants_tls} if door.component == "etcd" else {b""}
        assert said in allowed or said[:1] == b"\x15", (door, said)  # 21: a TLS alert


def test_every_listener_shows_a_certificate_of_the_clusters_authority(lawful: Cluster):
    """Etcd one of etcd's own, so that no other component's certificate opens it."""
    for door in doors(lawful):
        with door.handshake(pki(lawful)) as secure:
            certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
        assert certificate.issuer.rfc4514_string() == f"CN=kubarium-{door.authority}", door
        assert secure.version() in {"TLSv1.2", "TLSv1.3", None}


def test_who_shows_no_good_certificate_is_not_spoken_to(lawful: Cluster, tmp_path: Path):
    """Neither without one nor with one of a foreign authority of the same name; the REST door leaves it to its tokens."""
    foreign = Pki(tmp_path / "foreign")
    for name in ("ca", "etcd-ca"):
        foreign.ensure(Certificate(f"of-{name}", "kubernetes-admin", ("system:masters",), authority=name))
    wrong_one = pki(lawful).certificate("scheduler")
    for door in doors(lawful):
        assert door.answer(pki(lawful), foreign.certificate(f"of-{door.authority}")) == b"", door
        if door.listener.port == lawful.addresses.rest_port:
            continue
        assert door.answer(pki(lawful)) == b"", door
        if door.component == "etcd":
            assert door.answer(pki(lawful), wrong_one) == b"", door
        assert door.answer(pki(lawful), client_of(lawful, door.component)), door  # the proof that it would


def test_unix_sockets_are_for_their_owner(lawful: Cluster):
    """Mode 0600 in folders of mode 0700, and none without a path."""
    sockets = {path for _, _, pid in processes(lawful) for path in unix_listeners(pid)}
    assert str(lawful.layout.control) in sockets
    assert str(lawful.layout.cri("node-1")) in sockets
    assert str(lawful.layout.health("scheduler")) in sockets
    for path in sockets:
        assert path.startswith(f"{lawful.layout.run}/"), path
        assert Path(path).stat().st_mode & 0o777 == 0o600, path
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700, path


def connections(cluster: Cluster, identity: str) -> list[Api]:
    """Open both doors with a certificate of the cluster."""
    keys = pki(cluster)
    tls = ClientTls(
        *(str(path) for path in (keys.certificate("ca"), keys.certificate(identity), keys.key(identity)))
    )
    addresses = cluster.addresses
    return [
        connect_grpc(f"127.0.0.1:{addresses.grpc_port}", tls, caller="test", clock=WALL),
        connect_rest(addresses.rest_url, tls, caller="test", clock=WALL),
    ]


async def refusals(
    cluster: Cluster, identity: str, ask: Callable[[Api], Awaitable[Any]]
) -> list[dict[str, Any]]:
    """Ask the same at both doors, and give the Status of each answer."""
    statuses = []
    for api in connections(cluster, identity):
        try:
            answer = await ask(api)
        except ApiError as error:
            statuses.append(error.to_status())
        else:
            pytest.fail(f"{identity} was given {answer!r}")
        finally:
            await api.aclose()
    return statuses


def typed(resource: Any, **fields: Any) -> Any:
    """Build an object."""
    return msgspec.convert(fields, resource.type)


def meta(name: str, namespace: str = "default", **fields: Any) -> dict[str, Any]:
    """Build an object's metadata."""
    return {"name": name, "namespace": namespace, **fields}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Build a pod of one sleeper."""
    script = "trap 'exit 0' TERM; sleep 3600 & wait"
    container = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script]}
    return {"metadata": meta(name), "spec": {"containers": [container], **spec}}


@pytest.fixture(scope="module")
def neighbour(lawful: Cluster) -> str:
    """Another node's Node, Lease, Secret and pod, made by the administrator."""
    kubectl = Kubectl(lawful.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0, what="a ServiceAccount")
    spec = pod("theirs", nodeName="node-x", volumes=[{"name": "s", "secret": {"secretName": "theirs"}}])
    lease = {"metadata": meta("node-x", "kube-node-lease"), "spec": {"holderIdentity": "node-x"}}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-x"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta("theirs"), "stringData": {"a": "b"}},
        {"apiVersion": "v1", "kind": "Pod", **spec},
    )
    namespaced = Kubectl(lawful.kubeconfig, "kube-node-lease")
    namespaced.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **lease})
    return "node-x"


_STATUS = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
_READY = {"subresource": "status", "kind": PatchType.STRATEGIC_MERGE}
THEFTS: dict[str, Callable[[Api], Awaitable[Any]]] = {
    "read a Secret": lambda api: api.get(kinds.SECRETS, "theirs", namespace="default"),
    "list all Secrets": lambda api: api.list(kinds.SECRETS),
    "write a Node": lambda api: api.patch(kinds.NODES, "node-x", {"metadata": {"labels": {"x": "y"}}}),
    "write a Node's status": lambda api: api.patch(kinds.NODES, "node-x", _STATUS, **_READY),
    "delete a Node": lambda api: api.delete(kinds.NODES, "node-x"),
    "renew a Lease": lambda api: api.patch(
        kinds.LEASES, "node-x", {"spec": {"leaseDurationSeconds": 99}}, namespace="kube-node-lease"
    ),
    "write a pod's status": lambda api: api.patch(
        kinds.PODS, "theirs", _STATUS, namespace="default", **_READY
    ),
    "delete a pod": lambda api: api.delete(kinds.PODS, "theirs", namespace="default"),
    "bind a pod": lambda api: api.create(kinds.PODS, typed(kinds.PODS, **pod("mine", nodeName="node-x"))),
    "make a user": lambda api: api.create(
        kinds.CLUSTER_ROLE_BINDINGS,
        typed(
            kinds.CLUSTER_ROLE_BINDINGS,
            metadata={"name": "mine"},
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            subjects=[
                {"kind": "User", "name": "system:node:node-1", "apiGroup": "rbac.authorization.k8s.io"}
            ],
        ),
    ),
}


@pytest.mark.parametrize("theft", THEFTS)
async def test_a_node_may_not_touch_what_is_anothers(lawful: Cluster, neighbour: str, theft: str):
    """With a kubelet's certificate, through both doors, with the same Status."""
    first, second = await refusals(lawful, "kubelet-node-1", THEFTS[theft])
    assert first == second
    assert (first["code"], first["reason"]) == (403, "Forbidden")


async def test_a_node_may_touch_what_is_its_own(lawful: Cluster):
    """So that the refusals mean something."""
    for api in connections(lawful, "kubelet-node-1"):
        node = await api.get(kinds.NODES, "node-1")
        await api.get(kinds.LEASES, "node-1", namespace="kube-node-lease")
        status = {"status": {"conditions": [{"type": "Test", "status": "True"}]}}
        await api.patch(kinds.NODES, node.metadata.name, status, **_READY)
        await api.aclose()


_POD = pod("bad")
BAD: dict[str, Callable[[Api], Awaitable[Any]]] = {
    "a name": lambda api: api.create(
        kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta("Not_A_Name"))
    ),
    "no name": lambda api: api.create(kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta(""))),
    "a namespace that is not there": lambda api: api.create(
        kinds.CONFIG_MAPS, typed(kinds.CONFIG_MAPS, metadata=meta("a", "nowhere"))
    ),
    "a name that is taken": lambda api: api.create(
        kinds.NAMESPACES, typed(kinds.NAMESPACES, metadata={"name": "default"})
    ),
    "no containers": lambda api: api.create(
        kinds.PODS, typed(kinds.PODS, metadata=meta("bad"), spec={"containers": []})
    ),
    "several faults": lambda api: api.create(
        kinds.PODS,
        typed(
            kinds.PODS,
            metadata=meta("bad", labels={"bad key!": "x" * 70}),
            spec={
                "restartPolicy": "Sometimes",
                "containers": [
                    {"name": "A", "ports": [{"containerPort": 99999}]},
                    {"name": "A", "image": "i", "resources": {"limits": {"memory": "lots"}}},
                ],
            },
        ),
    ),
    "a selector that misses its template": lambda api: api.create(
        kinds.DEPLOYMENTS,
        typed(
            kinds.DEPLOYMENTS,
            metadata=meta("bad"),
            spec={
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "c"}}, "spec": _POD["spec"]},
            },
        ),
    ),
    "a port": lambda api: api.create(
        kinds.SERVICES, typed(kinds.SERVICES, metadata=meta("bad"), spec={"ports": [{"port": 0}]})
    ),
    "a type": lambda api: api.patch(kinds.NODES, "node-1", {"spec": {"unschedulable": "perhaps"}}),
    "an unknown field": lambda api: api.patch(
        kinds.NODES, "node-1", {"spec": {"taints": [{"colour": "red"}]}}
    ),
    "a field that may not change": lambda api: api.patch(kinds.NODES, "node-1", {"metadata": {"uid": "x"}}),
    "an old revision": lambda api: api.patch(
        kinds.NODES, "node-1", {"metadata": {"resourceVersion": "1"}, "spec": {"unschedulable": True}}
    ),
    "a JSON patch whose test fails": lambda api: api.patch(
        kinds.NODES,
        "node-1",
        [{"op": "test", "path": "/metadata/name", "value": "x"}],
        kind=PatchType.JSON,
    ),
    "a selector": lambda api: api.list(kinds.PODS, Selection(label_selector="a in (")),
    "a field selector": lambda api: api.list(kinds.PODS, Selection(field_selector="spec.colour=red")),
    "a continue token": lambda api: api.list(kinds.PODS, continue_="nonsense"),
    "what is not there": lambda api: api.get(kinds.PODS, "nobody", namespace="default"),
}


@pytest.mark.parametrize("fault", BAD)
async def test_both_doors_refuse_alike(lawful: Cluster, fault: str):
    """What REST refuses gRPC refuses, with the same code, reason, message and causes."""
    first, second = await refusals(lawful, "admin", BAD[fault])
    assert first == second
    assert 400 <= first["code"] < 500


@contextlib.contextmanager
def second(cluster: Cluster, wanted: str, folder: Path) -> Iterator[None]:
    """Run another of a component, with the same identity files, beside the supervisor's own."""
    component = next(
        each for each in control_plane(LocalPlaces(cluster.spec, cluster.layout)) if each.name == wanted
    )
    flags = component.flags | {"name": f"{wanted}-2", "health-socket": str(folder / "2.health")}
    command = [sys.executable, "-m", component.program, *Component(wanted, wanted, flags).arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    try:
        eventually((folder / "2.health").exists, timeout_s=15, what=f"a second {wanted}")
        rest(1, "it has looked at the lease, and waits")
        yield
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.terminate()
        process.wait(15)


@dataclass
class Bindings:
    """Every node that each pod was ever seen on."""

    nodes: dict[str, set[str]]
    problem: str = ""

    async def watch(self, api: Api, start: int, stop: asyncio.Event) -> None:
        """Follow the pods until told to stop."""
        watch = api.watch(kinds.PODS, Selection("default"), resource_version=str(start))
        async with closing(watch) as stream:
            async for batch in stream:
                for event in batch:
                    if event.object and event.object.spec.nodeName:
                        self.nodes.setdefault(event.object.metadata.name, set()).add(
                            event.object.spec.nodeName
                        )
                if stop.is_set():
                    return


def holder(kubectl: Kubectl, lease: str) -> str:
    """Name who holds a lease."""
    return Kubectl(kubectl.kubeconfig, "kube-system").get("lease", lease)["spec"]["holderIdentity"]


def scheduled(kubectl: Kubectl) -> dict[str, int]:
    """Count the bindings that events tell of, for each pod."""
    counts: dict[str, int] = {}
    for event in kubectl.get("events"):
        if event["reason"] == "Scheduled":
            name = event["involvedObject"]["name"]
            counts[name] = counts.get(name, 0) + event.get("count", 1)
    return counts


@pytest.mark.parametrize(("fault", "remedy"), [("kill", "restart"), ("pause", "resume")])
async def test_a_dead_or_frozen_scheduler_is_followed_by_the_other(
    lawful: Cluster, tmp_path: Path, fault: str, remedy: str
):
    """As soon as the fast profile has it; pods go on being bound, and none twice, also when the first one wakes up."""
    kubectl = Kubectl(lawful.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0, what="a ServiceAccount")
    (api, other) = connections(lawful, "admin")
    bindings, stop = Bindings({}), asyncio.Event()
    start = (await api.list(kinds.PODS)).revision
    watching = asyncio.ensure_future(bindings.watch(api, start, stop))

    async def create(prefix: str) -> None:
        for number in range(4):
            await other.create(kinds.PODS, typed(kinds.PODS, **pod(f"{prefix}-{fault}-{number}")))

    async def bound(prefix: str, limit_s: float) -> float:
        began = time.monotonic()
        async with asyncio.timeout(limit_s):
            while len([name for name in bindings.nodes if name.startswith(f"{prefix}-{fault}-")]) < 4:
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    with second(lawful, "scheduler", tmp_path):
        await create("before")
        await bound("before", 10)
        first = holder(kubectl, "kube-scheduler")
        await create("during")
        getattr(lawful, fault)("scheduler")
        await create("after")
        with taking(less_than_s=TAKEOVER_S):
            await bound("after", TAKEOVER_S + 4)
        await bound("during", 4)
        assert holder(kubectl, "kube-scheduler") not in {"", first}
        getattr(lawful, remedy)("scheduler")
        await create("woken")
        await bound("woken", TAKEOVER_S)
        eventually(lambda: state(lawful, "scheduler") == "ready", timeout_s=15)
    await create("back")  # the second gave the lease away when it was told to end
    await bound("back", TAKEOVER_S)
    stop.set()
    await other.delete_collection(kinds.PODS, Selection("default", "", "spec.nodeName=node-1"))
    await asyncio.wait_for(watching, 15)
    assert {name: nodes for name, nodes in bindings.nodes.items() if len(nodes) != 1} == {}
    twice = {name: count for name, count in scheduled(kubectl).items() if count != 1}
    assert twice == {}
    for each in (api, other):
        await each.aclose()


def state(cluster: Cluster, component: str) -> str:
    """Tell a component's state."""
    return {row.name: row.state for row in cluster.ps()}[component]


def test_killed_controllers_are_followed_by_the_others(lawful: Cluster, tmp_path: Path):
    """A Deployment that is scaled when they die is what it should be as soon as the fast profile has it."""
    kubectl = Kubectl(lawful.kubeconfig)
    kubectl("create", "deployment", "led", "--image=busybox:1.36", "--replicas=1", "--", "sleep", "3600")
    eventually(lambda: len(kubectl.pods("app=led")) == 1, timeout_s=15, what="a pod")
    with second(lawful, "controllers", tmp_path):
        first = holder(kubectl, "kube-controller-manager")
        lawful.kill("controllers")
        with taking(less_than_s=TAKEOVER_S):
            kubectl("scale", "deployment/led", "--replicas=3")
            eventually(
                lambda: len(kubectl.pods("app=led")) == 3, timeout_s=15, every_s=0.05, what="three pods"
            )
        assert holder(kubectl, "kube-controller-manager") not in {"", first}
        lawful.restart("controllers")
        remains(lambda: len(kubectl.pods("app=led")) == 3, for_s=1)
    kubectl("delete", "deployment", "led", "--wait=false")
