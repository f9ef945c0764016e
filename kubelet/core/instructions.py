"""What goes into the life of a pod (stimuli) and what comes out of it (instructions): plain values.

The shell (kubelet/pod_worker.py) turns what happens into stimuli, one at a time, and carries out instructions.
An action takes time and ends with one `ActionEnded` under its key; all other instructions are done at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kubelet.core.actions import Action, ActionKey
from kubelet.core.containers import ProbeStates
from kubelet.core.observed import ObservedContainer, ObservedPod
from kubelet.core.pod_status import Verdict
from kubelet.core.resizing import Pending
from kubelet.core.termination import Deadline
from machinery.model.k8s.core_v1 import Pod, PodStatus

# --- stimuli


@dataclass(frozen=True, slots=True)
class PodSeen:
    """The API has this version of the pod, which is given with what is allocated to its containers."""

    pod: Pod
    pending: Pending | None = None  # why that is not what the API has, where it is not


@dataclass(frozen=True, slots=True)
class PodGone:
    """The API does not have the pod any more."""

    last: Pod | None = None  # its last version, where it is known


@dataclass(frozen=True, slots=True)
class RuntimeSeen:
    """The runtime has this of the pod."""

    observed: ObservedPod


@dataclass(frozen=True, slots=True)
class ProbesSeen:
    """The probes of the running containers say this."""

    states: ProbeStates


@dataclass(frozen=True, slots=True)
class Evicted:
    """The node has to be rid of the pod, or the pod takes more than it may."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Collected:
    """The node has no use for these dead containers any more; of a pod that has ended for all that is left."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The time that the life wanted to be woken at has come."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an action did not do what it should."""

    reason: str  # as a waiting container shows it, ErrImagePull
    message: str
    retry_after_s: float | None = None  # cluster seconds; None: the life decides
    unstarted_id: str = ""  # the container that was made and could not be started
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action is over; what the runtime has of the pod was read after its end."""

    key: ActionKey
    observed: ObservedPod | None
    problem: Problem | None = None


Stimulus: TypeAlias = (
    PodSeen | PodGone | RuntimeSeen | ProbesSeen | Evicted | Collected | TimePassed | ActionEnded
)

# --- instructions


@dataclass(frozen=True, slots=True)
class Run:
    """Begin an action."""

    action: Action


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an action; it still ends with `ActionEnded`."""

    key: ActionKey


@dataclass(frozen=True, slots=True)
class Shorten:
    """Shorten the grace period of a kill that is under way."""

    key: ActionKey
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the status to the API."""

    pod: Pod
    status: PodStatus


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete the pod's object, once its last status is written."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class Record:
    """Record an event, about one container where `container` names it."""

    type: str
    reason: str
    message: str
    container: str = ""


@dataclass(frozen=True, slots=True)
class WatchProbes:
    """Probe these containers of the pod, and no others."""

    pod: Pod
    running: Sequence[ObservedContainer]
    pod_ip: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing of the pod is left: drop what is known of it."""


Instruction: TypeAlias = Run | Cancel | Shorten | WriteStatus | DeletePod | Record | WatchProbes | Forget
