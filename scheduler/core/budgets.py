"""PodDisruptionBudgets, as far as preemption looks at them: how many pods of each may go.

Preemption tries to leave budgets alone; it does not promise to.
https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#poddisruptionbudget-is-supported-but-not-guaranteed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.selectors import LabelMatcher, from_selector
from scheduler.core.labels import LabelSet
from scheduler.core.pod import PodInfo

_KNOWN_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget."""

    namespace: str
    matcher: LabelMatcher
    allowed: int  # pods that may go now
    going: frozenset[str]  # names of pods whose eviction is counted already

    def covers(self, pod: LabelSet) -> bool:
        """Whether pods with such labels are in the budget; those without labels are in none."""
        return pod.namespace == self.namespace and bool(pod.labels) and self.matcher.matches(pod.labels)


class Budgets:
    """The budgets by namespace and name."""

    def __init__(self) -> None:
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._covering: dict[LabelSet, tuple[tuple[str, str], ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def set(self, budget: PodDisruptionBudget) -> list[Budget]:
        """Add or replace a budget; return what it says now and said before, nothing where that is the same."""
        key, before = _key(budget), self._budgets.get(_key(budget))
        now = _read(budget)
        if now is None:
            return self.remove(budget)
        if now == before:
            return []
        self._budgets[key] = now
        if before is None or before.matcher != now.matcher:
            self._covering.clear()
        return [now] if before is None else [now, before]

    def remove(self, budget: PodDisruptionBudget) -> list[Budget]:
        """Forget a budget; return as `set`."""
        before = self._budgets.pop(_key(budget), None)
        self._covering.clear()
        return [] if before is None else [before]

    def split(self, pods: Iterable[PodInfo]) -> tuple[list[PodInfo], list[PodInfo]]:
        """Return the pods whose going, one after the other, some budget does not allow, and the others; each in their order."""
        left = {key: each.allowed for key, each in self._budgets.items()}
        violating: list[PodInfo] = []
        allowed: list[PodInfo] = []
        for pod in pods:
            is_allowed = True
            for key in self._of(pod.labels):
                if pod.name not in self._budgets[key].going:
                    left[key] -= 1
                    is_allowed = is_allowed and left[key] >= 0
            (allowed if is_allowed else violating).append(pod)
        return violating, allowed

    def _of(self, labels: LabelSet) -> tuple[tuple[str, str], ...]:
        known = self._covering.get(labels)
        if known is None:
            if len(self._covering) >= _KNOWN_LIMIT:
                self._covering.clear()
            found = tuple(key for key, each in self._budgets.items() if each.covers(labels))
            known = self._covering[labels] = found
        return known


def _read(budget: PodDisruptionBudget) -> Budget | None:
    """Return a budget as preemption sees it; one without a selector, or with an empty one, covers nothing."""
    matcher = from_selector(budget.spec.selector)
    if matcher.nothing or not matcher.requirements:
        return None
    status = budget.status
    return Budget(
        budget.metadata.namespace, matcher, status.disruptionsAllowed or 0, frozenset(status.disruptedPods)
    )


def _key(budget: PodDisruptionBudget) -> tuple[str, str]:
    return budget.metadata.namespace, budget.metadata.name
