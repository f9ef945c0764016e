"""What a kubelet says of its node: the Node object, its status and conditions, and the lease that keeps it alive.

https://kubernetes.io/docs/reference/node/node-status/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from machinery.model import conditions as condition_list
from machinery.model.attachments import MANAGED
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.pb import cri_pb2 as cri

KUBELET_VERSION: Final = "v1.36.0"
LEASE_NAMESPACE: Final = "kube-node-lease"
MAX_PODS: Final = 110
MAX_IMAGES: Final = 50
NODE_ANNOTATIONS: Final = {MANAGED: "true"}
_OF_EVERY_RUNTIME: Final = ("RuntimeReady", "NetworkReady")
_OURS: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
_PRESSURES: Final = {  # by type: (reason, message) without the pressure, then with it
    "MemoryPressure": (
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
}


@dataclass(frozen=True, slots=True)
class System:
    """What the machine is."""

    architecture: str
    boot_id: str
    machine_id: str
    system_uuid: str
    kernel_version: str
    os_image: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node has to give."""

    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    system: System
    cpu_millicores: int
    memory_bytes: int
    declared: bool  # its memory is what the user said, not what the machine has
    has_app_armor: bool = False


@dataclass(frozen=True, slots=True)
class RuntimeNote:
    """A condition that a runtime reports beside the two that all report; the node passes it on."""

    type: str
    is_fine: bool
    reason: str
    message: str


class Features(NamedTuple):
    """What a handler of the runtime can do for a pod that asks for it."""

    has_recursive_read_only: bool = False
    has_user_namespaces: bool = False


NO_FEATURES: Final = Features()


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """What the container runtime said last, and whether it can still be relied on."""

    version: str = ""  # "docker://20.10.24"
    problems: tuple[str, ...] = ("container runtime status check may not have completed yet",)
    notes: tuple[RuntimeNote, ...] = ()
    keeps_groups_apart: bool = False  # it knows supplementalGroupsPolicy
    handlers: Mapping[str, Features] = field(default_factory=dict)  # by their names; "" is the default one

    @property
    def is_ready(self) -> bool:
        """Whether containers can run here, with a network."""
        return not self.problems


def runtime_problems(status: cri.RuntimeStatus) -> tuple[str, ...]:
    """Return what keeps the runtime from running pods."""
    problems = []
    found = {condition.type: condition for condition in status.conditions}
    for type_, words in (
        ("RuntimeReady", "container runtime not ready"),
        ("NetworkReady", "container runtime network not ready"),
    ):
        condition = found.get(type_)
        if condition is None:
            problems.append(f"{words}: the runtime does not report {type_}")
        elif not condition.status:
            problems.append(f"{words}: {type_}=false reason:{condition.reason} message:{condition.message}")
    return tuple(problems)


def handler_features(handlers: Iterable[cri.RuntimeHandler]) -> dict[str, Features]:
    """Return what each handler of the runtime can do."""
    return {
        each.name: Features(each.features.recursive_read_only_mounts, each.features.user_namespaces)
        for each in handlers
    }


def runtime_notes(status: cri.RuntimeStatus) -> tuple[RuntimeNote, ...]:
    """Return the conditions that only some runtimes report."""
    return tuple(
        RuntimeNote(each.type, each.status, each.reason, each.message)
        for each in status.conditions
        if each.type not in _OF_EVERY_RUNTIME
    )


def new_restrictions(old: Sequence[NodeCondition], runtime: RuntimeState) -> list[RuntimeNote]:
    """Return what a runtime cannot do that the node has not reported yet."""
    known = {item.type for item in old if item.status == "False"}
    return [note for note in runtime.notes if not note.is_fine and note.type not in known]


def network_is_ready(status: cri.RuntimeStatus) -> bool:
    """Whether pods get addresses."""
    return any(condition.type == "NetworkReady" and condition.status for condition in status.conditions)


def compute_conditions(
    old: Sequence[NodeCondition],
    pressed: Collection[str],
    runtime: RuntimeState,
    *,
    now_text: str,
) -> list[NodeCondition]:
    """Return all conditions: ours as they are now, those of others as they were. `pressed`: the types that are True."""
    result = list(old)
    for type_, (without, with_) in _PRESSURES.items():
        reason, message = with_ if type_ in pressed else without
        result = _set(result, type_, "True" if type_ in pressed else "False", reason, message, now_text)
    for note in runtime.notes:  # one that has always been fine says nothing
        if not note.is_fine or any(item.type == note.type for item in old):
            status = "True" if note.is_fine else "False"
            result = _set(result, note.type, status, note.reason, note.message, now_text)
    if runtime.is_ready:
        return _set(result, "Ready", "True", "KubeletReady", "kubelet is posting ready status", now_text)
    problems = runtime.problems
    message = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return _set(result, "Ready", "False", "KubeletNotReady", message, now_text)


def compute_status(
    machine: Machine,
    runtime: RuntimeState,
    conditions: Sequence[NodeCondition],
    *,
    name: str,
    ips: Iterable[str],
    port: int,
    images: Iterable[cri.Image],
    volumes_in_use: Sequence[str] = (),
    extended: Mapping[str, str] = MappingProxyType({}),
) -> NodeStatus:
    """Return the whole status of a node; `extended`: what others have advertised for it."""
    system = machine.system
    return NodeStatus(
        addresses=[
            *(NodeAddress(type="InternalIP", address=ip) for ip in ips),
            NodeAddress(type="Hostname", address=name),
        ],
        allocatable={**machine.allocatable, **extended},
        capacity={**machine.capacity, **extended},
        conditions=list(conditions),
        daemonEndpoints=NodeDaemonEndpoints(kubeletEndpoint=DaemonEndpoint(Port=port)),
        images=view_images(images),
        volumesInUse=list(volumes_in_use),
        nodeInfo=NodeSystemInfo(
            architecture=system.architecture,
            bootID=system.boot_id,
            containerRuntimeVersion=runtime.version,
            kernelVersion=system.kernel_version,
            kubeProxyVersion="",
            kubeletVersion=KUBELET_VERSION,
            machineID=system.machine_id,
            operatingSystem="linux",
            osImage=system.os_image,
            systemUUID=system.system_uuid,
        ),
        features=NodeFeatures(supplementalGroupsPolicy=runtime.keeps_groups_apart),
        runtimeHandlers=[
            NodeRuntimeHandler(
                name=name,
                features=NodeRuntimeHandlerFeatures(
                    recursiveReadOnlyMounts=each.has_recursive_read_only,
                    userNamespaces=each.has_user_namespaces,
                ),
            )
            for name, each in sorted(runtime.handlers.items())
        ],
    )


def view_images(images: Iterable[cri.Image]) -> list[ContainerImage]:
    """List the largest images, as a node's status does."""
    largest = sorted(images, key=lambda image: image.size, reverse=True)[:MAX_IMAGES]
    return [
        ContainerImage(names=[*image.repo_digests, *image.repo_tags], sizeBytes=int(image.size))
        for image in largest
    ]


def extended_resources(own: Node | None) -> dict[str, str]:
    """Return the extended resources that somebody has advertised in the capacity of a node's status.

    https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/
    """
    return {name: amount for name, amount in _capacity(own).items() if _is_extended(name)}


def withdrawn_resources(own: Node | None) -> list[str]:
    """Return the extended resources that a node still offers to pods, and has no longer."""
    offered = own.status.allocatable if own else {}
    return [name for name in offered if _is_extended(name) and name not in _capacity(own)]


def offers_what_it_has(own: Node) -> bool:
    """Whether pods can have all of the extended resources that are advertised, and no others."""
    advertised, offered = extended_resources(own), own.status.allocatable
    return not withdrawn_resources(own) and all(offered.get(name) == advertised[name] for name in advertised)


def _capacity(own: Node | None) -> Mapping[str, str]:
    return own.status.capacity if own else {}


def _is_extended(name: str) -> bool:
    """Whether a resource is none of Kubernetes' own."""
    domain, slash, _ = name.partition("/")
    return bool(slash) and not f".{domain}".endswith(".kubernetes.io")


def differs(old: NodeStatus, new: NodeStatus) -> bool:
    """Whether a status says anything new; heartbeats do not count."""
    return _without_heartbeats(old) != _without_heartbeats(new)


def new_boot_id(old: NodeStatus, new: NodeStatus) -> str:
    """Return the boot id of a machine that was switched off and on since its last report; "" if it was not."""
    before, now = (status.nodeInfo.bootID if status.nodeInfo else "" for status in (old, new))
    return now if before and now != before else ""


def new_node(
    name: str, labels: Mapping[str, str], taints: Sequence[Taint], system: System, pod_cidr: str = ""
) -> Node:
    """Return the Node object that a kubelet registers; with a pod range where it has one from its host."""
    return Node(
        metadata=ObjectMeta(
            name=name, labels=node_labels(name, labels, system), annotations=dict(NODE_ANNOTATIONS)
        ),
        spec=NodeSpec(taints=list(taints), podCIDR=pod_cidr, podCIDRs=[pod_cidr] if pod_cidr else []),
    )


def node_labels(name: str, labels: Mapping[str, str], system: System) -> dict[str, str]:
    """Return the labels that a kubelet puts on its Node: what it is, and what it was told to."""
    return {
        "beta.kubernetes.io/arch": system.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": system.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        **labels,
    }


def read_labels(pairs: Iterable[str]) -> dict[str, str]:
    """Read "key=value" pairs.

    Raises:
        ValueError: one has no "=".
    """
    labels: dict[str, str] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise ValueError(f"a label is key=value, not {pair!r}")
        labels[key] = value
    return labels


def new_lease(name: str, node_uid: str, *, duration_s: int, renew_text: str) -> Lease:
    """Return the lease of a node, which goes away with it."""
    owner = OwnerReference(apiVersion="v1", kind="Node", name=name, uid=node_uid)
    return Lease(
        metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE, ownerReferences=[owner]),
        spec=LeaseSpec(holderIdentity=name, leaseDurationSeconds=duration_s, renewTime=renew_text),
    )


def renewed(lease: Lease, fresh: Lease) -> Lease:
    """Return the stored lease with what a fresh one says."""
    metadata = msgspec.structs.replace(
        lease.metadata, ownerReferences=fresh.metadata.ownerReferences or lease.metadata.ownerReferences
    )
    return msgspec.structs.replace(lease, metadata=metadata, spec=fresh.spec)


def _set(
    conditions: list[NodeCondition], type_: str, status: str, reason: str, message: str, now_text: str
) -> list[NodeCondition]:
    new = NodeCondition(type=type_, status=status, reason=reason, message=message, lastHeartbeatTime=now_text)
    return condition_list.set_condition(conditions, new, now_text=now_text)


def _without_heartbeats(status: NodeStatus) -> NodeStatus:
    conditions = [
        msgspec.structs.replace(condition, lastHeartbeatTime=None)
        for condition in status.conditions
        if condition.type in _OURS
    ]
    return msgspec.structs.replace(status, conditions=sorted(conditions, key=lambda item: item.type))
