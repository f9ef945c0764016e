"""What one node and its pods say of a pod, straight from the documentation: labels, taints, ports, requests and images.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-requests-are-scheduled
It reads API objects and shares no code with the scheduler. Of containers it knows those that all run at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction

from machinery.model.k8s.core_v1 import Node, NodeSelectorTerm, Pod, Taint, Toleration

_UNITS = {
    "m": Fraction(1, 1000),
    "Ki": Fraction(1024),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
    "": Fraction(1),
}
_CPU_UNASKED, _MEMORY_UNASKED = (
    Fraction("0.1"),
    Fraction(200 * 1024**2),
)  # what counts where nodes are compared
_MIB = 1024**2


def reasons(pod: Pod, node: Node, pods: Collection[Pod]) -> list[str]:
    """Return why a pod cannot go to a node with these pods, by what the node alone decides; the first rule that says no."""
    cordon = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
    if node.spec.unschedulable and not _tolerates(pod, cordon):
        return ["node(s) were unschedulable"]
    if not tolerates_all(pod, node):
        return ["node(s) had untolerated taint(s)"]
    if not is_selected(pod, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if any(_collide(one, other) for one in _ports(pod) for each in pods for other in _ports(each)):
        return ["node(s) didn't have free ports for the requested pod ports"]
    return _short(pod, node, pods)


def tolerates_all(pod: Pod, node: Node) -> bool:
    """Whether a pod tolerates all taints that keep pods away."""
    return all(
        _tolerates(pod, each) for each in node.spec.taints if each.effect in {"NoSchedule", "NoExecute"}
    )


def avoided(pod: Pod, node: Node) -> int:
    """Count the taints that the pod had rather avoid."""
    return sum(each.effect == "PreferNoSchedule" and not _tolerates(pod, each) for each in node.spec.taints)


def is_selected(pod: Pod, node: Node) -> bool:
    """Whether nodeSelector and, where there are required terms, one of these match."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in pod.spec.nodeSelector.items()):
        return False
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    return required is None or any(_matches(term, node) for term in required.nodeSelectorTerms)


def preferred(pod: Pod, node: Node) -> int:
    """Add up the weights of the preferred terms that match."""
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    terms = affinity.preferredDuringSchedulingIgnoredDuringExecution if affinity else []
    return sum(each.weight for each in terms if _matches(each.preference, node))


def least_allocated(pod: Pod, node: Node, pods: Collection[Pod]) -> int:
    """Return 0 to 100: the mean of what is left of cpu and memory, of that which the node has."""
    points = []
    for name, unasked in (("cpu", _CPU_UNASKED), ("memory", _MEMORY_UNASKED)):
        whole = _amount(node.status.allocatable.get(name, "0"))
        used = sum((_requested(each, name, unasked) for each in (*pods, pod)), Fraction(0))
        if whole:
            points.append(int((whole - used) * 100 / whole) if used <= whole else 0)
    return sum(points) // len(points) if points else 0


def balance(pod: Pod, node: Node, pods: Collection[Pod]) -> int:
    """Return 0 to 100, more where cpu and memory are used alike; a pod that asks for neither has nothing to balance."""
    names = ("cpu", "memory")
    if not any(_requested(pod, name) for name in names):
        return 0
    shares = []
    for name in names:
        used = sum((_requested(each, name) for each in (*pods, pod)), Fraction(0))
        shares.append(min(1.0, float(used / _amount(node.status.allocatable[name]))))
    return int((1 - abs(shares[0] - shares[1]) / 2) * 100)


def locality(pod: Pod, node: Node, nodes: Collection[Node]) -> int:
    """Return 0 to 100: how much of the pod's images the node has, each by the share of nodes that have it."""
    wanted = [each.image for each in pod.spec.containers]
    total = 0
    for image in wanted:
        sizes = [each.sizeBytes or 0 for each in node.status.images if image in each.names]
        having = sum(any(image in each.names for each in other.status.images) for other in nodes)
        total += sum(int(size * (having / len(nodes))) for size in sizes)
    least, most = 23 * _MIB, 1000 * _MIB * len(wanted)
    return 100 * (min(max(total, least), most) - least) // (most - least)


def _tolerates(pod: Pod, taint: Taint) -> bool:
    return any(_covers(each, taint) for each in pod.spec.tolerations)


def _covers(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and (toleration.value or "") == (taint.value or "")


def _matches(term: NodeSelectorTerm, node: Node) -> bool:
    fields = {"metadata.name": node.metadata.name}
    wanted = [
        *((each, node.metadata.labels) for each in term.matchExpressions),
        *((each, fields) for each in term.matchFields),
    ]
    return bool(wanted) and all(_holds(each, labels) for each, labels in wanted)


def _holds(requirement: object, labels: Mapping[str, str]) -> bool:
    key, values = requirement.key, requirement.values  # type: ignore[attr-defined]
    match requirement.operator:  # type: ignore[attr-defined]
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt":
            return key in labels and int(labels[key]) > int(values[0])
        case "Lt":
            return key in labels and int(labels[key]) < int(values[0])
    raise ValueError(f"there is no operator {requirement}")


def _ports(pod: Pod) -> Iterable[tuple[str, int, str]]:
    for each in pod.spec.containers:
        for port in each.ports:
            if port.hostPort:
                yield port.protocol or "TCP", port.hostPort, port.hostIP or "0.0.0.0"


def _collide(one: tuple[str, int, str], other: tuple[str, int, str]) -> bool:
    return one[:2] == other[:2] and (one[2] == other[2] or "0.0.0.0" in {one[2], other[2]})


def _short(pod: Pod, node: Node, pods: Collection[Pod]) -> list[str]:
    whole = node.status.allocatable
    found = ["Too many pods"] if len(pods) >= int(whole["pods"]) else []
    names = Counter(
        name for each in pod.spec.containers if each.resources for name in each.resources.requests
    )
    for name in ("cpu", "memory", "ephemeral-storage", *sorted(each for each in names if "/" in each)):
        asked = _requested(pod, name)
        used = sum((_requested(each, name) for each in pods), Fraction(0))
        if asked and asked + used > _amount(whole.get(name, "0")):
            found.append(f"Insufficient {name}")
    return found


def _requested(pod: Pod, name: str, unasked: Fraction = Fraction(0)) -> Fraction:
    requests = [each.resources.requests if each.resources else {} for each in pod.spec.containers]
    return sum((_amount(each[name]) if name in each else unasked for each in requests), Fraction(0))


def _amount(text: str) -> Fraction:
    number = text.rstrip("KMGim")
    return Fraction(number) * _UNITS[text[len(number) :]]
