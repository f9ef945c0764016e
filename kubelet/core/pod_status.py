"""The status of a pod, as the API shows it: phase, conditions, addresses.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
A terminal phase is final. Conditions that are not the kubelet's stay as they are. A pod whose sandbox is made again begins
again with its init containers: it is Pending until one of its main containers has started in the new one. So is one all of
whose containers are restarted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kubelet.core.container_status import StatusInputs, container_statuses, ephemeral_statuses
from kubelet.core.observed import ContainerState
from kubelet.core.pod_conditions import pod_conditions
from kubelet.core.restart import should_restart
from kubelet.core.restart_all import all_may_restart
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerStatus,
    HostIP,
    Pod,
    PodIP,
    PodStatus,
    ResourceRequirements,
)
from machinery.model.pods import is_sidecar, is_terminal, qos_class

PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the kubelet has decided about a pod as a whole: its phase is Failed, whatever its containers say."""

    reason: str
    message: str
    grace_s: float | None = None  # for the containers, at most; None: the pod's own
    is_disruption: bool = False  # the pod has done nothing wrong: whoever made it may want another one


def compute_status(
    inputs: StatusInputs, host_ips: Sequence[str], verdict: Verdict | None = None
) -> PodStatus:
    """Return the status of a pod."""
    pod = inputs.pod
    inits = container_statuses(inputs, pod.spec.initContainers)
    mains = container_statuses(inputs, pod.spec.containers)
    phase = _phase(inputs, inits, mains, verdict)
    terminal = phase in {SUCCEEDED, FAILED}
    judged = verdict if terminal and not is_terminal(pod) else None
    ips = _pod_ips(inputs)
    status = msgspec.structs.replace(
        pod.status,
        phase=phase,
        reason=judged.reason if judged else pod.status.reason,
        message=judged.message if judged else pod.status.message,
        startTime=pod.status.startTime or inputs.timescale.format(inputs.now_s),
        qosClass=pod.status.qosClass or qos_class(pod),
        hostIP=host_ips[0] if host_ips else "",
        hostIPs=[HostIP(ip=ip) for ip in host_ips],
        podIP=ips[0] if ips else "",
        podIPs=[PodIP(ip=ip) for ip in ips],
        initContainerStatuses=_settled(inits) if terminal else inits,
        containerStatuses=_settled(mains) if terminal else mains,
        ephemeralContainerStatuses=ephemeral_statuses(inputs) if pod.spec.ephemeralContainers else [],
        observedGeneration=pod.metadata.generation,
        **_resources(inputs),
    )
    disrupted = verdict.message if verdict and verdict.is_disruption else ""
    conditions = pod_conditions(inputs, status, terminal=terminal, disrupted=disrupted)
    status = msgspec.structs.replace(status, conditions=conditions)
    return _without_containers(status) if terminal and not _any_ran(inits, mains) else status


def compute_phase(
    pod: Pod,
    inits: Sequence[ContainerStatus],
    mains: Sequence[ContainerStatus],
    *,
    is_ending: bool = False,
) -> str:
    """Return a pod's phase from its containers' states."""
    if _init_failed(pod, inits):
        return FAILED
    if not _is_initialized(pod, inits, mains):
        return FAILED if is_ending and _all_stopped(inits, mains) and _any_ran(inits, mains) else PENDING
    specs = {container.name: container for container in pod.spec.containers}
    return _main_phase(pod, specs, mains, is_ending=is_ending)


def _main_phase(
    pod: Pod, specs: dict[str, Container], mains: Sequence[ContainerStatus], *, is_ending: bool
) -> str:
    ends = {status.name: _end_code(status) for status in mains}
    running = {status.name for status in mains if status.state and status.state.running}
    if any(code is None for name, code in ends.items() if name not in running):  # one of them has not run yet
        return FAILED if is_ending and _any_ran((), mains) else PENDING
    if running:
        return RUNNING
    codes = {name: code for name, code in ends.items() if code is not None}
    if not is_ending and any(should_restart(pod, specs[name], code) for name, code in codes.items()):
        return RUNNING
    return FAILED if any(codes.values()) else SUCCEEDED


def _end_code(status: ContainerStatus) -> int | None:
    """Return how a container ended last; None for one that has not ended yet."""
    for state in (status.state, status.lastState):
        if state and state.terminated:
            return state.terminated.exitCode
    return None


def _phase(
    inputs: StatusInputs,
    inits: Sequence[ContainerStatus],
    mains: Sequence[ContainerStatus],
    verdict: Verdict | None,
) -> str:
    """Return the phase: final if it is so already, and terminal only once nothing runs any more."""
    known = inputs.pod.status.phase
    if is_terminal(inputs.pod):
        return known
    if verdict is None and _begins_again(inputs, mains) and not _init_failed(inputs.pod, inits):
        return PENDING
    if inputs.observed.running():
        phase = compute_phase(inputs.pod, inits, mains)
        phase = (known or RUNNING) if phase in {SUCCEEDED, FAILED} else phase
    elif verdict is not None:
        return FAILED
    else:
        phase = compute_phase(inputs.pod, inits, mains, is_ending=inputs.is_ending)
        if phase in {SUCCEEDED, FAILED} and not inputs.is_ending and _is_being_replaced(inputs):
            phase = RUNNING
    return PENDING if phase == RUNNING and _initializes_again(inputs) else phase


def _resources(inputs: StatusInputs) -> dict[str, Any]:
    """Return what a pod that has resources as a whole has, and what is allocated to it (KEP-5419)."""
    allocated = inputs.pod.spec.resources
    if allocated is None:
        return {}
    has = inputs.whole or allocated
    return {
        "resources": ResourceRequirements(limits=has.limits, requests=has.requests),
        "allocatedResources": dict(allocated.requests),
    }


def _begins_again(inputs: StatusInputs, mains: Sequence[ContainerStatus]) -> bool:
    """Whether all containers are being restarted: what they did is over, and not all main ones have come so far again."""
    if inputs.is_ending or not all_may_restart(inputs.pod):
        return False
    return inputs.trigger is not None or any(_is_to_come(inputs, status) for status in mains)


def _is_to_come(inputs: StatusInputs, status: ContainerStatus) -> bool:
    """Whether a container has run, waits, and the runtime has no end of it that it could wait for."""
    if not status.containerID or status.state is None or status.state.waiting is None:
        return False
    return all(run.state is not ContainerState.EXITED for run in inputs.observed.named(status.name))


def _is_being_replaced(inputs: StatusInputs) -> bool:
    """Whether a container was ended to run again with other resources, or of another image."""
    members = (*inputs.pod.spec.initContainers, *inputs.pod.spec.containers)
    newest = (inputs.observed.newest(container.name) for container in members)
    return bool(inputs.restarted) and any(run is not None and run.id in inputs.restarted for run in newest)


def _initializes_again(inputs: StatusInputs) -> bool:
    """Whether a pod with init containers has a new sandbox in which no main container has started yet."""
    sandbox = inputs.observed.sandbox
    if inputs.is_ending or sandbox is None or not inputs.pod.spec.initContainers:
        return False
    mains = {container.name for container in inputs.pod.spec.containers}
    runs = [
        run
        for run in inputs.observed.containers
        if run.name in mains and run.state is not ContainerState.CREATED
    ]
    return bool(runs) and all(run.sandbox_id != sandbox.id for run in runs)


def _init_failed(pod: Pod, inits: Sequence[ContainerStatus]) -> bool:
    for container, status in zip(pod.spec.initContainers, inits, strict=True):
        end = status.state.terminated if status.state else None
        if end is None or is_sidecar(container) or end.exitCode == 0:
            continue
        if not should_restart(pod, container, end.exitCode, is_init=True):
            return True
    return False


def _is_initialized(pod: Pod, inits: Sequence[ContainerStatus], mains: Sequence[ContainerStatus]) -> bool:
    if any(status.containerID for status in mains):
        return True
    for container, status in zip(pod.spec.initContainers, inits, strict=True):
        end = status.state.terminated if status.state else None
        over = bool(status.started) if is_sidecar(container) else end is not None and end.exitCode == 0
        if not over:
            return False
    return True


def _all_stopped(inits: Sequence[ContainerStatus], mains: Sequence[ContainerStatus]) -> bool:
    return not any(status.state and status.state.running for status in (*inits, *mains))


def _any_ran(inits: Sequence[ContainerStatus], mains: Sequence[ContainerStatus]) -> bool:
    return any(status.containerID for status in (*inits, *mains))


def _pod_ips(inputs: StatusInputs) -> Sequence[str]:
    """Return a pod's addresses: its sandbox's, else the last known ones."""
    sandbox = inputs.observed.sandbox
    if sandbox is not None and sandbox.ips:
        return sandbox.ips
    return [item.ip for item in inputs.pod.status.podIPs]


def _without_containers(status: PodStatus) -> PodStatus:
    """Return no containers for a pod that failed before any was made: they wait for nothing."""
    return msgspec.structs.replace(status, initContainerStatuses=[], containerStatuses=[])


def _settled(statuses: Sequence[ContainerStatus]) -> list[ContainerStatus]:
    """Nothing is ready in a pod that has ended, except for the init containers that did their work."""
    return [
        status
        if status.state and status.state.terminated
        else msgspec.structs.replace(status, ready=False, started=False)
        for status in statuses
    ]
