"""How long a container gets to end: preStop, the stop signal, the grace period, SIGKILL.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
The preStop hook's time counts against the grace period; after it a container still gets two seconds between the
stop signal and SIGKILL. All are cluster seconds.

CRI's StopContainer takes whole seconds and knows nothing of the time scale, so the kubelet keeps the time itself:
it asks for a stop with a timeout that is never too short on any clock (`runtime_timeout_s`), and asks again with
timeout 0 at the moment that `kill_at` gives. The runtime's own timeout is what is left if the kubelet dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Pod

DEFAULT_GRACE_S: Final = 30.0
LEAST_GRACE_S: Final = 1.0  # also where the object says 0
LONGEST_GRACE_S: Final = 1e9  # thirty years: what is longer has no meaning, and the CRI cannot say it
LEAST_STOP_S: Final = 2.0  # between the stop signal and SIGKILL


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a container is to be over: `grace_s` after `since_s`."""

    since_s: float
    grace_s: float

    @property
    def end_s(self) -> float:
        """When the grace period is over."""
        return self.since_s + self.grace_s

    def pre_stop_limit_s(self, now_s: float) -> float:
        """Return how long the preStop hook may run from now on."""
        return max(0.0, self.end_s - now_s)

    def kill_at(self, signalled_s: float) -> float:
        """Return when SIGKILL comes to a container that got its stop signal at `signalled_s`."""
        return max(self.end_s, signalled_s + LEAST_STOP_S)

    def shortened(self, grace_s: float, now_s: float) -> Deadline:
        """Return the earlier of this end and `grace_s` from now: a deadline never moves out."""
        return self if now_s + grace_s >= self.end_s else Deadline(now_s, grace_s)


def grace_s(pod: Pod) -> float:
    """Return a pod's grace period: that of its deletion, else the one that it declares."""
    own = pod.metadata.deletionGracePeriodSeconds
    declared = pod.spec.terminationGracePeriodSeconds if own is None else own
    return _bounded(declared)


def probe_grace_s(pod: Pod, probe_s: float | None) -> float:
    """Return the grace period of a container that failed a probe: the probe's own, else the pod's."""
    if probe_s is not None:
        return _bounded(probe_s)
    declared = pod.spec.terminationGracePeriodSeconds
    return _bounded(declared)


def _bounded(declared_s: float | None) -> float:
    return min(
        LONGEST_GRACE_S, max(LEAST_GRACE_S, DEFAULT_GRACE_S if declared_s is None else float(declared_s))
    )


def runtime_timeout_s(window_s: float, timescale: Timescale) -> int:
    """Return the timeout for StopContainer: whole seconds, longer than the window on the wall and on our clock."""
    return ceil(max(window_s, timescale.wall(window_s))) + 1
