"""All that a kubelet knows of one pod, as one immutable value, and questions about it.

`kubelet/core/pod_lifecycle.py` makes the next value from it; nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import msgspec

from kubelet.core.actions import Action, ActionKey, KillContainer, StartContainer, Verb
from kubelet.core.container_status import StatusInputs, Waiting
from kubelet.core.containers import ProbeStates
from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod
from kubelet.core.pod_actions import Situation, Wait
from kubelet.core.pod_conditions import is_ours
from kubelet.core.pod_status import Verdict
from kubelet.core.resizing import Pending, Resources
from kubelet.core.restart import CrashBackoff
from kubelet.core.restart_all import all_may_restart, find_trigger
from kubelet.core.termination import Deadline
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Pod, PodSpec, PodStatus, ResourceRequirements
from machinery.model.pods import is_terminal


class Stage(Enum):
    """How far a pod has come on its node."""

    SYNCING = "syncing"  # what is declared is to run
    TERMINATING = "terminating"  # nothing is to run any more
    TERMINATED = "terminated"  # nothing runs any more
    FINISHED = "finished"  # nothing is left


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a life needs to know of its node."""

    timescale: Timescale = field(default_factory=Timescale)
    runtime: str = "docker"
    host_ips: tuple[str, ...] = ()
    kept_dead: int | None = 1  # of each container's name beside the newest; None: not decided step by step


@dataclass(frozen=True, slots=True)
class Retry:
    """An action that failed, and when it may be tried again."""

    failures: int
    at_s: float
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and until when a pod is being stopped."""

    deadline: Deadline
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One pod on this node."""

    pod: Pod  # as the API has, or had it, with what is allocated to its containers
    observed: ObservedPod
    born_s: float  # when this kubelet saw it first
    stage: Stage = Stage.SYNCING
    is_known: bool = True  # to the API
    actions: Mapping[ActionKey, Action] = field(default_factory=dict)  # on their way
    retries: Mapping[ActionKey, Retry] = field(default_factory=dict)  # of actions that failed
    backoffs: Mapping[str, CrashBackoff] = field(default_factory=dict)  # by container name
    waits: Mapping[str, Wait] = field(default_factory=dict)  # by container name
    probes: ProbeStates = field(default_factory=dict)
    failed_starts: frozenset[str] = frozenset()
    pending: Pending | None = None  # why what is declared is not allocated, where it is not
    applied: Resources = field(default_factory=dict)  # what running containers have, by id
    restarted: frozenset[str] = frozenset()  # ids of containers that were killed to run otherwise
    whole: ResourceRequirements | None = None  # what the group of a pod with resources as a whole is held to
    verdict: Verdict | None = None  # decided before the ending begins
    ending: Ending | None = None
    is_over: bool = False  # the last plan found nothing more to run
    is_clean: bool = False  # volumes and cgroup are gone
    is_deletion_sent: bool = False
    collected: frozenset[str] = frozenset()  # ids of dead containers that the node has no use for any more
    watched: tuple[tuple[str, ...], str, PodSpec | None] = ((), "", None)  # what the probes were told last
    told: PodStatus | None = None  # the last status that was handed on

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return self.pod.metadata.uid

    @property
    def busy(self) -> frozenset[str]:
        """The names of containers that are being started or killed."""
        names = [
            action.start.name if isinstance(action, StartContainer) else action.kill.name
            for action in self.actions.values()
            if isinstance(action, StartContainer | KillContainer)
        ]
        return frozenset(names)

    @property
    def starting(self) -> dict[str, int]:
        """The attempts of the containers that are being started, by name."""
        starts = [action.start for action in self.actions.values() if isinstance(action, StartContainer)]
        return {start.name: start.attempt for start in starts}

    def is_blocked(self, key: ActionKey, now_s: float) -> bool:
        """Whether an action is on its way, or has failed too short ago to be tried again."""
        retry = self.retries.get(key)
        return key in self.actions or (retry is not None and retry.at_s > now_s)

    def situation(self, now_s: float) -> Situation:
        """Return what the plan of a syncing pod depends on."""
        return Situation(
            pod=self._with_latest_status() if all_may_restart(self.pod) else self.pod,
            observed=self.observed,
            now_s=now_s,
            backoffs=self.backoffs,
            probes=self.probes,
            busy=self.busy,
            failed_starts=self.failed_starts,
            applied=self.applied,
            restarted=self.restarted,
            whole=self.whole,
        )

    @property
    def resize_problem(self) -> str:
        """Why a container could not be held to what is allocated to it, where that has failed."""
        failed = (retry.waiting for key, retry in self.retries.items() if key.verb is Verb.RESIZE)
        return next((waiting.message for waiting in failed), "")

    def status_inputs(self, now_s: float, around: Surroundings) -> StatusInputs:
        """Return what its status is made of."""
        waiting = {key.target: retry.waiting for key, retry in self.retries.items() if key.verb is Verb.START}
        if self.stage is Stage.SYNCING:
            waiting |= {name: Waiting(wait.reason, wait.message) for name, wait in self.waits.items()}
        return StatusInputs(
            pod=self._with_latest_status(),
            observed=self.observed,
            now_s=now_s,
            timescale=around.timescale,
            runtime=around.runtime,
            probes=self.probes,
            waiting=waiting,
            starting=self.starting,
            failed_starts=self.failed_starts,
            is_ending=self.stage in _ENDED,
            trigger=find_trigger(self.pod, self.observed, self.restarted)
            if self.stage is Stage.SYNCING
            else None,
            pending=self.pending,
            applied=self.applied,
            restarted=self.restarted,
            whole=self.whole,
            resize_problem=self.resize_problem,
        )

    def _with_latest_status(self) -> Pod:
        return msgspec.structs.replace(self.pod, status=self._latest_status())

    def _latest_status(self) -> PodStatus:
        """Return the status to go on from: the one handed on last, which the API may not show yet.

        Else what two writes on their way said differently would be told by turns for ever, after each one's echo. Conditions
        of others, and a terminal phase that somebody else has set, are the API's.
        """
        known, told = self.pod.status, self.told
        if told is None:
            return known
        conditions = [each for each in known.conditions if not is_ours(each.type, each.reason)]
        conditions += [each for each in told.conditions if is_ours(each.type, each.reason)]
        status = msgspec.structs.replace(told, conditions=conditions)
        if not is_terminal(self.pod):
            return status
        return msgspec.structs.replace(status, phase=known.phase, reason=known.reason, message=known.message)

    def visible(self) -> list[ObservedContainer]:
        """Return the containers that run and whose start, postStart included, is over."""
        starting = self.starting
        return [
            run
            for run in self.observed.containers
            if run.state is ContainerState.RUNNING and starting.get(run.name, run.attempt + 1) > run.attempt
        ]


_ENDED: Final = frozenset({Stage.TERMINATED, Stage.FINISHED})
