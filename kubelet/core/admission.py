"""Whether a node takes a pod that was bound to it.

The scheduler has decided already, but on what it knew: two schedulers, or a node that was resized meanwhile, can
bind more than there is. A pod that does not fit is never started: its phase becomes Failed, with these reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from machinery.model import quantity
from machinery.model.k8s.core_v1 import (
    ContainerPort,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
)
from machinery.model.pods import PodRequests, is_sidecar, is_terminal, requests
from machinery.model.selectors import Requirement

_ANY_ADDRESS: Final = "0.0.0.0"
_OPERATORS: Final = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": ">",
    "Lt": "<",
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a node does not take a pod, as its status says."""

    reason: str
    message: str


def admit(
    pod: Pod,
    others: Iterable[Pod],
    allocatable: Mapping[str, str],
    labels: Mapping[str, str] | None,
) -> Rejection | None:
    """Check a new pod against the node; None when it may run.

    Args:
        pod: the pod that is bound to the node.
        others: the pods that the node has already taken.
        allocatable: what the node has for pods.
        labels: the node's labels; None where they are not known yet: then they are not checked.
    """
    taken = [other for other in others if not is_terminal(other)]
    return (
        _out_of_pods(taken, allocatable)
        or _out_of_resources(pod, taken, allocatable)
        or _misplaced(pod, labels)
        or _out_of_ports(pod, taken)
    )


def _out_of_pods(taken: list[Pod], allocatable: Mapping[str, str]) -> Rejection | None:
    if "pods" not in allocatable:
        return None
    limit = int(quantity.parse(allocatable["pods"]))
    return _lacking("pods", 1, len(taken), limit) if len(taken) + 1 > limit else None


def _out_of_resources(pod: Pod, taken: list[Pod], allocatable: Mapping[str, str]) -> Rejection | None:
    wanted = _by_name(requests(pod))
    used: dict[str, int] = {}
    for other in taken:
        for name, amount in _by_name(requests(other)).items():
            used[name] = used.get(name, 0) + amount
    for name, amount in wanted.items():
        capacity = _capacity(name, allocatable)
        if capacity is not None and amount > 0 and used.get(name, 0) + amount > capacity:
            return _lacking(name, amount, used.get(name, 0), capacity)
    return None


def _by_name(amounts: PodRequests) -> dict[str, int]:
    return {
        "cpu": amounts.cpu_millicores,
        "memory": amounts.memory_bytes,
        "ephemeral-storage": amounts.ephemeral_bytes,
        **amounts.extended,
    }


def _capacity(name: str, allocatable: Mapping[str, str]) -> int | None:
    """Give what there is; None for what the node does not know, an extended resource of the whole cluster perhaps."""
    if name not in allocatable:
        return None
    amount = quantity.parse(allocatable[name])
    return int(amount * 1000) if name == "cpu" else int(amount)


def _lacking(name: str, wanted: int, used: int, capacity: int) -> Rejection:
    message = (
        f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}"
    )
    return Rejection(f"OutOf{name}", message)


def _misplaced(pod: Pod, labels: Mapping[str, str] | None) -> Rejection | None:
    if labels is None or _selects(pod, labels):
        return None
    return Rejection(
        "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    )


def _out_of_ports(pod: Pod, taken: list[Pod]) -> Rejection | None:
    """A port of the node leads to one pod; on different addresses the same number is two ports."""
    used = [port for other in taken for port in _host_ports(other)]
    if not any(_collide(own, port) for own in _host_ports(pod) for port in used):
        return None
    return Rejection(
        "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    )


def _host_ports(pod: Pod) -> list[ContainerPort]:
    """Give the ports of the node that a pod holds as long as it runs (the apiserver sets those of hostNetwork)."""
    lasting = [*filter(is_sidecar, pod.spec.initContainers), *pod.spec.containers]
    return [port for container in lasting for port in container.ports if port.hostPort]


def _collide(left: ContainerPort, right: ContainerPort) -> bool:
    if (left.hostPort, left.protocol or "TCP") != (right.hostPort, right.protocol or "TCP"):
        return False
    addresses = {left.hostIP or _ANY_ADDRESS, right.hostIP or _ANY_ADDRESS}
    return len(addresses) == 1 or _ANY_ADDRESS in addresses


def _selects(pod: Pod, labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in pod.spec.nodeSelector.items()):
        return False
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    return required is None or _matches(required, labels, pod.spec.nodeName)


def _matches(selector: NodeSelector, labels: Mapping[str, str], node: str) -> bool:
    return any(_matches_term(term, labels, node) for term in selector.nodeSelectorTerms)


def _matches_term(term: NodeSelectorTerm, labels: Mapping[str, str], node: str) -> bool:
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": node}
    return all(_holds(each, labels) for each in term.matchExpressions) and all(
        _holds(each, fields) for each in term.matchFields
    )


def _holds(item: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    return Requirement(item.key, _OPERATORS[item.operator], tuple(item.values)).matches(values)
