"""Whether a node takes a pod that was bound to it.

The scheduler has decided already, but on what it knew: two schedulers, or a node that was resized meanwhile, can
bind more than there is. A pod that does not fit is never started: its phase becomes Failed, with these reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kubelet.core.eviction import words
from kubelet.core.eviction.ranking import is_critical
from kubelet.core.security import app_armor_profiles, wants_strict_groups
from kubelet.core.sysctls import AllowedSysctls
from kubelet.core.taken import Taken
from machinery.model.k8s.core_v1 import AppArmorProfile, Pod, Taint
from machinery.model.placement import (
    PODS,
    host_ports,
    is_address_taken,
    is_short,
    read_allocatable,
    requests_by_name,
    selects_node,
)
from machinery.model.pods import BEST_EFFORT, qos_class, requests
from machinery.model.taints import MEMORY_PRESSURE, tolerates

_SHORT_OF_MEMORY: Final = frozenset({"MemoryPressure"})
_MEMORY_TAINT: Final = Taint(key=MEMORY_PRESSURE, effect="NoSchedule")
MAX_CONTAINERS: Final = 500  # of one pod, init containers included


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a node does not take a pod, as its status says."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a pod may ask for beside resources, and only some nodes can give."""

    sysctls: AllowedSysctls = field(default_factory=AllowedSysctls)
    has_app_armor: bool = False  # the kernel's module is enabled
    keeps_groups_apart: bool = False  # the runtime knows supplementalGroupsPolicy
    pressures: frozenset[str] = frozenset()  # conditions of the node that keep pods away: MemoryPressure


def admit(
    pod: Pod,
    taken: Taken,
    allocatable: Mapping[str, str],
    labels: Mapping[str, str] | None,
    abilities: Abilities,
) -> Rejection | None:
    """Check a new pod against the node; None when it may run.

    Args:
        pod: the pod that is bound to the node.
        taken: what the node has taken already.
        allocatable: what the node has for pods.
        labels: the node's labels; None where they are not known yet: then they are not checked.
        abilities: what else the node can give.
    """
    capacity = read_allocatable(allocatable)
    return (
        _for_another_system(pod)
        or _too_many(pod)
        or _under_pressure(pod, abilities.pressures)
        or _out_of_pods(taken, capacity)
        or _out_of_resources(pod, taken, capacity)
        or _misplaced(pod, labels)
        or _out_of_ports(pod, taken)
        or _unable(pod, abilities)
    )


def _for_another_system(pod: Pod) -> Rejection | None:
    if pod.spec.os is None or pod.spec.os.name in {"", "linux"}:
        return None
    return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")


def _too_many(pod: Pod) -> Rejection | None:
    """Each step of a pod's life looks at each of its containers, while the node's other pods wait."""
    count = len(pod.spec.initContainers) + len(pod.spec.containers)
    if count <= MAX_CONTAINERS:
        return None
    return Rejection(
        "TooManyContainers", f"a node takes pods of at most {MAX_CONTAINERS} containers, not of {count}"
    )


def _under_pressure(pod: Pod, pressures: frozenset[str]) -> Rejection | None:
    """Short of memory a node takes pods that ask for some, short of anything else none; the cluster's own always.

    https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-conditions
    """
    if not pressures or is_critical(pod):
        return None
    if pressures == _SHORT_OF_MEMORY and (
        qos_class(pod) != BEST_EFFORT or tolerates(pod.spec.tolerations, _MEMORY_TAINT)
    ):
        return None
    return Rejection(words.EVICTED, words.condition(pressures))


def _out_of_pods(taken: Taken, capacity: Mapping[str, int]) -> Rejection | None:
    if PODS not in capacity or not is_short(1, len(taken), capacity[PODS]):
        return None
    return _lacking(PODS, 1, len(taken), capacity[PODS])


def _out_of_resources(pod: Pod, taken: Taken, capacity: Mapping[str, int]) -> Rejection | None:
    """Check what the node knows: an extended resource that it does not may be one of the whole cluster."""
    used = taken.amounts
    for name, amount in requests_by_name(requests(pod)).items():
        if name in capacity and is_short(amount, used.get(name, 0), capacity[name]):
            return _lacking(name, amount, used.get(name, 0), capacity[name])
    return None


def _lacking(name: str, wanted: int, used: int, capacity: int) -> Rejection:
    message = (
        f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}"
    )
    return Rejection(f"OutOf{name}", message)


def _misplaced(pod: Pod, labels: Mapping[str, str] | None) -> Rejection | None:
    spec = pod.spec
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    if labels is None or selects_node(spec.nodeSelector, affinity, labels, spec.nodeName):
        return None
    return Rejection(
        "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    )


def _out_of_ports(pod: Pod, taken: Taken) -> Rejection | None:
    """A port of the node leads to one pod; on different addresses the same number is two ports."""
    wanted = host_ports(pod.spec)
    if not any(is_address_taken(port.ip, taken.addresses(port.protocol, port.port)) for port in wanted):
        return None
    return Rejection(
        "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    )


def _unable(pod: Pod, abilities: Abilities) -> Rejection | None:
    if problem := abilities.sysctls.problem(pod):
        return Rejection("SysctlForbidden", f"forbidden sysctl: {problem}")
    if wants_strict_groups(pod) and not abilities.keeps_groups_apart:
        text = "SupplementalGroupsPolicy=Strict is not supported in this node"
        return Rejection("SupplementalGroupsPolicyNotSupported", text)
    if not abilities.has_app_armor and any(map(_confines, app_armor_profiles(pod))):
        return Rejection("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    return None


def _confines(profile: AppArmorProfile) -> bool:
    return profile.type != "Unconfined"
