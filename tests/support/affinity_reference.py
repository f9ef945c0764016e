"""Affinity between pods, straight from its documentation: every node, every pod and every term is looked at each time.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
It reads API objects and shares no code with the scheduler.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from machinery.model.k8s.core_v1 import Affinity, Node, Pod, PodAffinityTerm
from machinery.model.k8s.meta_v1 import LabelSelector

NOT_BESIDE = "node(s) didn't match pod affinity rules"
NOT_APART = "node(s) didn't match pod anti-affinity rules"
NOT_WANTED = "node(s) didn't satisfy existing pods anti-affinity rules"
HARD_WEIGHT = 1


class AffinityReference:
    """The rules, over the pods that are on nodes."""

    def __init__(
        self, nodes: Collection[Node], pods: Collection[Pod], namespaces: Mapping[str, dict[str, str]]
    ) -> None:
        self._labels = {node.metadata.name: node.metadata.labels for node in nodes}
        self._pods = [pod for pod in pods if pod.spec.nodeName in self._labels]
        self._namespaces = namespaces

    def reasons(self, pod: Pod, node: str) -> list[str]:
        """Return why a pod cannot go to a node: one reason at most."""
        if not self._is_beside(pod, node):
            return [NOT_BESIDE]
        for term in _required_anti(pod):
            if any(self._selects(term, pod, other) for other in self._in_domain(node, term.topologyKey)):
                return [NOT_APART]
        for other in self._pods:
            for term in _required_anti(other):
                if self._same(node, other, term.topologyKey) and self._selects(term, other, pod):
                    return [NOT_WANTED]
        return []

    def points(self, pod: Pod, nodes: list[str]) -> dict[str, int]:
        """Return 0 to 100 for each node that can take the pod."""
        raw = {node: sum(self._weights(pod, node)) for node in nodes}
        lowest, highest = min(raw.values(), default=0), max(raw.values(), default=0)
        if lowest == highest:
            return dict.fromkeys(raw, 0)
        return {node: int(100 * ((score - lowest) / (highest - lowest))) for node, score in raw.items()}

    def _is_beside(self, pod: Pod, node: str) -> bool:
        terms = _required(pod)
        if any(term.topologyKey not in self._labels[node] for term in terms):
            return False
        friends = [other for other in self._pods if all(self._selects(term, pod, other) for term in terms)]
        if all(any(self._same(node, other, term.topologyKey) for other in friends) for term in terms):
            return True
        is_anywhere = any(
            term.topologyKey in self._labels[other.spec.nodeName] for other in friends for term in terms
        )
        return not is_anywhere and all(self._selects(term, pod, pod) for term in terms)

    def _weights(self, pod: Pod, node: str) -> Iterator[int]:
        for other in self._pods:
            for weight, term in _preferred(pod):
                if self._same(node, other, term.topologyKey) and self._selects(term, pod, other):
                    yield weight
            for weight, term in (*_preferred(other), *((HARD_WEIGHT, each) for each in _required(other))):
                if self._same(node, other, term.topologyKey) and self._selects(term, other, pod):
                    yield weight

    def _in_domain(self, node: str, key: str) -> Iterator[Pod]:
        return (other for other in self._pods if self._same(node, other, key))

    def _same(self, node: str, other: Pod, key: str) -> bool:
        there = self._labels[other.spec.nodeName]
        return key in there and self._labels[node].get(key) == there[key]

    def _selects(self, term: PodAffinityTerm, owner: Pod, other: Pod) -> bool:
        namespace = other.metadata.namespace
        if term.namespaceSelector is None and not term.namespaces:
            is_there = namespace == owner.metadata.namespace
        else:
            is_there = namespace in term.namespaces or (
                term.namespaceSelector is not None
                and selects(term.namespaceSelector, self._namespaces.get(namespace, {}))
            )
        return (
            is_there and term.labelSelector is not None and selects(term.labelSelector, other.metadata.labels)
        )


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a selector selects an object with these labels."""
    for key, value in selector.matchLabels.items():
        if labels.get(key) != value:
            return False
    for each in selector.matchExpressions:
        has = each.key in labels
        holds = {
            "In": has and labels.get(each.key) in each.values,
            "NotIn": not has or labels.get(each.key) not in each.values,
            "Exists": has,
            "DoesNotExist": not has,
        }
        if not holds[each.operator]:
            return False
    return True


def _affinity(pod: Pod) -> Affinity:
    return pod.spec.affinity or Affinity()


def _required(pod: Pod) -> list[PodAffinityTerm]:
    found = _affinity(pod).podAffinity
    return found.requiredDuringSchedulingIgnoredDuringExecution if found else []


def _required_anti(pod: Pod) -> list[PodAffinityTerm]:
    found = _affinity(pod).podAntiAffinity
    return found.requiredDuringSchedulingIgnoredDuringExecution if found else []


def _preferred(pod: Pod) -> list[tuple[int, PodAffinityTerm]]:
    beside, apart = _affinity(pod).podAffinity, _affinity(pod).podAntiAffinity
    return [
        *(
            (each.weight, each.podAffinityTerm)
            for each in (beside.preferredDuringSchedulingIgnoredDuringExecution if beside else [])
        ),
        *(
            (-each.weight, each.podAffinityTerm)
            for each in (apart.preferredDuringSchedulingIgnoredDuringExecution if apart else [])
        ),
    ]
