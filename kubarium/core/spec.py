"""A cluster as the user asked for it: what spec.json holds and all else derives from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from kubarium.core.handed_flags import KUBELET_FLAGS, PLANE_FLAGS
from kubarium.core.spec_rules import (
    DEFAULT_PROCESS_MEMORY,
    NAME,
    Profile,
    SpecError,
    check_capacity,
    check_flags,
    check_marks,
    check_name,
    check_process_memory,
    check_published,
    check_taint,
    check_time_scale,
    is_address,
)
from machinery.model.hollow_nodes import LABEL, MOST_NODES, VALUE, node_names

Runtime = Literal["docker", "hollow"]
Dns = Literal["process", "deployment"]
IpFamilies = Literal["ipv4", "ipv4,ipv6"]

DOCKER_SOCKET = "/var/run/docker.sock"
SLOT_PORTS = 10  # ports that a slot has for itself
FIRST_PORT = 6443
_LONGEST_NAME = 24
MAX_SLOTS = 250  # the third octet of the backbone
MAX_NODES = 200
MAX_HOLLOW_PODS = 110  # as of each node, unless it is said
MOST_HOLLOW_PODS = 250  # a node has a /24
MACHINE_NODES = 25  # of each machine where there are several
MAX_MACHINES = 8
TUNNEL_MTU = 1450  # 1500 less the 50 bytes that VXLAN puts before a packet
MAX_INSTANCES = 9  # of one program; the backbone's addresses .1 to .9 are theirs
ETCD, APISERVER, SCHEDULER, CONTROLLERS, DNS = "etcd", "apiserver", "scheduler", "controllers", "dns"
LEAST_MTU = 576  # what every IPv4 host has to take (RFC 791)
MOST_MTU = 9216  # of the usual jumbo frames
PUBLISH = "publish"
HOLLOW_NODES = "hollownodes"
NO_TAINT = "none"
MANY_HOLLOW_NODES = 50  # with more the usual range of pod addresses may be too small
REGISTRY_PORT = 5001  # as kind documents it


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a control-plane program."""

    name: str  # "scheduler" where there is one, else "scheduler-1", "scheduler-2"…
    number: int  # 1-based; decides its address


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node: its name, its place in the address plan, and the capacity that it declares."""

    name: str
    index: int  # 1-based, never used twice in a cluster's life
    cpu: str = ""  # a Kubernetes quantity; "" for what the machine has
    memory: str = ""
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()  # key=value:Effect, from its registration on
    kubelet_args: dict[str, str] = {}  # flags of its kubelet, of KUBELET_FLAGS, without "--"
    bootstrap: bool = False  # whether its kubelet asks for its first certificate with a token


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cluster: its name, its slot among the clusters of this machine, its pace, its processes and nodes."""

    name: str = "kubarium"
    slot: int = 0  # decides ports and the backbone's subnet, so that clusters live side by side
    runtime: Runtime = "docker"
    profile: Profile = "default"
    time_scale: float = 1.0
    api_port: int = 0  # 0: the slot's
    etcd: int = 1  # how many members; 1 or 3
    apiservers: int = 1
    schedulers: int = 1
    controllers: int = 1
    access_log: bool = False  # whether apiservers log each request
    apiserver_args: dict[str, str] = {}  # flags of each apiserver, of APISERVER_FLAGS, without "--"
    controllers_args: dict[str, str] = {}  # likewise, of CONTROLLERS_FLAGS
    scheduler_args: dict[str, str] = {}
    mtu: int = 0  # bytes, of the backbone's links and the pods'; 0: the kernel's own
    listen: str = ""  # this machine's IPv4 address for further machines; "": it is the only one
    machine: int = 1  # the number of this machine; decides its address on the backbone and those of its nodes
    joined: str = ""  # the first machine's address, of a machine that joined it: no control plane runs here
    ip_families: IpFamilies = "ipv4"  # of nodes, pods and Services, the cluster's first one first
    door: str = ""  # the first apiserver's address, of a machine that joined; "": the slot's
    cni_conf: str = ""  # the file with the nodes' CNI configuration; "": dockershim's own
    registry_port: int = 0  # where the cluster's image registry listens; 0: it has none
    dns: Dns = "process"  # whether DNS is a process beside the control plane, or a workload of the cluster
    publish: tuple[str, ...] = ()  # ports of the machine that lead to Services (kubarium.core.publications)
    load_balancer_pool: str = (
        ""  # of the addresses on the backbone; "" for all that are kept for load balancers
    )
    hollow_nodes: int = 0  # simulated ones, all in one process, beside `nodes`
    hollow_cpu: str = "32"  # of each of them; quantities
    hollow_memory: str = "256Gi"
    hollow_pods: int = MAX_HOLLOW_PODS
    hollow_taints: tuple[str, ...] = ()  # of each of them; (): as `taints_of_hollow_nodes` says
    nodes: tuple[NodeSpec, ...] = ()
    next_index: int = 1
    docker_socket: str = DOCKER_SOCKET  # of the engine that its nodes share
    origin: str = ""  # the folder of the programs that started it: of this checkout, or of an installation
    process_memory: str = DEFAULT_PROCESS_MEMORY  # the most of each process of a node
    check_invariants: bool = (
        False  # kubelets check each step of their pods' lives, and end where one is wrong
    )

    def args_of(self, program: str) -> dict[str, str]:
        """Return the flags that are handed to a program of PLANE_FLAGS."""
        args: dict[str, str] = getattr(self, f"{program}_args")
        return args

    @property
    def base_port(self) -> int:
        """The first of the slot's ports: REST, then gRPC, etcd's clients, etcd's peers."""
        return self.api_port or FIRST_PORT + SLOT_PORTS * self.slot

    @property
    def registry(self) -> str:
        """The image registry as the engine, and so each node, knows it; "" where there is none."""
        return f"localhost:{self.registry_port}" if self.registry_port else ""

    @property
    def isolated(self) -> bool:
        """Whether each node is a network namespace of its own (needs root); else all share the machine's."""
        return self.runtime == "docker"

    @property
    def is_dual_stack(self) -> bool:
        """Whether nodes, pods and Services have addresses of both families."""
        return "," in self.ip_families

    @property
    def link_mtu(self) -> int:
        """The largest packet of the backbone's links, in bytes; 0 for the kernel's own."""
        return self.mtu or (TUNNEL_MTU if self.listen else 0)

    @property
    def has_dns(self) -> bool:
        """Whether it has a DNS server: simulated containers ask none."""
        return self.isolated

    @property
    def taints_of_hollow_nodes(self) -> tuple[str, ...]:
        """The taints of hollow nodes: beside real ones nothing real goes there that does not say so."""
        if self.hollow_taints:
            return tuple(each for each in self.hollow_taints if each != NO_TAINT)
        return (f"{LABEL}={VALUE}:NoSchedule",) if self.isolated else ()

    @property
    def hollow_names(self) -> list[str]:
        """The names of the hollow nodes."""
        return node_names(self.hollow_nodes)

    @property
    def bootstraps(self) -> bool:
        """Whether a node gets its first certificate for a token."""
        return any(node.bootstrap for node in self.nodes)

    def instances(self, program: str) -> tuple[Instance, ...]:
        """List the processes of a control-plane program."""
        counts = {
            ETCD: self.etcd,
            APISERVER: self.apiservers,
            SCHEDULER: self.schedulers,
            CONTROLLERS: self.controllers,
            DNS: int(self.has_dns and self.dns == "process"),
            PUBLISH: int(bool(self.publish)),
            HOLLOW_NODES: int(bool(self.hollow_nodes)),
        }
        if counts[program] == 1:
            return (Instance(program, 1),)
        return tuple(Instance(f"{program}-{number}", number) for number in range(1, counts[program] + 1))

    def node(self, name: str) -> NodeSpec:
        """Return the node of that name.

        Raises:
            SpecError: there is none of that name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes) or "none"
        raise SpecError(f'cluster "{self.name}" has no node "{name}" (it has: {known})')

    def with_node(
        self,
        name: str = "",
        *,
        cpu: str = "",
        memory: str = "",
        labels: Mapping[str, str] | None = None,
        taints: Iterable[str] = (),
        kubelet_args: Mapping[str, str] | None = None,
        bootstrap: bool = False,
    ) -> ClusterSpec:
        """Return the spec with one more node; without a name it is called node-N.

        Raises:
            SpecError: there is a node of that name, or what it is to declare cannot be.
        """
        index = self.next_index
        number = index - first_index(self.machine) + 1
        node = NodeSpec(
            name=name or (f"node-{self.machine}-{number}" if self.joined else f"node-{number}"),
            index=index,
            cpu=cpu,
            memory=memory,
            labels=dict(labels or {}),
            taints=tuple(taints),
            kubelet_args=dict(kubelet_args or {}),
            bootstrap=bootstrap or bool(self.joined),
        )
        if any(node.name == other.name for other in self.nodes) or node.name in self.hollow_names:
            raise SpecError(f'cluster "{self.name}" already has a node "{node.name}"')
        return checked(msgspec.structs.replace(self, nodes=(*self.nodes, node), next_index=index + 1))

    def without_node(self, name: str) -> ClusterSpec:
        """Return the spec without a node.

        Raises:
            SpecError: there is none of that name.
        """
        gone = self.node(name)
        return msgspec.structs.replace(self, nodes=tuple(node for node in self.nodes if node is not gone))


def is_cluster_name(text: str) -> bool:
    """Whether a cluster can be called so."""
    return len(text) <= _LONGEST_NAME and NAME.fullmatch(text) is not None


def is_node_name(text: str) -> bool:
    """Whether a node can be called so."""
    return NAME.fullmatch(text) is not None


def checked(spec: ClusterSpec) -> ClusterSpec:
    """Return the spec where it can be built.

    Raises:
        SpecError: it cannot; the message names the field.
    """
    check_name("--name", spec.name, longest=_LONGEST_NAME)
    check_time_scale(spec.time_scale, spec.profile)
    _check_network(spec)
    if not 0 <= spec.api_port <= 65535 - SLOT_PORTS:
        raise SpecError(f"has to be a port below {65535 - SLOT_PORTS}, not {spec.api_port}", "--api-port")
    if not 0 <= spec.registry_port <= 65535:
        raise SpecError(f"has to be a port, not {spec.registry_port}", "--registry")
    if spec.etcd not in {1, 3}:
        raise SpecError(f"has to be 1 or 3 members, not {spec.etcd}", "--etcd")
    check_process_memory(spec.process_memory)
    check_published(spec.publish, spec.load_balancer_pool)
    for field in ("apiservers", "schedulers", "controllers"):
        if not 1 <= (count := getattr(spec, field)) <= MAX_INSTANCES:
            raise SpecError(f"has to be from 1 to {MAX_INSTANCES}, not {count}", f"--{field}")
    _check_count(spec)
    _check_hollow(spec)
    for program, flags in PLANE_FLAGS.items():
        check_flags(spec.args_of(program), flags, f"--{program}-arg")
    for node in spec.nodes:
        _check_node(node)
    return spec


def _check_network(spec: ClusterSpec) -> None:
    if spec.mtu and not LEAST_MTU <= spec.mtu <= MOST_MTU:
        raise SpecError(f"has to be from {LEAST_MTU} to {MOST_MTU} bytes, not {spec.mtu}", "--mtu")
    if spec.listen and not is_address(spec.listen):
        raise SpecError(f'has to be an IPv4 address of this machine, not "{spec.listen}"', "--listen")


def _check_count(spec: ClusterSpec) -> None:
    most = MACHINE_NODES if spec.listen else MAX_NODES
    if len(spec.nodes) > most or spec.next_index > first_index(spec.machine) + most:
        whose = "a machine of several" if spec.listen else "a cluster"
        raise SpecError(f"{whose} has at most {most} nodes in its life", "--nodes")


def _check_hollow(spec: ClusterSpec) -> None:
    if not 0 <= spec.hollow_nodes <= MOST_NODES:
        raise SpecError(f"has to be from 0 to {MOST_NODES}, not {spec.hollow_nodes}", "--hollow-nodes")
    if spec.hollow_nodes and (spec.listen or spec.joined):
        raise SpecError("are of clusters on one machine only, without --listen", "--hollow-nodes")
    if not 1 <= spec.hollow_pods <= MOST_HOLLOW_PODS:
        raise SpecError(f"has to be from 1 to {MOST_HOLLOW_PODS}, not {spec.hollow_pods}", "--hollow-pods")
    for flag, value in (("--hollow-cpu", spec.hollow_cpu), ("--hollow-memory", spec.hollow_memory)):
        check_capacity(flag, value)
    for taint in spec.hollow_taints:
        if taint != NO_TAINT:
            check_taint("--hollow-taint", taint)


def first_index(machine: int) -> int:
    """Return the place in the address plan of a machine's first node."""
    return 1 + (machine - 1) * MACHINE_NODES


def _check_node(node: NodeSpec) -> None:
    check_name("node name", node.name, longest=63)
    for flag, value in (("--cpu", node.cpu), ("--memory", node.memory)):
        if value:
            check_capacity(flag, value)
    check_flags(node.kubelet_args, KUBELET_FLAGS, "--kubelet-arg")
    if node.labels or node.taints:
        check_marks(node.name, node.labels, node.taints)
