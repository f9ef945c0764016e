"""The PodScheduled condition of a pod that fits nowhere."""

from __future__ import annotations

from machinery.model.conditions import find, set_condition
from machinery.model.k8s.core_v1 import Pod, PodCondition

TYPE = "PodScheduled"
UNSCHEDULABLE = "Unschedulable"
FAULT = "SchedulerError"  # of the scheduler itself, not of the cluster


def plan_condition(pod: Pod, reason: str, message: str, *, now_text: str) -> PodCondition | None:
    """Return the condition to write; None where the pod says so already."""
    old = find(pod.status.conditions, TYPE)
    if old is not None and (old.status, old.reason, old.message) == ("False", reason, message):
        return None
    new = PodCondition(
        type=TYPE,
        status="False",
        reason=reason,
        message=message,
        observedGeneration=pod.metadata.generation,
    )
    return find(set_condition(pod.status.conditions, new, now_text=now_text), TYPE)
