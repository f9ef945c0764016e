"""What a budget counts: healthy pods, those that are wanted, and those that an eviction has promised to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from controllers.core.actions import soonest
from controllers.core.moment import Moment
from controllers.core.shares import share_of
from machinery.model.conditions import find, set_condition
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import Condition
from machinery.model.k8s.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from machinery.model.pods import is_ready, is_terminating

DELETION_TIMEOUT_S: Final = 120.0  # from an eviction until its pod has to be seen as being deleted
ALLOWED: Final = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Disrupted:
    """The pods of a budget that were evicted and are not being deleted yet."""

    pods: Mapping[str, str]  # when each was evicted, by name
    overdue: Sequence[Pod]  # that were to be deleted, and were not
    next_s: float | None  # until the next one is overdue


def disrupted(budget: PodDisruptionBudget, pods: Iterable[Pod], moment: Moment) -> Disrupted:
    """Sort the pods that the budget's status has as evicted; those that are gone, or going, are out."""
    noted = budget.status.disruptedPods
    found = [pod for pod in pods if pod.metadata.name in noted and not is_terminating(pod)]
    left_s = {
        pod.metadata.name: (moment.at(noted[pod.metadata.name]) or 0.0) + DELETION_TIMEOUT_S - moment.now_s
        for pod in found
    }
    overdue = [pod for pod in found if left_s[pod.metadata.name] < 0]
    kept = {name: noted[name] for name, seconds in left_s.items() if seconds >= 0}
    return Disrupted(kept, overdue, soonest(*(left_s[name] for name in kept)))


def count_healthy(pods: Iterable[Pod], evicted: Disrupted) -> int:
    """Return how many pods are Ready and will stay."""
    return sum(
        is_ready(pod) and not is_terminating(pod) and pod.metadata.name not in evicted.pods for pod in pods
    )


def needs_scale(budget: PodDisruptionBudget) -> bool:
    """Whether it takes the number of pods that there should be: everything but a minAvailable that is a number does."""
    spec = budget.spec
    return spec.maxUnavailable is not None or isinstance(spec.minAvailable, str)


def desired_healthy(budget: PodDisruptionBudget, expected: int) -> int:
    """Return how many pods have to stay healthy; shares are rounded up, of the available and the unavailable alike."""
    spec = budget.spec
    if spec.maxUnavailable is not None:
        return max(0, expected - share_of(spec.maxUnavailable, expected, up=True))
    return 0 if spec.minAvailable is None else share_of(spec.minAvailable, expected, up=True)


def counted(
    budget: PodDisruptionBudget, healthy: int, desired: int, expected: int, evicted: Disrupted, moment: Moment
) -> PodDisruptionBudgetStatus:
    """Return the status. Without pods nothing is allowed: the first ones may not be counted yet."""
    allowed = max(0, healthy - desired) if expected > 0 else 0
    condition = Condition(
        type=ALLOWED,
        status="True" if allowed else "False",
        reason="SufficientPods" if allowed else "InsufficientPods",
        message="",
        observedGeneration=budget.metadata.generation,
        lastTransitionTime=moment.text,
    )
    return PodDisruptionBudgetStatus(
        currentHealthy=healthy,
        desiredHealthy=desired,
        expectedPods=expected,
        disruptionsAllowed=allowed,
        disruptedPods=dict(evicted.pods),
        observedGeneration=budget.metadata.generation,
        conditions=set_condition(budget.status.conditions, condition, now_text=moment.text),
    )


def failed(budget: PodDisruptionBudget, why: str, moment: Moment) -> PodDisruptionBudgetStatus:
    """Return the status of a budget that cannot be counted: nothing is allowed."""
    condition = Condition(
        type=ALLOWED,
        status="False",
        reason="SyncFailed",
        message=why,
        observedGeneration=budget.status.observedGeneration,
        lastTransitionTime=moment.text,
    )
    conditions = set_condition(budget.status.conditions, condition, now_text=moment.text)
    return msgspec.structs.replace(budget.status, disruptionsAllowed=0, conditions=conditions)


def is_told(status: PodDisruptionBudgetStatus, why: str) -> bool:
    """Whether the status says already that the budget cannot be counted, and why."""
    known = find(status.conditions, ALLOWED)
    return known is not None and (known.reason, known.message) == ("SyncFailed", why)
