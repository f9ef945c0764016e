"""Probes: when a container counts as started, ready and alive.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from machinery.model.k8s.core_v1 import Container, Pod, Probe

PROBE_OUTPUT_LIMIT: Final = 10 * 1024  # bytes of what a probe says


class ProbeKind(Enum):
    """What a probe is for, as events name it."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"


class Outcome(Enum):
    """How one try ended."""

    SUCCESS = "success"
    WARNING = "warning"  # a success that the user should look at
    FAILURE = "failure"
    ERROR = "error"  # nobody knows: it counts neither way


@dataclass(frozen=True, slots=True)
class Progress:
    """What a probe's tries amount to so far."""

    result: bool | None  # what counts now; None: undecided
    last: bool | None = None
    run: int = 0  # so many equal tries in a row


def initial(kind: ProbeKind, *, was_good: bool) -> Progress:
    """Begin: alive until shown otherwise, not ready and not started until shown so.

    `was_good`: the pod's status already says so of this container: the kubelet has been started again, and what
    was ready stays so until a probe fails.
    """
    if kind is ProbeKind.LIVENESS:
        return Progress(result=True)
    if was_good:
        return Progress(result=True)
    return Progress(result=False if kind is ProbeKind.READINESS else None)


def observe(progress: Progress, outcome: Outcome, probe: Probe) -> Progress:
    """Return the progress after one try."""
    if outcome is Outcome.ERROR:
        return progress
    good = outcome is not Outcome.FAILURE
    run = progress.run + 1 if progress.last is good else 1
    threshold = (probe.successThreshold or 1) if good else (probe.failureThreshold or 3)
    return Progress(result=good if run >= threshold else progress.result, last=good, run=run)


def probe_of(container: Container, kind: ProbeKind) -> Probe | None:
    """Return a container's probe of a kind."""
    return {
        ProbeKind.STARTUP: container.startupProbe,
        ProbeKind.LIVENESS: container.livenessProbe,
        ProbeKind.READINESS: container.readinessProbe,
    }[kind]


def period_s(probe: Probe) -> float:
    """Return the cluster seconds between two tries."""
    return float(probe.periodSeconds or 10)


def timeout_s(probe: Probe) -> float:
    """Return the cluster seconds that a try may take."""
    return float(probe.timeoutSeconds or 1)


def first_delay_s(probe: Probe, *, running_s: float) -> float:
    """Return the cluster seconds until the first try of a container that has run for so long."""
    return max(0.0, (probe.initialDelaySeconds or 0) - running_s)


def resolve_port(container: Container, port: int | str) -> int:
    """Return the number of a port that may be named.

    Raises:
        ValueError: the container names no such port.
    """
    if isinstance(port, int):
        number = port
    elif port.isdecimal():
        number = int(port)
    else:
        number = next((item.containerPort for item in container.ports if item.name == port), 0)
        if not number:
            raise ValueError(f"couldn't find named port: {port}")
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


def judge_status(status: int) -> Outcome:
    """Judge an HTTP answer."""
    if 200 <= status < 300:
        return Outcome.SUCCESS
    return Outcome.WARNING if 300 <= status < 400 else Outcome.FAILURE


def status_flags(pod: Pod, container: str, container_id: str) -> tuple[bool, bool]:
    """Return what the pod's status says of this very container: started, ready."""
    for status in (*pod.status.containerStatuses, *pod.status.initContainerStatuses):
        if status.name == container and status.containerID.rpartition("://")[2] == container_id:
            return bool(status.started), status.ready
    return False, False


def grace_of(pod: Pod, probe: Probe) -> int | None:
    """Return the grace period of a container that a probe has found dead, None for the pod's own."""
    if probe.terminationGracePeriodSeconds is not None:
        return probe.terminationGracePeriodSeconds
    return pod.spec.terminationGracePeriodSeconds
