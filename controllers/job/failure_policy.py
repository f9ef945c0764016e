"""What a Job's podFailurePolicy makes of a pod that failed: the first rule that matches it decides.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.batch_v1 import (
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
)
from machinery.model.k8s.core_v1 import ContainerStatus, Pod

FAIL_INDEX: Final = "FailIndex"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a failed pod."""

    action: str = ""  # of the rule that matched; "" where none did
    message: str = ""  # why the whole Job fails; "" where it does not

    @property
    def counts(self) -> bool:
        """Whether the failure counts towards the limits."""
        return self.action != "Ignore"


_COUNTED: Final = Verdict()


def judge(policy: PodFailurePolicy | None, pod: Pod) -> Verdict:
    """Return what the policy says of a pod that failed."""
    for index, rule in enumerate(policy.rules if policy else ()):
        if rule.onExitCodes is not None:
            reason = _exit_reason(rule.onExitCodes, pod)
        else:
            reason = _condition_reason(rule.onPodConditions, pod)
        if not reason:
            continue
        fails = rule.action == "FailJob"
        return Verdict(rule.action, f"{reason} matching FailJob rule at index {index}" if fails else "")
    return _COUNTED


def _exit_reason(requirement: PodFailurePolicyOnExitCodesRequirement, pod: Pod) -> str:
    container = _failed(requirement, pod.status.containerStatuses) or _failed(
        requirement, pod.status.initContainerStatuses
    )
    if container is None:
        return ""
    name, code = f"{pod.metadata.namespace}/{pod.metadata.name}", exit_code(container)
    return f"Container {container.name} for pod {name} failed with exit code {code}"


def _failed(
    requirement: PodFailurePolicyOnExitCodesRequirement, statuses: Iterable[ContainerStatus]
) -> ContainerStatus | None:
    for status in statuses:
        if requirement.containerName not in {"", status.name}:
            continue
        code = exit_code(status)
        if code and (code in requirement.values) == (requirement.operator == "In"):
            return status
    return None


def exit_code(status: ContainerStatus) -> int | None:
    """Return how a container ended, None while it has not."""
    ended = status.state.terminated if status.state else None
    return ended.exitCode if ended else None


def _condition_reason(patterns: list[PodFailurePolicyOnPodConditionsPattern], pod: Pod) -> str:
    wanted = {(pattern.type, pattern.status) for pattern in patterns}
    for condition in pod.status.conditions:
        if (condition.type, condition.status) in wanted:
            return f"Pod {pod.metadata.namespace}/{pod.metadata.name} has condition {condition.type}"
    return ""
