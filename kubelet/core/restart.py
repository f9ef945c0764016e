"""Whether a container that ended runs again, and when.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
The first restart comes at once; then CrashLoopBackOff waits 10 s, doubled up to 300 s, counted from the end of the
last run. A container that ran for longer than twice the longest wait starts over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import Container, ContainerRestartRule, Pod

INITIAL_S: Final = 10.0
CAP_S: Final = 300.0
FORGIVEN_S: Final = 2 * CAP_S


@dataclass(frozen=True, slots=True)
class CrashBackoff:
    """What a container's next restart has to wait for."""

    delay_s: float  # after the end of the last run
    updated_s: float  # when it was set: at the last restart


def next_backoff(backoff: CrashBackoff | None, finished_s: float, now_s: float) -> CrashBackoff:
    """Return the backoff after a restart."""
    if backoff is None or _is_forgiven(backoff, finished_s):
        return CrashBackoff(INITIAL_S, now_s)
    return CrashBackoff(min(CAP_S, backoff.delay_s * 2), now_s)


def backoff_left(backoff: CrashBackoff | None, finished_s: float, now_s: float) -> float:
    """Return the cluster seconds that a restart still has to wait, 0 for none."""
    if backoff is None or _is_forgiven(backoff, finished_s):
        return 0.0
    return max(0.0, finished_s + backoff.delay_s - now_s)


def should_restart(pod: Pod, container: Container, exit_code: int, *, is_init: bool = False) -> bool:
    """Whether a container that ended with this code runs again: its rules, its own policy, the pod's."""
    if matching_action(container, exit_code):  # alone, or with all others: `kubelet.core.restart_all`
        return True
    match container.restartPolicy or pod.spec.restartPolicy or "Always":
        case "Never":
            return False
        case "OnFailure":
            return exit_code != 0
        case _:
            return not is_init or container.restartPolicy == "Always" or exit_code != 0


def matching_action(container: Container, exit_code: int) -> str:
    """Return what the first of a container's rules that an exit code matches asks for; "" where none matches."""
    return next((rule.action for rule in container.restartPolicyRules if _matches(rule, exit_code)), "")


def back_off_message(pod: Pod, container: str, delay_s: float) -> str:
    """Write what a waiting container says in CrashLoopBackOff."""
    meta = pod.metadata
    return (
        f"back-off {_duration(delay_s)} restarting failed container={container} "
        f"pod={meta.name}_{meta.namespace}({meta.uid})"
    )


def _is_forgiven(backoff: CrashBackoff, finished_s: float) -> bool:
    return finished_s - backoff.updated_s > FORGIVEN_S


def _matches(rule: ContainerRestartRule, exit_code: int) -> bool:
    if rule.exitCodes is None:
        return False
    is_listed = exit_code in rule.exitCodes.values
    return is_listed if rule.exitCodes.operator == "In" else not is_listed


def _duration(seconds: float) -> str:
    """Write a duration as Go does: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
