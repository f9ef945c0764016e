"""Preemption, straight from its documentation: every node is looked at each time, with lists of pods and the rules of one node.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
Whether a pod fits is asked of `Reference`, once for each set of pods that there might be. It keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.selectors import from_selector
from scheduler.core.owners import Owners
from tests.support.builders import changed
from tests.support.scheduler import Reference

NEVER_HELPS = (
    "node(s) were unschedulable",
    "node(s) had untolerated taint(s)",
    "node(s) didn't match Pod's node affinity/selector",
    "node(s) didn't match pod affinity rules",
    "node(s) didn't match pod topology spread constraints (missing required label)",
)
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


@dataclass
class PreemptionReference:
    """The rules, over what is there. `nominated` has for pods that wait the nodes that are kept for them."""

    nodes: Collection[Node]
    pods: Collection[Pod]
    nominated: Mapping[str, tuple[Pod, str]]
    budgets: Collection[PodDisruptionBudget]
    owners: Owners
    namespaces: Mapping[str, dict[str, str]] = field(default_factory=dict)

    def fitting(self, pod: Pod) -> list[str]:
        """Return the nodes that can take a pod."""
        return [name for name in self._names() if not self.reasons(pod, name, self.pods)]

    def reasons(self, pod: Pod, node: str, pods: Collection[Pod]) -> list[str]:
        """Return why a pod does not fit on a node if these pods are there: with those that the node is kept for, then without."""
        kept = [
            _on(other, where)
            for other, where in self.nominated.values()
            if where == node and priority(other) >= priority(pod) and other.metadata.uid != pod.metadata.uid
        ]
        return (self._reasons(pod, node, [*pods, *kept]) if kept else []) or self._reasons(pod, node, pods)

    def best(self, pod: Pod) -> dict[str, list[Pod]]:
        """Return the nodes that are equally good, and which pods would have to go from there."""
        found = {}
        for name in self._names():
            if self.may_help(pod, name) and (victims := self.victims(pod, name)) is not None:
                found[name] = victims
        least = min((self._cost(pods, violations) for pods, violations in found.values()), default=None)
        return {
            name: pods for name, (pods, violations) in found.items() if self._cost(pods, violations) == least
        }

    def may_help(self, pod: Pod, node: str) -> bool:
        """Whether what keeps a pod from a node are other pods."""
        reasons = self.reasons(pod, node, self.pods)
        if any(reason in NEVER_HELPS for reason in reasons):
            return False
        empty = [other for other in self._reasons(pod, node, []) if other.startswith("Insufficient")]
        return not (set(empty) & set(reasons))

    def victims(self, pod: Pod, node: str) -> tuple[list[Pod], int] | None:
        """Return the pods that would have to go, the most important first, and how many of them no budget allows to go."""
        lower = sorted(self._lower(pod, node), key=importance)
        if not lower:
            return None
        there = [other for other in self.pods if other not in lower]
        if self.reasons(pod, node, there):
            return None
        against, allowed = self._split(lower)
        victims, violations = [], 0
        for other in (*against, *allowed):
            if not self.reasons(pod, node, [*there, other]):
                there.append(other)
            else:
                victims.append(other)
                violations += other in against
        return (sorted(victims, key=importance), violations) if victims else None

    def why_not(self, pod: Pod) -> Counter[str]:
        """Count what keeps preemption from helping, where no node is left."""
        counts: Counter[str] = Counter()
        for name in self._names():
            lower = self._lower(pod, name)
            if not self.may_help(pod, name):
                counts[NOT_HELPFUL] += 1
            elif not lower:
                counts[NO_VICTIMS] += 1
            else:
                counts.update(self.reasons(pod, name, [other for other in self.pods if other not in lower]))
        return counts

    def waits(self, pod: Pod) -> bool:
        """Whether pods of lower priority are leaving already from the node that is kept for a pod."""
        _, node = self.nominated.get(pod.metadata.uid, (pod, ""))
        if node not in self._names() or any(
            reason in NEVER_HELPS for reason in self.reasons(pod, node, self.pods)
        ):
            return False
        return self.may_help(pod, node) and any(map(is_preempted, self._lower(pod, node)))

    def _names(self) -> list[str]:
        return [node.metadata.name for node in self.nodes]

    def _lower(self, pod: Pod, node: str) -> list[Pod]:
        return [each for each in self.pods if each.spec.nodeName == node and priority(each) < priority(pod)]

    def _reasons(self, pod: Pod, node: str, pods: Collection[Pod]) -> list[str]:
        reference = Reference(self.nodes, pods, self.owners, self.namespaces)
        return reference.reasons_of(pod, node)

    def _split(self, pods: Sequence[Pod]) -> tuple[list[Pod], list[Pod]]:
        left = {budget.metadata.name: budget.status.disruptionsAllowed or 0 for budget in self.budgets}
        against, allowed = [], []
        for pod in pods:
            violated = False
            for budget in self.budgets:
                if _covers(budget, pod) and pod.metadata.name not in budget.status.disruptedPods:
                    left[budget.metadata.name] -= 1
                    violated |= left[budget.metadata.name] < 0
            (against if violated else allowed).append(pod)
        return against, allowed

    @staticmethod
    def _cost(pods: Sequence[Pod], violations: int) -> tuple[object, ...]:
        highest = max(priority(pod) for pod in pods)
        starts = [started(pod) for pod in pods if priority(pod) == highest]
        total = sum(priority(pod) + 2**31 for pod in pods)
        return violations, highest, total, len(pods), _Reversed(min(starts))


@dataclass(frozen=True)
class _Reversed:
    text: str

    def __lt__(self, other: _Reversed) -> bool:
        return self.text > other.text


def priority(pod: Pod) -> int:
    """Return the priority of a pod."""
    return pod.spec.priority or 0


def started(pod: Pod) -> str:
    """Return since when a pod runs; one that does not yet comes after all others."""
    return pod.status.startTime or "later"


def importance(pod: Pod) -> tuple[int, str, str]:
    """Return what pods are sorted by, the most important first."""
    return -priority(pod), started(pod), pod.metadata.uid


def is_preempted(pod: Pod) -> bool:
    """Whether a pod is being deleted for one of higher priority."""
    said = [each.reason for each in pod.status.conditions if each.type == "DisruptionTarget"]
    return bool(pod.metadata.deletionTimestamp) and said == ["PreemptionByScheduler"]


def _covers(budget: PodDisruptionBudget, pod: Pod) -> bool:
    labels, matcher = pod.metadata.labels, from_selector(budget.spec.selector)
    return (
        budget.metadata.namespace == pod.metadata.namespace
        and bool(labels)
        and bool(matcher.requirements)
        and matcher.matches(labels)
    )


def _on(pod: Pod, node: str) -> Pod:
    return changed(pod, spec__nodeName=node)
