"""For tests of the scheduler: a cluster to decide on, and a second opinion that looks at every node by itself.

`Reference` follows the documented rules node by node and keeps nothing; what the incremental evaluation says has to
be the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.taints import untolerated
from scheduler.core.devices.filter import PodDevices
from scheduler.core.domains import HOSTNAME
from scheduler.core.evaluations import Evaluations
from scheduler.core.needs import Needs
from scheduler.core.owners import Owners
from scheduler.core.plugins import (
    balanced_allocation,
    dynamic_resources,
    image_locality,
    node_affinity,
    node_ports,
    node_resources_fit,
    volume_binding,
)
from scheduler.core.pod import PodInfo, PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.rejection import Stopped
from scheduler.core.schedule import Bind, Decision, schedule
from scheduler.core.snapshot import Snapshot
from scheduler.core.spread import Constraint, read_spread
from scheduler.core.storage import NO_VOLUMES, PodVolumes
from tests.support.affinity_reference import AffinityReference


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
    """The rules, applied to lists of objects."""

    def __init__(
        self,
        nodes: Collection[Node],
        pods: Collection[Pod],
        owners: Owners,
        namespaces: Mapping[str, dict[str, str]] | None = None,
    ) -> None:
        world = Decider(*nodes)
        world.run(*pods)
        self._owners = owners
        self._snapshot = world.snapshot
        self._reader = world.reader
        self._nodes = [node for node in world.snapshot.nodes if node.exists]
        self._affinity = AffinityReference(nodes, pods, namespaces or {})

    def judge(self, pod: Pod) -> tuple[dict[str, int], Counter[str]]:
        """Return the scores of the nodes that can take the pod, and the reasons of the others, counted."""
        info = self._reader.read(pod)
        own = info.needs.constraints
        spread = read_spread(own, info.labels.labels, None if own else self._owners.selector_of(info))
        reasons: Counter[str] = Counter()
        fitting = []
        for node in self._nodes:
            found = self._reasons(info, node, spread.hard) or self._affinity.reasons(pod, node.name)
            reasons.update(found)
            if not found:
                fitting.append(node)
        points = self._spread_points(info, fitting, spread.soft, needs_all=spread.needs_all_labels)
        wished = self._affinity.points(pod, [node.name for node in fitting])
        scores = self._scores(info.needs, fitting, points)
        return {name: score + 2 * wished[name] for name, score in scores.items()}, reasons

    def reasons_of(self, pod: Pod, name: str) -> list[str]:
        """Return why a pod cannot go to one node, nothing where it can."""
        info = self._reader.read(pod)
        own = info.needs.constraints
        spread = read_spread(own, info.labels.labels, None if own else self._owners.selector_of(info))
        [node] = [each for each in self._nodes if each.name == name]
        return self._reasons(info, node, spread.hard) or self._affinity.reasons(pod, name)

    def _reasons(self, pod, node, hard) -> list[str]:
        needs = pod.needs
        cordon = any(
            each.key in {"", "node.kubernetes.io/unschedulable"} and each.operator == "Exists"
            for each in needs.tolerations
        )
        if node.unschedulable and not cordon:
            return ["node(s) were unschedulable"]
        if untolerated(node.taints, needs.tolerations, ("NoSchedule", "NoExecute")):
            return ["node(s) had untolerated taint(s)"]
        if not node_affinity.fits(needs, node):
            return ["node(s) didn't match Pod's node affinity/selector"]
        if not node_ports.fits(needs, node):
            return ["node(s) didn't have free ports for the requested pod ports"]
        if not node_resources_fit.fits(needs, node):
            return list(node_resources_fit.explain(needs, node).reasons)
        return self._skew(pod, node, hard)

    def _skew(self, pod, node, hard) -> list[str]:
        for constraint in hard:
            key = constraint.topology_key
            if key not in node.labels:
                return ["node(s) didn't match pod topology spread constraints (missing required label)"]
            counts = self._domains(pod, constraint, [each.topology_key for each in hard])
            least = min(counts.values(), default=math.inf)
            if len(counts) < constraint.min_domains:
                least = 0
            if counts.get(node.labels[key], 0) + constraint.counts_itself - least > constraint.max_skew:
                return ["node(s) didn't match pod topology spread constraints"]
        return []

    def _domains(self, pod: PodInfo, constraint: Constraint, required: list[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for node in self._nodes:
            if self._counts(pod.needs, node, constraint, required):
                value = node.labels.get(constraint.topology_key, "")
                counts[value] = counts.get(value, 0) + self._matching(pod, node, constraint)
        return counts

    def _counts(self, needs: Needs, node, constraint, required) -> bool:
        matches = node_affinity.fits(needs, node)
        tolerated = not untolerated(node.taints, needs.tolerations, ("NoSchedule", "NoExecute"))
        return (
            all(label in node.labels for label in required)
            and (matches or not constraint.honors_affinity)
            and (tolerated or not constraint.honors_taints)
        )

    @staticmethod
    def _matching(pod, node, constraint) -> int:
        return sum(
            number
            for labels, number in node.label_counts.items()
            if labels.namespace == pod.namespace and constraint.matcher.matches(labels.labels)
        )

    def _spread_points(self, pod, fitting, soft, *, needs_all) -> dict[str, int]:
        if not soft:
            return {node.name: 0 for node in fitting}
        required = [each.topology_key for each in soft] if needs_all else []
        scored = [node for node in fitting if all(label in node.labels for label in required)]
        raw = dict.fromkeys((node.name for node in scored), 0.0)
        for constraint in soft:
            key = constraint.topology_key
            by_host = key == HOSTNAME
            size = len(scored) if by_host else len({node.labels.get(key, "") for node in scored})
            counts = self._domains(pod, constraint, required)
            for node in scored:
                if key in node.labels:
                    own = (
                        self._matching(pod, node, constraint) if by_host else counts.get(node.labels[key], 0)
                    )
                    raw[node.name] += own * math.log(size + 2) + constraint.max_skew - 1
        costs = {name: math.floor(cost + 0.5) for name, cost in raw.items()}
        lowest, highest = min(costs.values(), default=0), max(costs.values(), default=0)
        return {
            node.name: (100 * (highest + lowest - costs[node.name]) // highest if highest else 100)
            if node.name in costs
            else 0
            for node in fitting
        }

    def _scores(self, needs: Needs, fitting, spread_points) -> dict[str, int]:
        avoided = {
            node.name: len(untolerated(node.taints, needs.tolerations, ("PreferNoSchedule",)))
            for node in fitting
        }
        preferred = {node.name: node_affinity.preference(needs, node) for node in fitting}
        shares = {
            image: sum(image in node.images for node in self._nodes) / (len(self._nodes) or 1)
            for image in needs.images
        }
        most_avoided, most_preferred = max(avoided.values(), default=0), max(preferred.values(), default=0)
        return {
            node.name: 3 * (100 - 100 * avoided[node.name] // most_avoided if most_avoided else 100)
            + 2 * (100 * preferred[node.name] // most_preferred if most_preferred else 0)
            + 2 * spread_points[node.name]
            + node_resources_fit.least_allocated(needs, node)
            + balanced_allocation.balance(needs, node)
            + image_locality.locality(needs.images, node.images, shares)
            for node in fitting
        }
