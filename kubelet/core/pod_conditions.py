"""The conditions of a pod that are the kubelet's to set.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kubelet.core.container_status import StatusInputs
from kubelet.core.resizing import is_in_progress
from kubelet.core.restart_all import all_may_restart
from machinery.model.conditions import set_condition
from machinery.model.k8s.core_v1 import ContainerStatus, Pod, PodCondition, PodStatus
from machinery.model.pods import is_sidecar

READY_TO_START: Final = "PodReadyToStartContainers"
INITIALIZED: Final = "Initialized"
READY: Final = "Ready"
CONTAINERS_READY: Final = "ContainersReady"
SCHEDULED: Final = "PodScheduled"
RESIZE_PENDING: Final = "PodResizePending"
RESIZING: Final = "PodResizeInProgress"
DISRUPTION: Final = "DisruptionTarget"
ALL_RESTARTING: Final = "AllContainersRestarting"
OWNED: Final = (
    READY_TO_START,
    INITIALIZED,
    READY,
    CONTAINERS_READY,
    SCHEDULED,
    RESIZE_PENDING,
    RESIZING,
    ALL_RESTARTING,
)
_BY_KUBELET: Final = "TerminationByKubelet"
_COMPLETED: Final = "PodCompleted"
_FAILED: Final = "PodFailed"
_LONGEST_MESSAGE: Final = 32 * 1024  # characters, as of a metav1.Condition


def is_ours(type_: str, reason: str) -> bool:
    """Whether a condition is the kubelet's: that of a disruption only where it was one by the kubelet."""
    return type_ in OWNED or (type_ == DISRUPTION and reason == _BY_KUBELET)


def pod_conditions(
    inputs: StatusInputs, status: PodStatus, *, terminal: bool, disrupted: str = ""
) -> list[PodCondition]:
    """Return all conditions of a pod: the kubelet's anew, those of others as they are.

    `disrupted`: why the kubelet ends a pod that has done nothing wrong; "" where it does not.
    """
    pod = inputs.pod
    containers_ready = _containers_ready(pod, status, terminal=terminal)
    fresh = [
        PodCondition(type=READY_TO_START, status=_truth(_has_sandbox(inputs))),
        _initialized(pod, status),
        _ready(pod, status, containers_ready),
        containers_ready,
        PodCondition(type=SCHEDULED, status="True"),
        *_resizing(inputs, terminal=terminal),
        *_all_restarting(inputs, status, terminal=terminal),
    ]
    if disrupted:
        fresh.append(PodCondition(type=DISRUPTION, status="True", reason=_BY_KUBELET, message=disrupted))
    told = {condition.type for condition in fresh}
    conditions: Sequence[PodCondition] = [
        each
        for each in pod.status.conditions
        if each.type in told or each.type not in {RESIZE_PENDING, RESIZING}
    ]
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


def _all_restarting(inputs: StatusInputs, status: PodStatus, *, terminal: bool) -> list[PodCondition]:
    """Return whether all containers are being ended to run again, of a pod that has a rule for that."""
    if not all_may_restart(inputs.pod):
        return []
    if terminal:
        reason = _COMPLETED if status.phase == "Succeeded" else _FAILED
        return [PodCondition(type=ALL_RESTARTING, status="False", reason=reason)]
    if (trigger := inputs.trigger) is None:
        return [PodCondition(type=ALL_RESTARTING, status="False")]
    text = f"Container {trigger.name} exited with code {trigger.exit_code}, triggering pod restart"
    return [PodCondition(type=ALL_RESTARTING, status="True", reason="ContainerExited", message=text)]


def _resizing(inputs: StatusInputs, *, terminal: bool) -> list[PodCondition]:
    """Return the conditions that are there only while a pod waits for other resources, or is being given them."""
    found: list[PodCondition] = []
    if terminal:
        return found
    if (pending := inputs.pending) is not None:
        found.append(
            PodCondition(type=RESIZE_PENDING, status="True", reason=pending.reason, message=pending.message)
        )
    was_changed = (inputs.pod.metadata.generation or 0) > 1
    if was_changed and is_in_progress(
        inputs.pod, inputs.observed, inputs.applied, inputs.restarted, inputs.whole
    ):
        problem = inputs.resize_problem
        found.append(
            PodCondition(type=RESIZING, status="True", reason="Error" if problem else "", message=problem)
        )
    return found


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
    if not missing or (has_begun and (status.phase == "Running" or all_may_restart(pod))):
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
    known = {each.type: each.status for each in status.conditions}
    gates = (gate.conditionType for gate in pod.spec.readinessGates)
    closed = [_gate_message(gate, known) for gate in gates if known.get(gate) != "True"]
    if not closed:
        return PodCondition(type=READY, status="True")
    return PodCondition(
        type=READY,
        status="False",
        reason="ReadinessGatesNotReady",
        message=", ".join(closed)[:_LONGEST_MESSAGE],
    )


def _gate_message(type_: str, known: Mapping[str, str]) -> str:
    if type_ not in known:
        return f'corresponding condition of pod readiness gate "{type_}" does not exist.'
    return f'the status of pod readiness gate "{type_}" is not "True", but {known[type_]}'


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def _truth(value: bool) -> str:  # noqa: FBT001 - a conversion has one operand
    return "True" if value else "False"
