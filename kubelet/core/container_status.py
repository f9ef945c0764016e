"""The status of each container of a pod, as the API shows it.

What the runtime has decides. Where it has nothing (a container that is lost, or whose traces were cleared away),
the last status that the API knows goes on: history is never forgotten, and an end is final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from kubelet.core.containers import ProbeStates, ephemeral, probe_state
from kubelet.core.labels import is_plain_init
from kubelet.core.observed import ContainerState as State
from kubelet.core.observed import ObservedContainer, ObservedPod
from kubelet.core.resizing import Pending, Resources, declared_part
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    ResourceRequirements,
    VolumeMount,
    VolumeMountStatus,
)

CREATING: Final = "ContainerCreating"
INITIALIZING: Final = "PodInitializing"
UNKNOWN: Final = "ContainerStatusUnknown"
POD_MESSAGE_BYTES: Final = 12 * 1024
_LOST_CODE: Final = 137
_START_FAILED: Final = "RunContainerError"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run now."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """All that a pod's status is made of."""

    pod: Pod  # with the status that the API knows
    observed: ObservedPod
    now_s: float
    timescale: Timescale
    runtime: str = "docker"  # its name, as in docker://…
    probes: ProbeStates = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)  # by container name
    starting: Mapping[str, int] = field(default_factory=dict)  # name → attempt whose start is not over yet
    failed_starts: AbstractSet[str] = frozenset()
    is_ending: bool = False  # nothing is started any more
    trigger: ObservedContainer | None = None  # the end for which all containers run again
    pending: Pending | None = None  # why what is declared is not allocated
    applied: Resources = field(default_factory=dict)  # what running containers have, by id
    restarted: AbstractSet[str] = frozenset()  # ids of containers that were killed to run otherwise
    whole: ResourceRequirements | None = None  # what the group of a pod with resources as a whole is held to
    resize_problem: str = ""  # why a container could not be held to what is allocated to it


def container_statuses(inputs: StatusInputs, containers: Sequence[Container]) -> list[ContainerStatus]:
    """Return the statuses of some containers of the pod, in the order of the spec."""
    status = inputs.pod.status
    told = {each.name: each for each in (*status.initContainerStatuses, *status.containerStatuses)}
    return [_status(inputs, container, told.get(container.name)) for container in containers]


def ephemeral_statuses(inputs: StatusInputs) -> list[ContainerStatus]:
    """Return the statuses of the pod's ephemeral containers, which are never ready."""
    told = {each.name: each for each in inputs.pod.status.ephemeralContainerStatuses}
    return [
        msgspec.structs.replace(
            _status(inputs, container, told.get(container.name)), ready=False, started=None
        )
        for container in ephemeral(inputs.pod)
    ]


def _status(inputs: StatusInputs, container: Container, told: ContainerStatus | None) -> ContainerStatus:
    runs = [run for run in inputs.observed.named(container.name) if not _is_unseen(inputs, run)]
    if not runs:
        return _unseen_status(inputs, container, told)
    newest, *older = runs
    if newest.is_running:
        return _running_status(inputs, container, newest, older, told)
    return _ended_status(inputs, container, newest, older, told)


def _is_unseen(inputs: StatusInputs, run: ObservedContainer) -> bool:
    """Whether a run does not count yet: its start, postStart included, is not over."""
    if run.state is State.CREATED:
        return run.id not in inputs.failed_starts
    return inputs.starting.get(run.name, run.attempt + 1) <= run.attempt


def _running_status(
    inputs: StatusInputs,
    container: Container,
    run: ObservedContainer,
    older: Sequence[ObservedContainer],
    told: ContainerStatus | None,
) -> ContainerStatus:
    probed = probe_state(container, run.id, inputs.probes)
    running = ContainerStateRunning(startedAt=inputs.timescale.format(run.started_s))
    return ContainerStatus(
        **_common(container, run, inputs),
        state=ContainerState(running=running),
        lastState=_last_state(inputs, older, told, run),
        started=probed.started,
        ready=probed.started and probed.ready and not is_plain_init(inputs.pod, container),
        **_declared(container, _applied(inputs, container, run)),
    )


def _ended_status(
    inputs: StatusInputs,
    container: Container,
    run: ObservedContainer,
    older: Sequence[ObservedContainer],
    told: ContainerStatus | None,
) -> ContainerStatus:
    end = ContainerState(terminated=_terminated(inputs, run, told))
    waiting = inputs.waiting.get(container.name)
    if run.state is State.CREATED:
        waiting = waiting or Waiting(_START_FAILED)
    elif inputs.trigger is not None or run.id in inputs.restarted:  # the API takes no end back
        waiting = waiting or _initial_waiting(inputs)
    if waiting is not None and not inputs.is_ending:
        state, last = _waiting(waiting), end if run.state is State.EXITED else None
    else:
        state, last = end, _last_state(inputs, older, told, run)
    is_done = state is end and run.exit_code == 0 and is_plain_init(inputs.pod, container)
    return ContainerStatus(
        **_common(container, run, inputs),
        state=state,
        lastState=last or ContainerState(),
        started=False,
        ready=is_done,
        **_declared(container),
    )


def _unseen_status(
    inputs: StatusInputs, container: Container, told: ContainerStatus | None
) -> ContainerStatus:
    """Return the status of a container of which the runtime has nothing."""
    if told is None or not told.containerID:
        return _fresh_status(inputs, container, told)
    if told.state and told.state.terminated and (inputs.is_ending or container.name not in inputs.starting):
        return told
    end = _lost(inputs, told)
    state, last = (end, told.lastState) if inputs.is_ending else (_default_waiting(inputs, container), end)
    return ContainerStatus(
        name=container.name,
        image=told.image,
        imageID=told.imageID,
        containerID=told.containerID,
        restartCount=told.restartCount,
        state=state,
        lastState=last or ContainerState(),
        started=False,
        ready=False,
    )


def _fresh_status(
    inputs: StatusInputs, container: Container, told: ContainerStatus | None
) -> ContainerStatus:
    waiting = _default_waiting(inputs, container)
    if inputs.is_ending and told and told.state and told.state.waiting:
        waiting = told.state
    return ContainerStatus(
        name=container.name,
        image=container.image,
        imageID="",
        restartCount=told.restartCount if told else 0,
        state=waiting,
        lastState=ContainerState(),
        started=False,
        ready=False,
    )


def _default_waiting(inputs: StatusInputs, container: Container) -> ContainerState:
    return _waiting(inputs.waiting.get(container.name) or _initial_waiting(inputs))


def _initial_waiting(inputs: StatusInputs) -> Waiting:
    return Waiting(INITIALIZING if inputs.pod.spec.initContainers else CREATING)


def _waiting(waiting: Waiting) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))


def _common(container: Container, run: ObservedContainer, inputs: StatusInputs) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": run.image or container.image,
        "imageID": run.image_id,
        "containerID": f"{inputs.runtime}://{run.id}",
        "restartCount": run.restart_count,
    }


def _applied(
    inputs: StatusInputs, container: Container, run: ObservedContainer
) -> ResourceRequirements | None:
    applied = inputs.applied.get(run.id)
    return None if applied is None else declared_part(inputs.pod, container, applied)


def _recursion(mount: VolumeMount) -> str:
    """Return how far a mount is read-only: all of it where it insists on that, since without it nothing starts."""
    if not mount.readOnly:
        return ""
    return "Enabled" if mount.recursiveReadOnly == "Enabled" else "Disabled"


def _declared(container: Container, applied: ResourceRequirements | None = None) -> dict[str, Any]:
    """Return what is allocated to a container, and what it has: `applied`, where that is another thing."""
    allocated = container.resources or ResourceRequirements()
    resources = allocated if applied is None else applied
    return {
        "resources": ResourceRequirements(limits=resources.limits, requests=resources.requests),
        "allocatedResources": dict(allocated.requests),
        "volumeMounts": [
            VolumeMountStatus(
                name=mount.name,
                mountPath=mount.mountPath,
                readOnly=mount.readOnly,
                recursiveReadOnly=_recursion(mount),
            )
            for mount in container.volumeMounts
        ],
    }


def _last_state(
    inputs: StatusInputs,
    older: Sequence[ObservedContainer],
    told: ContainerStatus | None,
    run: ObservedContainer,
) -> ContainerState:
    """Return the end of the run before: the runtime's, else the one that the API was told of."""
    before = next((each for each in older if each.state is State.EXITED), None)
    if before is not None:
        return ContainerState(terminated=_terminated(inputs, before, told))
    if told is None:
        return ContainerState()
    if told.containerID == f"{inputs.runtime}://{run.id}":
        return told.lastState or ContainerState()
    if told.state and told.state.terminated:
        return told.state
    return told.lastState or ContainerState()


def _terminated(
    inputs: StatusInputs, run: ObservedContainer, told: ContainerStatus | None
) -> ContainerStateTerminated:
    container_id = f"{inputs.runtime}://{run.id}"
    reason = run.reason or ("Completed" if run.exit_code == 0 else "Error")
    return ContainerStateTerminated(
        containerID=container_id,
        exitCode=run.exit_code,
        reason=reason,
        message=_limited(inputs.pod, run.message or _told_message(told, container_id)),
        startedAt=inputs.timescale.format(run.started_s) if run.started_s else None,
        finishedAt=inputs.timescale.format(run.finished_s) if run.finished_s else None,
    )


def _limited(pod: Pod, message: str) -> str:
    """Cut a termination message to its share of what all containers of a pod may say together."""
    members = len(pod.spec.initContainers) + len(pod.spec.containers)
    return message.encode()[: POD_MESSAGE_BYTES // max(1, members)].decode(errors="ignore")


def _told_message(told: ContainerStatus | None, container_id: str) -> str:
    """Return the message that the API was told already: its file goes away with the pod's volumes."""
    states = (told.state, told.lastState) if told else ()
    ends = (state.terminated for state in states if state and state.terminated)
    return next((end.message for end in ends if end.containerID == container_id), "")


def _lost(inputs: StatusInputs, told: ContainerStatus) -> ContainerState:
    if told.state and told.state.terminated:
        return told.state
    if told.state and told.state.waiting and told.lastState and told.lastState.terminated:
        return told.lastState
    when = "terminated" if inputs.is_ending else "deleted.  The container used to be Running"
    return ContainerState(
        terminated=ContainerStateTerminated(
            exitCode=_LOST_CODE,
            reason=UNKNOWN,
            message=f"The container could not be located when the pod was {when}",
        )
    )
