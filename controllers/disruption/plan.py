"""Plan for one PodDisruptionBudget, or for one pod that somebody was to disrupt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Action, Facts, Plan, RecordEvent, event
from controllers.core.merge_patch import patch_at_revision, patch_status
from controllers.core.moment import Moment
from controllers.core.pod_disruption import DISRUPTION_TARGET
from controllers.core.printed_selectors import printed
from controllers.disruption.budget import (
    Disrupted,
    count_healthy,
    counted,
    desired_healthy,
    disrupted,
    failed,
    is_told,
    needs_scale,
)
from controllers.disruption.scales import Expected, Scale, ScaleUnknownError, expected_pods
from machinery.model.conditions import find, set_condition
from machinery.model.k8s.core_v1 import Pod, PodCondition
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from machinery.model.pods import is_terminal, is_terminating
from machinery.model.requests import reference_to
from machinery.model.resources import POD_DISRUPTION_BUDGETS, PODS, Resource

STALE_S: Final = 120.0  # that a pod may be said to be a target of disruption without being deleted
_BY_KUBELET: Final = "TerminationByKubelet"
_UNMANAGED: Final = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the status of "
    "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget and what it is about."""

    budget: PodDisruptionBudget
    pods: Sequence[Pod]  # that it selects
    scales: Mapping[str, Scale]  # of what controls them, as far as the caches know (`expected_pods`)
    kinds: Mapping[tuple[str, str], Resource[Any]]  # that there are, by group and kind
    shared: Sequence[
        Pod
    ] = ()  # of the pods those that another budget selects, too, and that nobody was told of


@dataclass(frozen=True, slots=True)
class Target:
    """A pod that somebody was to disrupt."""

    pod: Pod


Seen = Budget | Target


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a budget, or a pod."""
    return _for_pod(seen.pod, moment) if isinstance(seen, Target) else _for_budget(seen, moment, facts)


def is_target(pod: Pod) -> bool:
    """Whether a pod is said to be a target of disruption and nobody deletes it; what its kubelet says is for it to end."""
    if is_terminating(pod) or is_terminal(pod):
        return False
    condition = find(pod.status.conditions, DISRUPTION_TARGET)
    return condition is not None and condition.status == "True" and condition.reason != _BY_KUBELET


def _for_pod(pod: Pod, moment: Moment) -> Plan:
    """Plan to take back, after a while, that a pod is a target of disruption."""
    condition = find(pod.status.conditions, DISRUPTION_TARGET)
    if condition is None or not is_target(pod):
        return NOTHING_TO_DO
    since = condition.lastTransitionTime
    wait_s = STALE_S - moment.since(since) if since else 0.0
    if wait_s > 0:
        return Plan(requeue_after_s=wait_s)
    over = PodCondition(type=DISRUPTION_TARGET, status="False", lastTransitionTime=moment.text)
    conditions = set_condition(pod.status.conditions, over, now_text=moment.text)
    document = {"status": {"conditions": msgspec.to_builtins(conditions)}}
    return Plan((patch_at_revision(PODS, pod, document, subresource="status"),))


def _for_budget(seen: Budget, moment: Moment, facts: Facts) -> Plan:
    budget = seen.budget
    try:
        expected = _expected(seen, facts)
    except ScaleUnknownError as error:
        return _give_up(seen, str(error), moment)
    if expected.needs:
        return Plan(needs=expected.needs)
    evicted = disrupted(budget, seen.pods, moment)
    status = counted(
        budget,
        count_healthy(seen.pods, evicted),
        desired_healthy(budget, expected.count),
        expected.count,
        evicted,
        moment,
    )
    actions = (*_news(seen, expected, evicted), *patch_status(POD_DISRUPTION_BUDGETS, budget, status))
    return Plan(actions, requeue_after_s=evicted.next_s)


def _expected(seen: Budget, facts: Facts) -> Expected:
    if needs_scale(seen.budget):
        return expected_pods(seen.pods, seen.scales, seen.kinds, facts)
    return Expected(len(seen.pods) if seen.budget.spec.minAvailable is not None else 0)


def _give_up(seen: Budget, why: str, moment: Moment) -> Plan:
    """Plan to allow no eviction: how many there may be cannot be found out."""
    budget = seen.budget
    said = _say(
        budget,
        "Warning",
        "CalculateExpectedPodCountFailed",
        f"Failed to calculate the number of expected pods: {why}",
    )
    told: tuple[Action, ...] = () if is_told(budget.status, why) else (said,)
    return Plan((*told, *patch_status(POD_DISRUPTION_BUDGETS, budget, failed(budget, why, moment))))


def _news(seen: Budget, expected: Expected, evicted: Disrupted) -> list[Action]:
    budget = seen.budget
    meta = budget.metadata
    found: list[Action] = [_shared(pod, budget) for pod in seen.shared]
    if not seen.pods:
        found.append(_say(budget, "Normal", "NoPods", "No matching pods found"))
    if expected.unmanaged:
        text = _UNMANAGED.format(selector=printed(budget.spec.selector))
        found.append(_say(budget, "Warning", "UnmanagedPods", text))
    for pod in evicted.overdue:
        text = f"Pod was expected by PDB {meta.namespace}/{meta.name} to be deleted but it wasn't"
        found.append(RecordEvent(reference_to(pod), "Warning", "NotDeleted", text))
    return found


def _shared(pod: Pod, budget: PodDisruptionBudget) -> RecordEvent:
    meta = pod.metadata
    text = (
        f'Pod "{meta.namespace}"/"{meta.name}" matches multiple PodDisruptionBudgets.  '
        f'Chose "{budget.metadata.name}" arbitrarily.'
    )
    return RecordEvent(reference_to(pod), "Warning", "MultiplePodDisruptionBudgets", text)


def _say(
    budget: PodDisruptionBudget, type_: Literal["Normal", "Warning"], reason: str, message: str
) -> RecordEvent:
    return event(budget, type_, reason, message)
