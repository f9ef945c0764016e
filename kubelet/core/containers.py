"""The containers of a pod's spec, by the part that they play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kubelet.core.observed import ObservedPod
from machinery.model.k8s.core_v1 import Container, EphemeralContainer, Pod
from machinery.model.pods import is_sidecar

_COMMON: Final = tuple(
    field for field in EphemeralContainer.__struct_fields__ if field != "targetContainerName"
)


@dataclass(frozen=True, slots=True)
class ProbeState:
    """What the probes say about one running container."""

    started: bool
    ready: bool
    failed: str = ""  # "Liveness" or "Startup": it has to be killed
    message: str = ""
    grace_s: float | None = None  # the failed probe's own grace period


ProbeStates = Mapping[str, ProbeState]  # by container id


def probe_state(container: Container, container_id: str, probes: ProbeStates) -> ProbeState:
    """Return a running container's state; one without a probe passes it, one not probed yet does not."""
    if found := probes.get(container_id):
        return found
    started = container.startupProbe is None
    return ProbeState(started=started, ready=started and container.readinessProbe is None)


def told_states(pod: Pod, observed: ObservedPod) -> dict[str, ProbeState]:
    """Return what the API was told of containers that still run: it holds until they are probed again."""
    told = (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    by_id = {status.containerID.partition("://")[2]: status for status in told if status.containerID}
    return {
        run.id: ProbeState(started=bool(by_id[run.id].started), ready=by_id[run.id].ready)
        for run in observed.running()
        if run.id in by_id
    }


def find(pod: Pod, name: str) -> Container | None:
    """Return a container of the spec by its name."""
    members = (*pod.spec.initContainers, *pod.spec.containers, *ephemeral(pod))
    return next((container for container in members if container.name == name), None)


def ephemeral(pod: Pod) -> list[Container]:
    """Return the ephemeral containers, as containers; whom each aims at is said by `target_of`."""
    return [
        Container(**{field: getattr(each, field) for field in _COMMON})
        for each in pod.spec.ephemeralContainers
    ]


def target_of(pod: Pod, name: str) -> str:
    """Return the container whose processes an ephemeral container sees; "" for another one, or where it aims at none."""
    return next((each.targetContainerName for each in pod.spec.ephemeralContainers if each.name == name), "")


def sidecars(pod: Pod) -> list[Container]:
    """Return the sidecars, in the order of their start."""
    return [container for container in pod.spec.initContainers if is_sidecar(container)]


def is_init(pod: Pod, name: str) -> bool:
    """Whether a name is an init container's (a sidecar's too)."""
    return any(container.name == name for container in pod.spec.initContainers)
