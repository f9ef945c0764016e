"""A cluster as the user asked for it: what spec.json holds and all else derives from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from machinery.model.hollow_nodes import LABEL, MOST_NODES, VALUE, node_names
from machinery.model.profile import intervals

Runtime = Literal["docker", "hollow"]
Profile = Literal["default", "fast"]
Dns = Literal["process", "deployment"]
IpFamilies = Literal["ipv4", "ipv4,ipv6"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KUBERNETES = re.compile(r"(^|\.)(kubernetes|k8s)\.io$")
_KUBELETS = re.compile(r"(^|\.)(kubelet|node)\.kubernetes\.io$")
ZONE = "topology.kubernetes.io/zone"
_TOPOLOGY = frozenset({ZONE, "topology.kubernetes.io/region"})
_CAPACITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?")
DOCKER_SOCKET = "/var/run/docker.sock"
SLOT_PORTS = 10  # ports that a slot has for itself
FIRST_PORT = 6443
_LONGEST_NAME = 24
DEFAULT_PROCESS_MEMORY = "1Gi"
LEAST_PROCESS_MEMORY = "256Mi"  # one that has just started has 110 Mi, its threads' stacks included
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
LEAST_RENEWAL_S = 0.25  # of real time: machines that are busy keep leaders waiting for so long
REGISTRY_PORT = 5001  # as kind documents it
KUBELET_FLAGS = (  # those that a user may hand to a kubelet; all others follow from the cluster
    "allowed-unsafe-sysctls",
    "container-log-max-files",
    "container-log-max-size",
    "eviction-hard",
    "eviction-max-pod-grace-period-s",
    "eviction-minimum-reclaim",
    "eviction-pressure-transition-period-s",
    "eviction-soft",
    "eviction-soft-grace-period",
    "image-gc-high-threshold",
    "image-gc-low-threshold",
    "image-maximum-gc-age-s",
    "image-minimum-gc-age-s",
    "image-pull-credentials-verification-policy",
    "log-level",
    "maximum-dead-containers",
    "maximum-dead-containers-per-container",
    "minimum-container-ttl-s",
    "node-status-update-s",
    "preloaded-images-verification-allowlist",
    "record-messages",
    "rotate-certificates",
    "rotate-server-certificates",
)
APISERVER_FLAGS = (  # those that a user may hand to the apiservers
    "admission-control-config-file",
    "audit-log-compress",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "audit-policy-file",
    "audit-webhook-batch-buffer-size",
    "audit-webhook-batch-max-size",
    "audit-webhook-batch-max-wait-s",
    "audit-webhook-config-file",
    "authentication-config",
    "authorization-config",
    "disable-admission-plugins",
    "enable-admission-plugins",
    "log-level",
    "max-requests-inflight",
    "record-messages",
)
CONTROLLERS_FLAGS = (  # those that a user may hand to the controllers
    "cluster-signing-duration-s",
    "controllers",
    "horizontal-pod-autoscaler-cpu-initialization-period-s",
    "horizontal-pod-autoscaler-downscale-stabilization-s",
    "horizontal-pod-autoscaler-initial-readiness-delay-s",
    "horizontal-pod-autoscaler-sync-period-s",
    "horizontal-pod-autoscaler-tolerance",
    "large-cluster-size-threshold",
    "legacy-service-account-token-clean-up-period-s",
    "log-level",
    "node-eviction-rate",
    "record-messages",
    "secondary-node-eviction-rate",
    "terminated-pod-gc-threshold",
    "unhealthy-zone-threshold",
)
SCHEDULER_FLAGS = (  # those that a user may hand to the schedulers
    "bind-timeout-s",
    "bindings",
    "config",
    "confirm-s",
    "log-level",
    "record-messages",
    "requests",
    "volume-bind-timeout-s",
)
PLANE_FLAGS: Mapping[str, tuple[str, ...]] = {  # by the program: see `ClusterSpec.args_of`
    APISERVER: APISERVER_FLAGS,
    CONTROLLERS: CONTROLLERS_FLAGS,
    SCHEDULER: SCHEDULER_FLAGS,
}


class SpecError(ValueError):
    """The cluster that was asked for cannot be: why, and the option that it is about ("" where it is about none)."""

    def __init__(self, why: str, option: str = "") -> None:
        super().__init__(f"{option}: {why}" if option else why)
        self.why = why


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
    return len(text) <= _LONGEST_NAME and _LABEL.fullmatch(text) is not None


def is_node_name(text: str) -> bool:
    """Whether a node can be called so."""
    return _LABEL.fullmatch(text) is not None


def checked(spec: ClusterSpec) -> ClusterSpec:
    """Return the spec where it can be built.

    Raises:
        SpecError: it cannot; the message names the field.
    """
    _check_label("--name", spec.name, longest=_LONGEST_NAME)
    _check_time_scale(spec.time_scale, spec.profile)
    _check_network(spec)
    if not 0 <= spec.api_port <= 65535 - SLOT_PORTS:
        raise SpecError(f"has to be a port below {65535 - SLOT_PORTS}, not {spec.api_port}", "--api-port")
    if not 0 <= spec.registry_port <= 65535:
        raise SpecError(f"has to be a port, not {spec.registry_port}", "--registry")
    if spec.etcd not in {1, 3}:
        raise SpecError(f"has to be 1 or 3 members, not {spec.etcd}", "--etcd")
    _check_process_memory(spec.process_memory)
    _check_published(spec)
    for field in ("apiservers", "schedulers", "controllers"):
        if not 1 <= (count := getattr(spec, field)) <= MAX_INSTANCES:
            raise SpecError(f"has to be from 1 to {MAX_INSTANCES}, not {count}", f"--{field}")
    _check_count(spec)
    _check_hollow(spec)
    for program, flags in PLANE_FLAGS.items():
        _check_flags(spec.args_of(program), flags, f"--{program}-arg")
    for node in spec.nodes:
        _check_node(node)
    return spec


def _check_network(spec: ClusterSpec) -> None:
    if spec.mtu and not LEAST_MTU <= spec.mtu <= MOST_MTU:
        raise SpecError(f"has to be from {LEAST_MTU} to {MOST_MTU} bytes, not {spec.mtu}", "--mtu")
    if spec.listen and not _is_address(spec.listen):
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
        _check_capacity(flag, value)
    for taint in spec.hollow_taints:
        if taint != NO_TAINT:
            _check_taint("--hollow-taint", taint)


def first_index(machine: int) -> int:
    """Return the place in the address plan of a machine's first node."""
    return 1 + (machine - 1) * MACHINE_NODES


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isdecimal() and part == str(int(part)) and int(part) < 256 for part in parts
    )


def _check_flags(handed: Iterable[str], known: tuple[str, ...], option: str) -> None:
    for name in handed:
        if name not in known:
            raise SpecError(f'"{name}" is no flag to hand on (there are: {", ".join(known)})', option)


def _check_time_scale(scale: float, profile: Profile) -> None:
    renewal_s = intervals(profile).leader_renew_deadline_s
    if not 0 < scale <= renewal_s / LEAST_RENEWAL_S:
        most = f"{renewal_s / LEAST_RENEWAL_S:g} (with the profile {profile})"
        why = (
            f", or leaders have less than {LEAST_RENEWAL_S:g} s to renew their leases in" if scale > 0 else ""
        )
        raise SpecError(f"has to be above 0 and at most {most}, not {scale:g}{why}", "--time-scale")


def _check_process_memory(text: str) -> None:
    if text == DEFAULT_PROCESS_MEMORY:
        return
    from machinery.model.quantity import memory_bytes  # few clusters have another

    if not _CAPACITY.fullmatch(text):
        raise SpecError(f'"{text}" is no quantity; write it as 512Mi or 4Gi', "--process-memory")
    if memory_bytes(text) < memory_bytes(LEAST_PROCESS_MEMORY):
        raise SpecError(f"has to be at least {LEAST_PROCESS_MEMORY}, not {text}", "--process-memory")


def _check_published(spec: ClusterSpec) -> None:
    if spec.publish:
        from kubarium.core.publications import read_publication, twice  # few clusters have any

        try:
            again = twice(map(read_publication, spec.publish))
        except ValueError as error:
            raise SpecError(str(error), "--publish") from error
        if again:
            raise SpecError(f"{again} is there twice", "--publish")
    if spec.load_balancer_pool:
        from kubarium.core.balancer_pool import read_pool

        try:
            read_pool(spec.load_balancer_pool)
        except ValueError as error:
            raise SpecError(str(error), "--load-balancer-pool") from error


def _check_node(node: NodeSpec) -> None:
    _check_label("node name", node.name, longest=63)
    for flag, value in (("--cpu", node.cpu), ("--memory", node.memory)):
        if value:
            _check_capacity(flag, value)
    _check_flags(node.kubelet_args, KUBELET_FLAGS, "--kubelet-arg")
    if node.labels or node.taints:
        _check_marks(node)


def _check_capacity(flag: str, value: str) -> None:
    if not _CAPACITY.fullmatch(value):
        raise SpecError(f'"{value}" is no quantity; write it as 2, 500m, 512Mi or 4Gi', flag)
    if not re.search("[1-9]", value):
        raise SpecError(f"has to be above 0, not {value}", flag)


def _check_taint(flag: str, text: str) -> None:
    from machinery.model.taints import read_taint

    try:
        read_taint(text)
    except ValueError as error:
        raise SpecError(str(error), flag) from error


def _check_marks(node: NodeSpec) -> None:
    """Check labels and taints: a kubelet could not register a node with what the apiserver refuses."""
    from machinery.model.names import label_key_errors, label_value_errors  # few clusters have any

    for key, value in node.labels.items():
        if wrong := [*label_key_errors(key), *label_value_errors(value)]:
            raise SpecError(f'"{key}={value}": {wrong[0]}', "--label")
        if not _may_label_itself(key):
            raise SpecError(
                f'"{key}" is kept for administrators (NodeRestriction): '
                f"`kubectl label node {node.name} {key}={value}` sets it",
                "--label",
            )
    for taint in node.taints:
        _check_taint("--taint", taint)


def _may_label_itself(key: str) -> bool:
    """Whether a kubelet may set a label: of Kubernetes' own only those for topology and for kubelets.

    https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
    """
    prefix, slash, _ = key.rpartition("/")
    if not slash or not _KUBERNETES.search(prefix):
        return True
    return key in _TOPOLOGY or _KUBELETS.search(prefix) is not None


def _check_label(what: str, value: str, *, longest: int) -> None:
    if len(value) > longest or not _LABEL.fullmatch(value):
        raise SpecError(
            f'"{value}" has to be lower-case letters, digits and "-", '
            f"starting and ending with a letter or digit, at most {longest} long",
            what,
        )
