"""For tests of the scheduler: a cluster to decide on, and a second opinion that looks at every node by itself.

`Reference` follows the documented rules node by node and keeps nothing; what the incremental evaluation says has to
be the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from machinery.model.k8s.core_v1 import Node, Pod, TopologySpreadConstraint
from scheduler.core.devices.filter import PodDevices
from scheduler.core.domains import HOSTNAME
from scheduler.core.evaluations import Evaluations
from scheduler.core.owners import Owners
from scheduler.core.plugins import dynamic_resources, volume_binding
from scheduler.core.pod import PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.rejection import Stopped
from scheduler.core.schedule import Bind, Decision, schedule
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import NO_VOLUMES, PodVolumes
from tests.support import node_reference
from tests.support.affinity_reference import AffinityReference, selects


class Decider:
    """A cluster, and decisions on it."""

    def __init__(self, *nodes: Node) -> None:
        self.snapshot = Snapshot()
        self.owners = self.snapshot.owners
        self.evaluations = Evaluations(self.snapshot, DEFAULT)
        self.reader = PodReader()
        for node in nodes:
            self.snapshot.set_node(node)

    def run(self, *pods: Pod) -> None:
        """Place the pods that name a node."""
        for pod in pods:
            self.snapshot.set_pod(self.reader.read(pod))

    def decide(self, pod: Pod, tie_break: float = 0.0) -> Decision:
        """Decide on a pod."""
        return schedule(self.reader.read(pod), self.snapshot, self.evaluations, tie_break=tie_break)

    def place(self, *pods: Pod, tie_break: float = 0.0) -> list[str]:
        """Decide on one pod after the other, each counted at once; gives their nodes."""
        return [self._place(pod, tie_break) for pod in pods]

    def message(self, pod: Pod) -> str:
        """Decide on a pod that fits nowhere; gives what it is told."""
        decision = self.decide(pod)
        assert not isinstance(decision, Bind), f"it fits on {decision.node}"
        return decision.message

    def scores(self, pod: Pod) -> dict[str, int]:
        """Return the score of every node that can take the pod, as the evaluation sees it."""
        evaluation = self.evaluations.of(self.reader.read(pod))
        assert not isinstance(evaluation, Stopped), evaluation.message
        return {
            self.snapshot.nodes[index].name: points + score
            for points, class_ in evaluation.candidates()
            for score, indexes in class_._buckets.items()
            for index in indexes
        }

    def _place(self, pod: Pod, tie_break: float) -> str:
        decision = self.decide(pod, tie_break)
        assert isinstance(decision, Bind), decision.message
        self.snapshot.assume(self.reader.read(pod), decision.node)
        return decision.node


def volumes_of(decision: Bind) -> PodVolumes:
    """Return what a decision reserves for a pod's claims of volumes."""
    return _reserved(decision, volume_binding.NAME) or NO_VOLUMES


def devices_of(decision: Bind) -> PodDevices:
    """Return what a decision reserves for a pod's claims of devices."""
    return _reserved(decision, dynamic_resources.NAME) or ()


def _reserved(decision: Bind, plugin: str) -> Any:
    return next((each.what for each in decision.reserved if each.plugin.name == plugin), None)


class Reference:
    """The rules, applied to lists of objects. What a pod belongs to is asked of `owners`; all else follows from the objects alone."""

    def __init__(
        self,
        nodes: Collection[Node],
        pods: Collection[Pod],
        owners: Owners,
        namespaces: Mapping[str, dict[str, str]] | None = None,
    ) -> None:
        self._owners = owners
        self._nodes = list(nodes)
        self._pods: dict[str, list[Pod]] = {}
        for pod in pods:
            self._pods.setdefault(pod.spec.nodeName, []).append(pod)
        self._affinity = AffinityReference(nodes, pods, namespaces or {})

    def judge(self, pod: Pod) -> tuple[dict[str, int], Counter[str]]:
        """Return the scores of the nodes that can take the pod, and the reasons of the others, counted."""
        reasons: Counter[str] = Counter()
        fitting = []
        for node in self._nodes:
            found = self._reasons(pod, node)
            reasons.update(found)
            if not found:
                fitting.append(node)
        spread = self._spread_points(pod, fitting)
        wished = self._affinity.points(pod, [node.metadata.name for node in fitting])
        scores = self._scores(pod, fitting)
        return {name: score + 2 * spread[name] + 2 * wished[name] for name, score in scores.items()}, reasons

    def reasons_of(self, pod: Pod, name: str) -> list[str]:
        """Return why a pod cannot go to one node, nothing where it can."""
        [node] = [each for each in self._nodes if each.metadata.name == name]
        return self._reasons(pod, node)

    def _reasons(self, pod: Pod, node: Node) -> list[str]:
        return (
            node_reference.reasons(pod, node, self._on(node))
            or self._skew(pod, node)
            or self._affinity.reasons(pod, node.metadata.name)
        )

    def _on(self, node: Node) -> list[Pod]:
        return self._pods.get(node.metadata.name, [])

    def _skew(self, pod: Pod, node: Node) -> list[str]:
        hard = [each for each in self._constraints(pod) if each.when == "DoNotSchedule"]
        for constraint in hard:
            key = constraint.key
            if key not in node.metadata.labels:
                return ["node(s) didn't match pod topology spread constraints (missing required label)"]
            counts = self._domains(pod, constraint, [each.key for each in hard])
            least = min(counts.values(), default=math.inf)
            if len(counts) < constraint.min_domains:
                least = 0
            own = counts.get(node.metadata.labels[key], 0) + constraint.selects(pod.metadata.labels)
            if own - least > constraint.max_skew:
                return ["node(s) didn't match pod topology spread constraints"]
        return []

    def _constraints(self, pod: Pod) -> list[_Spread]:
        """Return a pod's own constraints, else the system's for what it belongs to."""
        if pod.spec.topologySpreadConstraints:
            return [_spread_of(each) for each in pod.spec.topologySpreadConstraints]
        selector = self._owners.selector_of(PodReader().read(pod))
        if selector is None:
            return []
        keys = ((HOSTNAME, 3), ("topology.kubernetes.io/zone", 5))
        return [_Spread(key, skew, "ScheduleAnyway", selector.matches) for key, skew in keys]

    def _domains(self, pod: Pod, constraint: _Spread, required: list[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for node in self._nodes:
            if (
                all(label in node.metadata.labels for label in required)
                and (not constraint.honors_affinity or node_reference.is_selected(pod, node))
                and (not constraint.honors_taints or node_reference.tolerates_all(pod, node))
            ):
                value = node.metadata.labels.get(constraint.key, "")
                counts[value] = counts.get(value, 0) + self._matching(pod, node, constraint)
        return counts

    def _matching(self, pod: Pod, node: Node, constraint: _Spread) -> int:
        return sum(
            each.metadata.namespace == pod.metadata.namespace
            and not each.metadata.deletionTimestamp
            and constraint.selects(each.metadata.labels)
            for each in self._on(node)
        )

    def _spread_points(self, pod: Pod, fitting: list[Node]) -> dict[str, int]:
        soft = [each for each in self._constraints(pod) if each.when == "ScheduleAnyway"]
        if not soft:
            return {node.metadata.name: 0 for node in fitting}
        # by the system's constraints, nodes without one of the labels get points, too
        required = [each.key for each in soft] if pod.spec.topologySpreadConstraints else []
        scored = [node for node in fitting if all(label in node.metadata.labels for label in required)]
        raw = dict.fromkeys((node.metadata.name for node in scored), 0.0)
        for constraint in soft:
            by_host = constraint.key == HOSTNAME
            values = {node.metadata.labels.get(constraint.key, "") for node in scored}
            weight = math.log((len(scored) if by_host else len(values)) + 2)
            counts = self._domains(pod, constraint, required)
            for node in scored:
                if (value := node.metadata.labels.get(constraint.key)) is not None:
                    own = self._matching(pod, node, constraint) if by_host else counts.get(value, 0)
                    raw[node.metadata.name] += own * weight + constraint.max_skew - 1
        costs = {name: math.floor(cost + 0.5) for name, cost in raw.items()}
        lowest, highest = min(costs.values(), default=0), max(costs.values(), default=0)
        points = {
            name: 100 * (highest + lowest - cost) // highest if highest else 100
            for name, cost in costs.items()
        }
        return {node.metadata.name: points.get(node.metadata.name, 0) for node in fitting}

    def _scores(self, pod: Pod, fitting: list[Node]) -> dict[str, int]:
        avoided = {node.metadata.name: node_reference.avoided(pod, node) for node in fitting}
        preferred = {node.metadata.name: node_reference.preferred(pod, node) for node in fitting}
        most_avoided, most_preferred = max(avoided.values(), default=0), max(preferred.values(), default=0)
        points = {}
        for node in fitting:
            name, pods = node.metadata.name, self._on(node)
            points[name] = (
                3 * (100 - 100 * avoided[name] // most_avoided if most_avoided else 100)
                + 2 * (100 * preferred[name] // most_preferred if most_preferred else 0)
                + node_reference.least_allocated(pod, node, pods)
                + node_reference.balance(pod, node, pods)
                + node_reference.locality(pod, node, self._nodes)
            )
        return points


@dataclass(frozen=True)
class _Spread:
    """A constraint, with its defaults filled in."""

    key: str
    max_skew: int
    when: str
    selects: Callable[[Mapping[str, str]], bool]
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


def _spread_of(constraint: TopologySpreadConstraint) -> _Spread:
    selector = constraint.labelSelector
    return _Spread(
        constraint.topologyKey,
        constraint.maxSkew,
        constraint.whenUnsatisfiable,
        lambda labels: selector is not None and selects(selector, labels),
        constraint.minDomains or 1,
        constraint.nodeAffinityPolicy != "Ignore",
        constraint.nodeTaintsPolicy == "Honor",
    )
