"""The conditions of a pod that are the kubelet's to set.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubelet.core.container_status import StatusInputs
from machinery.model.conditions import find, is_true, set_condition
from machinery.model.k8s.core_v1 import ContainerStatus, Pod, PodCondition, PodStatus
from machinery.model.pods import is_sidecar

READY_TO_START: Final = "PodReadyToStartContainers"
INITIALIZED: Final = "Initialized"
READY: Final = "Ready"
CONTAINERS_READY: Final = "ContainersReady"
SCHEDULED: Final = "PodScheduled"
OWNED: Final = (READY_TO_START, INITIALIZED, READY, CONTAINERS_READY, SCHEDULED)
_COMPLETED: Final = "PodCompleted"
_FAILED: Final = "PodFailed"


def pod_conditions(inputs: StatusInputs, status: PodStatus, *, terminal: bool) -> list[PodCondition]:
    """Return all conditions of a pod: the kubelet's anew, those of others as they are."""
    pod = inputs.pod
    containers_ready = _containers_ready(pod, status, terminal=terminal)
    fresh = [
        PodCondition(type=READY_TO_START, status=_truth(_has_sandbox(inputs))),
        _initialized(pod, status),
        _ready(pod, status, containers_ready),
        containers_ready,
        PodCondition(type=SCHEDULED, status="True"),
    ]
    conditions: Sequence[PodCondition] = pod.status.conditions
    now_text = inputs.timescale.format(inputs.now_s)
    for condition in fresh:
        dated = PodCondition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason,
            message=condition.message,
            observedGeneration=pod.metadata.generation,
        )
        conditions = set_condition(conditions, dated, now_text=now_text)
    return list(conditions)


def _has_sandbox(inputs: StatusInputs) -> bool:
    sandbox = inputs.observed.sandbox
    return sandbox is not None and sandbox.is_ready and bool(sandbox.ips)


def _initialized(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type=INITIALIZED, status="True", reason=_COMPLETED)
    missing = [
        each.name
        for container, each in zip(pod.spec.initContainers, status.initContainerStatuses, strict=True)
        if not _is_passed(each, sidecar=is_sidecar(container))
    ]
    has_begun = any(each.containerID for each in status.containerStatuses)
    if not missing or (has_begun and status.phase == "Running"):
        return PodCondition(type=INITIALIZED, status="True")
    return PodCondition(
        type=INITIALIZED,
        status="False",
        reason="ContainersNotInitialized",
        message=f"containers with incomplete status: {_names(missing)}",
    )


def _is_passed(status: ContainerStatus, *, sidecar: bool) -> bool:
    if sidecar:
        return bool(status.started)
    return bool(status.state and status.state.terminated and status.state.terminated.exitCode == 0)


def _containers_ready(pod: Pod, status: PodStatus, *, terminal: bool) -> PodCondition:
    if terminal:
        reason = _COMPLETED if status.phase == "Succeeded" else _FAILED
        return PodCondition(type=CONTAINERS_READY, status="False", reason=reason)
    sidecars = {container.name for container in pod.spec.initContainers if is_sidecar(container)}
    watched = [
        *(each for each in status.initContainerStatuses if each.name in sidecars),
        *status.containerStatuses,
    ]
    unready = [each.name for each in watched if not each.ready]
    if not unready:
        return PodCondition(type=CONTAINERS_READY, status="True")
    return PodCondition(
        type=CONTAINERS_READY,
        status="False",
        reason="ContainersNotReady",
        message=f"containers with unready status: {_names(unready)}",
    )


def _ready(pod: Pod, status: PodStatus, containers: PodCondition) -> PodCondition:
    """Ready: every container is, and every readiness gate is open."""
    if containers.status != "True":
        return PodCondition(type=READY, status="False", reason=containers.reason, message=containers.message)
    closed = [
        _gate_message(gate.conditionType, status)
        for gate in pod.spec.readinessGates
        if not is_true(status.conditions, gate.conditionType)
    ]
    if not closed:
        return PodCondition(type=READY, status="True")
    return PodCondition(
        type=READY, status="False", reason="ReadinessGatesNotReady", message=", ".join(closed)
    )


def _gate_message(type_: str, status: PodStatus) -> str:
    if find(status.conditions, type_) is None:
        return f'corresponding condition of pod readiness gate "{type_}" does not exist.'
    return f'the status of pod readiness gate "{type_}" is not "True", but {find_status(status, type_)}'


def find_status(status: PodStatus, type_: str) -> str:
    """Return the status of a condition, "" where it is not there."""
    found = find(status.conditions, type_)
    return found.status if found else ""


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def _truth(value: bool) -> str:  # noqa: FBT001 - a conversion has one operand
    return "True" if value else "False"
