"""Every process of a cluster, described once.

A component is an argument list, the certificates that it needs, and what it waits for. The supervisor
launches these as processes; `kubarium.core.compose` writes the same ones as compose services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubarium.core.addresses import (
    CLUSTER_DNS,
    CLUSTER_DOMAIN,
    FIRST_SERVICE_IP,
    LOOPBACK,
    loopback,
)
from kubarium.core.certificates import Certificate
from kubarium.core.network import backbone_namespace
from kubarium.core.places import Places
from kubarium.core.spec import (
    APISERVER,
    CONTROLLERS,
    DNS,
    ETCD,
    HOLLOW_NODES,
    PUBLISH,
    SCHEDULER,
    Instance,
    NodeSpec,
)
from machinery.model.hollow_nodes import USER, names_by_certificate
from machinery.model.machines import MACHINE_ADDRESS

ADMIN = Certificate("admin", "kubernetes-admin", ("system:masters",))
KUBELET_CLIENT = Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client")
ETCD_CLIENT = Certificate("apiserver-etcd-client", "kube-apiserver-etcd-client", authority="etcd-ca")
FRONT_PROXY = Certificate("front-proxy-client", "front-proxy-client", authority="front-proxy-ca")
PROXY = Certificate("proxy", "system:kube-proxy")
_APISERVER_NAMES = (  # no address of a machine: whoever dials one asks for "apiserver" by name
    "localhost",
    "apiserver",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    LOOPBACK,
    FIRST_SERVICE_IP,
)


REGISTRY = "docker-registry"  # the program, as Debian's package of that name has it
_SMALL_BYTES = 1000 * 2**20  # of memory: of a node with less, the 100Mi of Kubernetes would be a large part
IDENTITY_FILES = ("machine-id", "system-uuid", "boot-id")  # in a node's identity folder; flags of its kubelet


@dataclass(frozen=True, slots=True)
class Component:
    """One process: what runs, with which flags, after what, where."""

    name: str  # "scheduler-2", "kubelet@node-1": what `kubarium ps` shows and `kubarium kill` takes
    program: str  # a Python package with a __main__, or an executable
    flags: dict[str, str]
    certificates: tuple[Certificate, ...] = ()
    after: tuple[str, ...] = ()  # programs; started when an instance of each is ready
    node: str = ""  # whose network namespace it runs in, "" for the machine's own
    external: bool = False  # an executable that knows nothing of our readiness protocol
    folders: tuple[str, ...] = field(default=())  # made before the start, mode 0700
    words: tuple[str, ...] = field(default=())  # before the flags

    @property
    def arguments(self) -> list[str]:
        """Write the command line, without the program."""
        return [*self.words, *(f"--{flag}={value}" for flag, value in self.flags.items() if value != "")]


def components(places: Places) -> list[Component]:
    """List every process of a cluster, the control plane first."""
    parts = (node_parts(node, places) for node in places.spec.nodes)
    plane = [] if places.spec.joined else control_plane(places)
    tunnel = [_tunnel(places)] if places.spec.listen else []
    return [*plane, *tunnel, *(part for node in parts for part in node)]


def control_plane(places: Places) -> list[Component]:
    """List the processes of etcd, apiserver, scheduler, controllers and DNS, and where there are such, of published ports and the registry."""
    makers = {
        ETCD: _etcd,
        APISERVER: _apiserver,
        SCHEDULER: _scheduler,
        CONTROLLERS: _controllers,
        DNS: _dns,
        PUBLISH: _publishing,
        HOLLOW_NODES: _hollow_nodes,
    }
    plane = [
        make(each, places) for program, make in makers.items() for each in places.spec.instances(program)
    ]
    return [*plane, _registry(places)] if places.spec.registry_port else plane


def node_parts(node: NodeSpec, places: Places) -> list[Component]:
    """List the processes of a node: its CRI server, its kubelet and, where it has a network, its proxy."""
    if not places.spec.isolated:
        return [_hollow(node, places), _kubelet(node, places)]
    return [_dockershim(node, places), _kubelet(node, places), _proxy(node, places)]


def _common(places: Places, name: str) -> dict[str, str]:
    return {
        "name": name,
        "time-scale": f"{places.spec.time_scale:g}",
        "profile": places.spec.profile,
        "health-socket": str(places.layout.health(name)),
        "faults-file": str(places.layout.faults),
    }


def _on_node(places: Places, name: str) -> dict[str, str]:
    """Return what each process of a node is told; beside the common flags, how much memory it may have."""
    return {**_common(places, name), "memory-limit": places.spec.process_memory}


def _namespace(node: NodeSpec, places: Places) -> str:
    return node.name if places.own_namespaces else ""


def _client(places: Places, certificate: Certificate, server: str) -> dict[str, str]:
    return {
        "server": server,
        "tls-server-name": APISERVER,
        "ca-file": places.authority_file(),
        "cert-file": places.certificate_file(certificate),
        "key-file": places.key_file(certificate),
    }


def _etcd(member: Instance, places: Places) -> Component:
    members = places.spec.instances(ETCD)
    urls = {each.name: f"https://{loopback(each)}:{places.addresses.etcd_peer_port}" for each in members}
    clients = f"{places.addresses.etcd_port}"
    hosts = tuple(dict.fromkeys((ETCD, member.name, "localhost", LOOPBACK, loopback(member))))
    serving = Certificate(member.name, member.name, hosts=hosts, authority="etcd-ca")
    authority = places.authority_file("etcd-ca")
    flags = {
        "name": member.name,
        "data-dir": str(places.layout.etcd(member.name)),
        "listen-client-urls": f"https://{places.etcd_binds(member)}:{clients}",
        "advertise-client-urls": f"https://{places.etcd_host(member)}:{clients}",
        "listen-peer-urls": urls[member.name],
        "initial-advertise-peer-urls": urls[member.name],
        "initial-cluster": ",".join(f"{name}={url}" for name, url in urls.items()),
        "cert-file": places.certificate_file(serving),
        "key-file": places.key_file(serving),
        "trusted-ca-file": authority,
        "client-cert-auth": "true",
        "peer-cert-file": places.certificate_file(serving),
        "peer-key-file": places.key_file(serving),
        "peer-trusted-ca-file": authority,
        "peer-client-cert-auth": "true",
        "log-level": "warn",
        "logger": "zap",
        "heartbeat-interval": "100",  # ms
        # ms. One member elects itself at start, so for it the shortest that goes with the heartbeat; of several, a
        # follower waits at least as long for a leader whose disk is slow.
        "election-timeout": "500" if len(members) == 1 else "1000",
    }
    folders = (str(places.layout.etcd(member.name)),)
    return Component(member.name, ETCD, flags, (serving, ETCD_CLIENT), external=True, folders=folders)


def _apiserver(instance: Instance, places: Places) -> Component:
    addresses = places.addresses
    hosts = tuple(dict.fromkeys((*_APISERVER_NAMES, instance.name, loopback(instance))))
    serving = Certificate(instance.name, "kube-apiserver", hosts=hosts)
    listen = {
        flag: ",".join(f"{host}:{port}" for host in places.doors_bind(instance))
        for flag, port in (("rest-listen", addresses.rest_port), ("grpc-listen", addresses.grpc_port))
    }
    members = places.spec.instances(ETCD)
    flags = {
        **_common(places, instance.name),
        "etcd-servers": ",".join(
            f"https://{places.etcd_host(each)}:{addresses.etcd_port}" for each in members
        ),
        "etcd-ca-file": places.authority_file("etcd-ca"),
        "etcd-cert-file": places.certificate_file(ETCD_CLIENT),
        "etcd-key-file": places.key_file(ETCD_CLIENT),
        **listen,
        "advertise-address": places.advertised(instance),
        "ca-file": places.authority_file(),
        "cert-file": places.certificate_file(serving),
        "key-file": places.key_file(serving),
        "kubelet-cert-file": places.certificate_file(KUBELET_CLIENT),
        "kubelet-key-file": places.key_file(KUBELET_CLIENT),
        "proxy-client-cert-file": places.certificate_file(FRONT_PROXY),
        "proxy-client-key-file": places.key_file(FRONT_PROXY),
        "requestheader-client-ca-file": places.authority_file(FRONT_PROXY.authority),
        "requestheader-allowed-names": FRONT_PROXY.common_name,
        "sa-key-file": str(places.layout.pki / "sa.key"),
        "service-cidr": places.addresses.service_cidr,
        "access-log": "true" if places.spec.access_log else "",
        **places.spec.args_of(APISERVER),
    }
    return Component(
        instance.name, APISERVER, flags, (serving, KUBELET_CLIENT, ETCD_CLIENT, FRONT_PROXY, ADMIN)
    )


def _scheduler(instance: Instance, places: Places) -> Component:
    identity = Certificate(SCHEDULER, "system:kube-scheduler")
    flags = {
        **_common(places, instance.name),
        **_client(places, identity, places.server),
        **places.spec.args_of(SCHEDULER),
    }
    return Component(instance.name, SCHEDULER, flags, (identity,), after=(APISERVER,))


def _controllers(instance: Instance, places: Places) -> Component:
    identity = Certificate(CONTROLLERS, "system:kube-controller-manager")
    flags = {
        **_common(places, instance.name),
        **_client(places, identity, places.server),
        "cluster-cidr": places.addresses.cluster_cidr,
        "load-balancer-pool": places.addresses.balancer_pool,
        "root-ca-file": places.authority_file(),
        "service-account-private-key-file": str(places.layout.pki / "sa.key"),
        "cluster-signing-cert-file": places.authority_file(),
        "cluster-signing-key-file": places.authority_key_file(),
        "check-invariants": "true" if places.spec.check_invariants else "",
        **places.spec.args_of(CONTROLLERS),
    }
    return Component(instance.name, CONTROLLERS, flags, (identity,), after=(APISERVER,))


def _dns(instance: Instance, places: Places) -> Component:
    identity = Certificate(DNS, "system:kube-dns")
    flags = {
        **_common(places, instance.name),
        **_client(places, identity, places.server),
        "listen": places.dns_binds,
        "announce-address": places.dns_host,
        "cluster-dns": CLUSTER_DNS,
        "cluster-domain": CLUSTER_DOMAIN,
    }
    return Component(instance.name, DNS, flags, (identity,), after=(APISERVER,))


def _publishing(instance: Instance, places: Places) -> Component:
    """Describe what forwards published ports: it reads what the nodes' proxies read, so it comes as one of them."""
    flags = {
        **_common(places, instance.name),
        **_client(places, PROXY, places.server),
        "publish": ",".join(places.spec.publish),
        "cluster": places.spec.name if places.own_namespaces else "",
    }
    return Component(instance.name, "kubarium.publishing", flags, (PROXY,), after=(APISERVER,))


def _hollow_nodes(instance: Instance, places: Places) -> Component:
    """Describe the host of the hollow nodes. It comes as one user for all of them, in the kubelets' group."""
    spec, root = places.spec, str(places.layout.nodes / instance.name)
    identity = Certificate(HOLLOW_NODES, USER, ("system:nodes",))
    serving = tuple(
        Certificate(f"{HOLLOW_NODES}-serving-{number}", USER, hosts=tuple(names), is_client=False)
        for number, names in enumerate(names_by_certificate(spec.hollow_nodes), 1)
    )
    flags = {
        **_common(places, instance.name),
        **_client(places, identity, places.server),
        "nodes": str(spec.hollow_nodes),
        "serving-certs": ",".join(map(places.certificate_file, serving)),
        "serving-keys": ",".join(map(places.key_file, serving)),
        "root-dir": root,
        "cpu": spec.hollow_cpu,
        "memory": spec.hollow_memory,
        "pods": str(spec.hollow_pods),
        "register-with-taints": ",".join(spec.taints_of_hollow_nodes),
        "pod-ranges": places.addresses.hollow_ranges,
        "cluster-domain": CLUSTER_DOMAIN,
        "check-invariants": "true" if spec.check_invariants else "",
    }
    return Component(
        instance.name, HOLLOW_NODES, flags, (identity, *serving), after=(APISERVER,), folders=(root,)
    )


def _registry(places: Places) -> Component:
    """Describe the image registry: Debian's docker-registry, which speaks plain HTTP on loopback as engines expect there."""
    file = str(places.layout.registry / "config.yml")
    folders = (str(places.layout.registry),)
    return Component("registry", REGISTRY, {}, external=True, folders=folders, words=("serve", file))


def registry_config(places: Places) -> dict[str, Any]:
    """Return the registry's configuration."""
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(places.layout.registry / "images")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"{LOOPBACK}:{places.spec.registry_port}"},
    }


def _dockershim(node: NodeSpec, places: Places) -> Component:
    name = f"dockershim@{node.name}"
    state = str(places.layout.node(node.name) / "dockershim")
    flags = {
        **_on_node(places, name),
        "socket": str(places.layout.cri(node.name)),
        "docker-socket": places.docker_socket,
        "cluster": places.spec.name,
        "node": node.name,
        "state-dir": state,
        "cni-conf-dirs": str(places.layout.cni(node.name)),
        "cni-conf": places.spec.cni_conf,
    }
    return Component(name, "dockershim", flags, node=_namespace(node, places), folders=(state,))


def _hollow(node: NodeSpec, places: Places) -> Component:
    name = f"hollow@{node.name}"
    state = str(places.layout.node(node.name) / "hollow")
    flags = {
        **_on_node(places, name),
        "socket": str(places.layout.cri(node.name)),
        "state-dir": state,
        "boot-id-file": str(places.layout.identity(node.name) / "boot-id"),
    }
    return Component(name, "hollow", flags, folders=(state,))


def _kubelet(node: NodeSpec, places: Places) -> Component:
    name = f"kubelet@{node.name}"
    identity = kubelet_certificate(node, is_joined=bool(places.spec.joined))
    root, identity_folder = str(places.layout.node(node.name) / "kubelet"), places.layout.identity(node.name)
    flags = {
        **_on_node(places, name),
        **_kubelet_identity(node, identity, places),
        "node-name": node.name,
        "node-ip": ",".join(places.addresses.node_ips(node)),
        "listen": places.addresses.kubelet_listen(node),
        "cri-socket": str(places.layout.cri(node.name)),
        "root-dir": root,
        **{f"{name}-file": str(identity_folder / name) for name in IDENTITY_FILES},
        "cluster-dns": CLUSTER_DNS if places.spec.has_dns else "",
        "cluster-domain": CLUSTER_DOMAIN,
        "cpu": node.cpu,
        "memory": node.memory,
        "node-labels": ",".join(f"{key}={value}" for key, value in sorted(_labels(node, places).items())),
        "register-with-taints": ",".join(node.taints),
        "cgroup-root": f"{places.cgroup_root}/{node.name}" if places.spec.isolated else "",
        "check-invariants": "true" if places.spec.check_invariants else "",
        "eviction-hard": _hard_thresholds(node),
        "image-gc-high-threshold": "100",  # the engine's disk is the machine's, too
        **({"rotate-server-certificates": "true"} if places.spec.joined else {}),
        **node.kubelet_args,
    }
    return Component(name, "kubelet", flags, (identity,), node=_namespace(node, places), folders=(root,))


def _hard_thresholds(node: NodeSpec) -> str:
    """Return below which amounts a node's kubelet evicts pods: of memory only, of which a node has its own.

    The disk is that of a machine on which others work, too: how full it is says nothing of the node.
    """
    from machinery.model.quantity import memory_bytes  # most nodes declare nothing

    is_small = bool(node.memory) and memory_bytes(node.memory) < _SMALL_BYTES
    return "memory.available<10%" if is_small else "memory.available<100Mi"


def _labels(node: NodeSpec, places: Places) -> dict[str, str]:
    machine = {MACHINE_ADDRESS: places.spec.listen} if places.spec.listen else {}
    return {**node.labels, **machine}


def kubelet_certificate(node: NodeSpec, *, is_joined: bool = False) -> Certificate:
    """Return the certificate that a node's kubelet is given: one to serve with, and to begin with unless it bootstraps.

    A machine that joined has no key of the cluster's authority: what its kubelets serve with at first nobody trusts, until
    they get what they ask for.
    """
    user = f"system:node:{node.name}"
    if node.bootstrap:
        authority = "machine-ca" if is_joined else "ca"
        return Certificate(
            f"kubelet-{node.name}-serving", user, hosts=(node.name,), authority=authority, is_client=False
        )
    return Certificate(f"kubelet-{node.name}", user, ("system:nodes",), hosts=(node.name,))


def _kubelet_identity(node: NodeSpec, certificate: Certificate, places: Places) -> dict[str, str]:
    client = _client(places, certificate, places.node_server)
    if not node.bootstrap:
        return client
    return {
        **{flag: value for flag, value in client.items() if flag not in {"cert-file", "key-file"}},
        "tls-cert-file": client["cert-file"],
        "tls-private-key-file": client["key-file"],
        "bootstrap-kubeconfig": str(places.layout.bootstrap_kubeconfig),
    }


def _tunnel(places: Places) -> Component:
    """Describe what keeps the peers of this machine's tunnel."""
    spec = places.spec
    flags = {
        **_common(places, "tunnel"),
        **_client(places, PROXY, places.node_server),
        "tunnel": backbone_namespace(spec.name),
        "tunnel-address": spec.listen,
        "tunnel-peers": spec.joined,
    }
    return Component("tunnel", "proxy", flags, (PROXY,), after=() if spec.joined else (APISERVER,))


def _proxy(node: NodeSpec, places: Places) -> Component:
    name = f"proxy@{node.name}"
    flags = {
        **_on_node(places, name),
        **_client(places, PROXY, places.node_server),
        "node-name": node.name,
        "cluster-cidr": places.addresses.cluster_cidr,
    }
    return Component(name, "proxy", flags, (PROXY,), node=_namespace(node, places))
