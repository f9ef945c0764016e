"""Every process of a cluster, described once.

A component is an argument list, the certificates that it needs, and what it waits for. The supervisor
launches these as processes; `kubarium.compose` writes the same ones as compose services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kubarium.core.addresses import CLUSTER_CIDR, FIRST_SERVICE_IP, LOOPBACK, SERVICE_CIDR, Addresses
from kubarium.core.certificates import Certificate
from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec, NodeSpec

ETCD, APISERVER, SCHEDULER, CONTROLLERS = "etcd", "apiserver", "scheduler", "controllers"
NODE_PARTS = ("dockershim", "hollow", "kubelet", "proxy")

ADMIN = Certificate("admin", "kubernetes-admin", ("system:masters",))
KUBELET_CLIENT = Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client")
ETCD_CLIENT = Certificate("apiserver-etcd-client", "kube-apiserver-etcd-client", authority="etcd-ca")
_APISERVER_NAMES = (
    "localhost",
    "apiserver",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    LOOPBACK,
    FIRST_SERVICE_IP,
)


@dataclass(frozen=True, slots=True)
class Component:
    """One process: what runs, with which flags, after what, where."""

    name: str  # "scheduler", "kubelet@node-1": what `kubarium ps` shows and `kubarium kill` takes
    program: str  # a Python package with a __main__, or an executable
    flags: dict[str, str]
    certificates: tuple[Certificate, ...] = ()
    after: tuple[str, ...] = ()  # started when these are ready
    node: str = ""  # whose network namespace it runs in, "" for the machine's own
    external: bool = False  # an executable that knows nothing of our readiness protocol
    folders: tuple[Path, ...] = field(default=())  # made before the start, mode 0700

    @property
    def arguments(self) -> list[str]:
        """Write the flags as a command line, without the program."""
        return [f"--{flag}={value}" for flag, value in self.flags.items() if value != ""]


@dataclass(frozen=True, slots=True)
class Places:
    """How the components of a cluster reach each other and their files, in one way of launching them."""

    layout: Layout
    addresses: Addresses
    server: str  # the gRPC door, host:port, as the control plane dials it
    node_server: str  # the same as a node dials it
    etcd: str  # https://host:port
    etcd_listen: str  # the address that etcd binds
    doors_listen: tuple[str, ...]  # the addresses that the apiserver's doors bind
    advertise: str  # the address of the `kubernetes` Service's endpoint
    cgroup_root: str
    docker_socket: str = "/var/run/docker.sock"
    own_namespaces: bool = True  # whether a node's processes have to enter their network namespace first

    def crt(self, certificate: Certificate) -> str:
        """Name a certificate's file."""
        return str(self.layout.pki / f"{certificate.name}.crt")

    def key(self, certificate: Certificate) -> str:
        """Name a private key's file."""
        return str(self.layout.pki / f"{certificate.name}.key")

    def authority(self, name: str = "ca") -> str:
        """Name an authority's certificate file."""
        return str(self.layout.pki / f"{name}.crt")


def local_places(spec: ClusterSpec, layout: Layout) -> Places:
    """Place a cluster's processes on this machine."""
    addresses = Addresses(spec)
    return Places(
        layout=layout,
        addresses=addresses,
        server=f"{LOOPBACK}:{addresses.grpc_port}",
        node_server=f"{addresses.host}:{addresses.grpc_port}",
        etcd=f"https://{LOOPBACK}:{addresses.etcd_port}",
        etcd_listen=LOOPBACK,
        doors_listen=tuple(dict.fromkeys((LOOPBACK, addresses.host))),
        advertise=addresses.host,
        cgroup_root=f"/kubarium/{spec.name}",
        own_namespaces=spec.isolated,
    )


def compose_places(spec: ClusterSpec, layout: Layout) -> Places:
    """Place a cluster's processes in compose services that find each other by name."""
    addresses = Addresses(spec)
    return Places(
        layout=layout,
        addresses=addresses,
        server=f"apiserver:{addresses.grpc_port}",
        node_server=f"apiserver:{addresses.grpc_port}",
        etcd=f"https://etcd:{addresses.etcd_port}",
        etcd_listen="0.0.0.0",
        doors_listen=("0.0.0.0",),
        advertise=addresses.compose_apiserver,
        cgroup_root=f"/kubarium/{spec.name}",
        own_namespaces=False,
    )


def components(spec: ClusterSpec, places: Places) -> list[Component]:
    """List every process of a cluster, the control plane first."""
    return [
        *control_plane(spec, places),
        *(part for node in spec.nodes for part in node_parts(spec, node, places)),
    ]


def control_plane(spec: ClusterSpec, places: Places) -> list[Component]:
    """List etcd, apiserver, scheduler and controllers."""
    return [_etcd(places), _apiserver(spec, places), _scheduler(spec, places), _controllers(spec, places)]


def node_parts(spec: ClusterSpec, node: NodeSpec, places: Places) -> list[Component]:
    """List the processes of a node: its CRI server, its kubelet and, where it has a network, its proxy."""
    if not spec.isolated:
        return [_hollow(spec, node, places), _kubelet(spec, node, places)]
    return [_dockershim(spec, node, places), _kubelet(spec, node, places), _proxy(spec, node, places)]


def _common(spec: ClusterSpec, places: Places, name: str) -> dict[str, str]:
    return {
        "name": name,
        "time-scale": f"{spec.time_scale:g}",
        "profile": spec.profile,
        "health-socket": str(places.layout.health(name)),
        "faults-file": str(places.layout.faults),
    }


def _listen(places: Places, port: int) -> str:
    return ",".join(f"{host}:{port}" for host in places.doors_listen)


def _namespace(node: NodeSpec, places: Places) -> str:
    return node.name if places.own_namespaces else ""


def _client(places: Places, certificate: Certificate, server: str) -> dict[str, str]:
    return {
        "server": server,
        "ca-file": places.authority(),
        "cert-file": places.crt(certificate),
        "key-file": places.key(certificate),
    }


def _etcd(places: Places) -> Component:
    addresses = places.addresses
    peers = f"https://{LOOPBACK}:{addresses.etcd_peer_port}"
    server = Certificate("etcd", "etcd", hosts=(LOOPBACK, "localhost", "etcd"), authority="etcd-ca")
    flags = {
        "name": "etcd-0",
        "data-dir": str(places.layout.etcd),
        "listen-client-urls": f"https://{places.etcd_listen}:{addresses.etcd_port}",
        "advertise-client-urls": places.etcd,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"etcd-0={peers}",
        "cert-file": places.crt(server),
        "key-file": places.key(server),
        "trusted-ca-file": places.authority("etcd-ca"),
        "client-cert-auth": "true",
        "peer-cert-file": places.crt(server),
        "peer-key-file": places.key(server),
        "peer-trusted-ca-file": places.authority("etcd-ca"),
        "peer-client-cert-auth": "true",
        "log-level": "warn",
        "logger": "zap",
        "heartbeat-interval": "100",  # ms; the shortest election that goes with it: one member elects itself at start
        "election-timeout": "500",
    }
    return Component(ETCD, "etcd", flags, (server, ETCD_CLIENT), external=True, folders=(places.layout.etcd,))


def _apiserver(spec: ClusterSpec, places: Places) -> Component:
    addresses = places.addresses
    hosts = tuple(dict.fromkeys((*_APISERVER_NAMES, addresses.host, places.advertise)))
    serving = Certificate("apiserver", "kube-apiserver", hosts=hosts)
    flags = {
        **_common(spec, places, APISERVER),
        "etcd-servers": places.etcd,
        "etcd-ca-file": places.authority("etcd-ca"),
        "etcd-cert-file": places.crt(ETCD_CLIENT),
        "etcd-key-file": places.key(ETCD_CLIENT),
        "rest-listen": _listen(places, addresses.rest_port),
        "grpc-listen": _listen(places, addresses.grpc_port),
        "advertise-address": places.advertise,
        "ca-file": places.authority(),
        "cert-file": places.crt(serving),
        "key-file": places.key(serving),
        "kubelet-cert-file": places.crt(KUBELET_CLIENT),
        "kubelet-key-file": places.key(KUBELET_CLIENT),
        "sa-key-file": str(places.layout.pki / "sa.key"),
        "service-cidr": SERVICE_CIDR,
    }
    return Component(APISERVER, "apiserver", flags, (serving, KUBELET_CLIENT, ETCD_CLIENT, ADMIN))


def _scheduler(spec: ClusterSpec, places: Places) -> Component:
    identity = Certificate("scheduler", "system:kube-scheduler")
    flags = {**_common(spec, places, SCHEDULER), **_client(places, identity, places.server)}
    return Component(SCHEDULER, "scheduler", flags, (identity,), after=(APISERVER,))


def _controllers(spec: ClusterSpec, places: Places) -> Component:
    identity = Certificate("controllers", "system:kube-controller-manager")
    flags = {
        **_common(spec, places, CONTROLLERS),
        **_client(places, identity, places.server),
        "cluster-cidr": CLUSTER_CIDR,
        "root-ca-file": places.authority(),
    }
    return Component(CONTROLLERS, "controllers", flags, (identity,), after=(APISERVER,))


def _dockershim(spec: ClusterSpec, node: NodeSpec, places: Places) -> Component:
    name = f"dockershim@{node.name}"
    state = places.layout.node(node.name) / "dockershim"
    flags = {
        **_common(spec, places, name),
        "socket": str(places.layout.cri(node.name)),
        "docker-socket": places.docker_socket,
        "cluster": spec.name,
        "node": node.name,
        "state-dir": str(state),
    }
    return Component(name, "dockershim", flags, node=_namespace(node, places), folders=(state,))


def _hollow(spec: ClusterSpec, node: NodeSpec, places: Places) -> Component:
    name = f"hollow@{node.name}"
    state = places.layout.node(node.name) / "hollow"
    flags = {
        **_common(spec, places, name),
        "socket": str(places.layout.cri(node.name)),
        "state-dir": str(state),
    }
    return Component(name, "hollow", flags, folders=(state,))


def _kubelet(spec: ClusterSpec, node: NodeSpec, places: Places) -> Component:
    name = f"kubelet@{node.name}"
    address = places.addresses.node(node)
    hosts = tuple(dict.fromkeys((node.name, address, LOOPBACK)))
    identity = Certificate(f"kubelet-{node.name}", f"system:node:{node.name}", ("system:nodes",), hosts)
    root = places.layout.node(node.name) / "kubelet"
    flags = {
        **_common(spec, places, name),
        **_client(places, identity, places.node_server),
        "node-name": node.name,
        "node-ip": address,
        "listen": places.addresses.kubelet_listen(node),
        "cri-socket": str(places.layout.cri(node.name)),
        "root-dir": str(root),
        "cpu": node.cpu,
        "memory": node.memory,
        "node-labels": ",".join(f"{key}={value}" for key, value in sorted(node.labels.items())),
        "cgroup-root": f"{places.cgroup_root}/{node.name}" if spec.isolated else "",
    }
    return Component(name, "kubelet", flags, (identity,), node=_namespace(node, places), folders=(root,))


def _proxy(spec: ClusterSpec, node: NodeSpec, places: Places) -> Component:
    name = f"proxy@{node.name}"
    identity = Certificate("proxy", "system:kube-proxy")
    flags = {
        **_common(spec, places, name),
        **_client(places, identity, places.node_server),
        "node-name": node.name,
        "cluster-cidr": CLUSTER_CIDR,
    }
    return Component(name, "proxy", flags, (identity,), node=_namespace(node, places))
