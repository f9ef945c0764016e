"""Pods that the control plane ends itself: the condition that says why, and the deletion.

https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from controllers.core.actions import Patch
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.conditions import is_true, set_condition
from machinery.model.k8s.core_v1 import Pod, PodCondition
from machinery.model.pods import is_terminal
from machinery.model.resources import PODS

DISRUPTION_TARGET: Final = "DisruptionTarget"


def end_phase(pod: Pod) -> tuple[Patch, ...]:
    """Say that a pod has failed, where nobody else will say how it ended."""
    if is_terminal(pod):
        return ()
    return (patch_at_revision(PODS, pod, {"status": {"phase": "Failed"}}, subresource="status"),)


def mark(pod: Pod, reason: str, message: str, moment: Moment, *, fail: bool = False) -> tuple[Patch, ...]:
    """Say on a pod why it is about to be deleted; with `fail` its phase becomes Failed, as nobody else will say so."""
    status: dict[str, Any] = {}
    if not is_true(pod.status.conditions, DISRUPTION_TARGET):
        condition = PodCondition(
            type=DISRUPTION_TARGET,
            status="True",
            reason=reason,
            message=message,
            lastTransitionTime=moment.text,
        )
        conditions = set_condition(pod.status.conditions, condition, now_text=moment.text)
        status["conditions"] = msgspec.to_builtins(conditions)
    if fail and not is_terminal(pod):
        status["phase"] = "Failed"
    return (patch_at_revision(PODS, pod, {"status": status}, subresource="status"),) if status else ()
