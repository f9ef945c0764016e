"""Which pods would have to go from one node so that a pod of higher priority fits there.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

All pods of lower priority are thought away. If the pod fits then, each of them is thought back, the most important ones first,
and may stay if the pod still fits: those whose budgets do not allow them to go before all others. Who is left is a victim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from scheduler.core.budgets import Budgets
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection

JudgeWith: TypeAlias = Callable[[NodeInfo], Rejection | None]
"""Why a node with other pods than it has cannot take the pod, None where it can."""

Cost: TypeAlias = tuple[int, int, int, int, float]
"""What the victims of a node cost: the less, the better; the first number that differs counts.

Budgets that are violated; the highest priority; the sum of the priorities (each raised above 0, so that more pods never cost
less); how many there are; and how long the most important of them have run (minus the earliest start).
"""

_ABOVE_ZERO: Final = 2**31


@dataclass(frozen=True, slots=True)
class Victims:
    """The pods that would have to go from a node."""

    pods: tuple[PodInfo, ...]  # the most important first
    violations: int  # how many of them a budget does not allow to go

    cost: Cost = field(init=False, repr=False, compare=False)  # what tells nodes apart

    def __post_init__(self) -> None:
        """Work out what is asked for again and again."""
        highest = self.pods[0].priority
        total = sum([each.priority + _ABOVE_ZERO for each in self.pods])
        start = min([each.started_s for each in self.pods if each.priority == highest])
        object.__setattr__(self, "cost", (self.violations, highest, total, len(self.pods), -start))

    def of(self, there: Mapping[str, PodInfo]) -> Victims | None:
        """Return those of them that are among some pods (by uid), None where no one is."""
        left = tuple(there[each.uid] for each in self.pods if each.uid in there)
        return Victims(left, self.violations) if left else None


def importance(pod: PodInfo) -> tuple[int, float, str]:
    """Return what pods are sorted by: priority, then who runs longer; uids make the order complete."""
    return -pod.priority, pod.started_s, pod.uid


class _Trial:
    """A node that pods leave and come back to, with and without the pods that it is kept for."""

    def __init__(self, node: NodeInfo, kept: Sequence[PodInfo], judge: JudgeWith) -> None:
        self._judge = judge
        self._nodes = [node.copy()]
        if kept:
            held = node.copy()
            for pod in kept:
                held.add(pod)
            self._nodes.insert(0, held)

    def rejection(self) -> Rejection | None:
        """Return why the pod does not fit, None where it does."""
        for node in self._nodes:
            if (rejection := self._judge(node)) is not None:
                return rejection
        return None

    def change(self, pod: PodInfo, sign: int) -> None:
        """Count a pod that comes back; with sign -1, one that leaves."""
        for node in self._nodes:
            node.add(pod, sign)

    def spare(self, pods: Sequence[PodInfo]) -> list[PodInfo]:
        """Count as many pods as possible back; return those that cannot come."""
        victims = []
        for pod in pods:
            self.change(pod, 1)
            if self.rejection() is not None:
                self.change(pod, -1)
                victims.append(pod)
        return victims


def rejection_beside(node: NodeInfo, kept: Sequence[PodInfo], judge: JudgeWith) -> Rejection | None:
    """Return why a pod does not fit on a node, as it is and with the pods that the node is kept for; None where it does."""
    return _Trial(node, kept, judge).rejection()


def find_victims(
    node: NodeInfo, priority: int, kept: Sequence[PodInfo], judge: JudgeWith, budgets: Budgets
) -> Victims | Rejection | None:
    """Return who has to go for a pod of a priority; why it does not help if all lower ones go; None where there are no lower ones.

    `kept` are the pods that the node is kept for and that the pod has to leave room for.
    """
    lower = [pod for pod in node.pods.values() if pod.priority < priority]
    if not lower:
        return None
    trial = _Trial(node, kept, judge)
    for pod in lower:
        trial.change(pod, -1)
    if (rejection := trial.rejection()) is not None:
        return rejection
    lower.sort(key=importance)
    violating, allowed = budgets.split(lower)
    forbidden = trial.spare(violating)
    victims = [*forbidden, *trial.spare(allowed)]
    if not victims:
        return None
    return Victims(tuple(sorted(victims, key=importance)), len(forbidden))
