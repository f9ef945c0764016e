"""What a kubelet keeps in mind of its node between two looks, and what it decides from it.

Fed by the shell (kubelet/node.py) with the runtime's answers and the Node object; what comes out
is when to look again, which pod range to pass on, and whether a status is worth writing. All times are monotonic
cluster seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from kubelet.core.node_status import RuntimeState, differs, offers_what_it_has
from machinery.model.backoff import Backoff
from machinery.model.clock import Timescale
from machinery.model.conditions import is_true
from machinery.model.k8s.core_v1 import Node, NodeStatus
from machinery.model.profile import Intervals

RETRY: Final = Backoff(initial_s=0.1, cap_s=2.0)  # wall seconds, while something is missing
RUNTIME_GRACE_S: Final = 30.0  # so long may the runtime be silent before the node is not ready


@dataclass(frozen=True, slots=True)
class NodeWatch:
    """What is known between two looks."""

    answered_s: float  # when the runtime answered last, or the kubelet began
    runtime: RuntimeState = field(default_factory=RuntimeState)
    has_answered: bool = False
    given_cidr: str = ""  # the pod range that the runtime has been given, or one of each family with a comma
    unready_looks: int = 0  # in a row
    status: NodeStatus | None = None  # as it was written last
    written_s: float = 0.0


def answered(watch: NodeWatch, runtime: RuntimeState, now_s: float) -> NodeWatch:
    """Note what the runtime says of itself."""
    return replace(watch, runtime=runtime, answered_s=now_s, has_answered=True)


def silent(watch: NodeWatch, message: str, now_s: float) -> NodeWatch:
    """Note that the runtime did not answer: for a while what it said last still holds."""
    if now_s - watch.answered_s <= RUNTIME_GRACE_S:
        return watch
    problem = f"container runtime is down: {message}" if watch.has_answered else "container runtime is down"
    return replace(watch, runtime=RuntimeState(watch.runtime.version, (problem,)))


def written(watch: NodeWatch, status: NodeStatus, now_s: float) -> NodeWatch:
    """Note a status that was written."""
    return replace(watch, status=status, written_s=now_s)


def looked(watch: NodeWatch, *, failures: int, is_ready: bool) -> NodeWatch:
    """Note the end of a look: those in a row after which something was still missing are counted."""
    return replace(watch, unready_looks=0 if is_ready and not failures else watch.unready_looks + 1)


def pause_s(watch: NodeWatch, failures: int, regular_s: float, timescale: Timescale) -> float:
    """Return the cluster seconds until the next look: soon while something is missing."""
    if not watch.unready_looks:
        return regular_s
    return min(regular_s, timescale.cluster(RETRY.delay(failures or watch.unready_looks)))


def range_to_give(watch: NodeWatch, own: Node | None, *, is_network_ready: bool) -> str:
    """Return the pod range that the runtime has to be given, "" for none: one that starts anew has forgotten it."""
    cidr = _pod_ranges(own) if own else ""
    return cidr if cidr != watch.given_cidr or not is_network_ready else ""


def _pod_ranges(own: Node) -> str:
    return ",".join(own.spec.podCIDRs) or own.spec.podCIDR


def wants_look(watch: NodeWatch, own: Node, *, is_ready: bool) -> bool:
    """Whether news of the Node object is a reason to look at once.

    A pod range, a Ready that was overruled, other extended resources.
    """
    is_newly_ranged = _pod_ranges(own) not in {"", watch.given_cidr}
    is_overruled = is_ready and not is_true(own.status.conditions, "Ready")
    return is_newly_ranged or is_overruled or (is_ready and not offers_what_it_has(own))


def knows_enough(watch: NodeWatch, own: Node, now_s: float) -> bool:
    """Whether a status may be written: a kubelet that starts again knows no better than the one before it.

    What is Ready stays so until its runtime has answered, or has been silent for too long.
    """
    if watch.has_answered or not is_true(own.status.conditions, "Ready"):
        return True
    return now_s - watch.answered_s > RUNTIME_GRACE_S


def is_worth_writing(
    watch: NodeWatch, own: Node, status: NodeStatus, now_s: float, intervals: Intervals
) -> bool:
    """Whether a status says anything new, or the last one is long ago."""
    if watch.status is None or differs(watch.status, status) or differs(own.status, status):
        return True
    return now_s - watch.written_s >= intervals.node_status_report_s
