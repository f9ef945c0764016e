"""The conditions that the scheduler writes: PodScheduled of a pod that fits nowhere, DisruptionTarget of one that has to go."""

from __future__ import annotations

from machinery.model.conditions import find, set_condition
from machinery.model.k8s.core_v1 import Pod, PodCondition
from scheduler.core.pod import DISRUPTION_TARGET, PREEMPTED

TYPE = "PodScheduled"
UNSCHEDULABLE = "Unschedulable"
FAULT = "SchedulerError"  # of the scheduler itself, not of the cluster


def plan_condition(pod: Pod, reason: str, message: str, *, now_text: str) -> PodCondition | None:
    """Return the condition to write; None where the pod says so already."""
    return _plan(pod, TYPE, "False", reason, message, now_text)


def plan_disruption(pod: Pod, scheduler_name: str, *, now_text: str) -> PodCondition | None:
    """Return the condition of a pod that is taken away for one of higher priority; None where the pod says so already.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    message = f"{scheduler_name}: preempting to accommodate a higher priority pod"
    return _plan(pod, DISRUPTION_TARGET, "True", PREEMPTED, message, now_text)


def _plan(pod: Pod, type_: str, status: str, reason: str, message: str, now_text: str) -> PodCondition | None:
    old = find(pod.status.conditions, type_)
    if old is not None and (old.status, old.reason, old.message) == (status, reason, message):
        return None
    new = PodCondition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        observedGeneration=pod.metadata.generation,
    )
    return find(set_condition(pod.status.conditions, new, now_text=now_text), type_)
