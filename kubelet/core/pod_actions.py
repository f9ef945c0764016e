"""What has to happen to a pod now, so that what runs becomes what is declared.

    no sandbox, or one that cannot be used → stop what is left of the old one, then make a new one
    init containers, one after the other; a sidecar has to be started (its startup probe passed) before the next
    then the main containers, all at once; sidecars are kept running beside them
    a container that ended so that all are to run again → kill and remove the others, then it, then begin again
    a container that failed a probe or whose image changed → kill it; one that ended → restart it, by its policy

Pure and level-based: called again after every change, it gives what is missing, not what has changed. Who calls
does not start twice what is on its way (`busy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from kubelet.core.containers import ProbeState, ProbeStates, ephemeral, probe_state
from kubelet.core.labels import container_hash
from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod, ObservedSandbox
from kubelet.core.resizing import Change, Resources, change_of, is_same
from kubelet.core.restart import CrashBackoff, back_off_message, backoff_left, should_restart
from kubelet.core.restart_all import find_trigger, runs_of_members
from kubelet.core.termination import probe_grace_s
from machinery.model.k8s.core_v1 import Container, Pod, ResourceRequirements
from machinery.model.pods import is_sidecar

CRASH_LOOP: Final = "CrashLoopBackOff"


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container: the one with `resume_id`, which is created already, or a new one."""

    name: str
    attempt: int
    resume_id: str = ""
    after: ObservedContainer | None = None  # the run that it follows


@dataclass(frozen=True, slots=True)
class Kill:
    """Stop a container, and why; the texts are what users see as the event."""

    id: str
    name: str
    message: str
    grace_s: float
    probe: str = ""  # the kind of the probe that failed
    runs_again: bool = False  # in any case: with other resources, or of another image


@dataclass(frozen=True, slots=True)
class Wait:
    """A container that has to wait before it is started again."""

    reason: str
    message: str
    until_s: float


@dataclass(slots=True)
class PodActions:
    """What to do now. All of it can be done at the same time, except for a new sandbox, which comes last."""

    stop_sandboxes: list[str] = field(default_factory=list)
    create_sandbox: int | None = None  # its attempt
    start: list[Start] = field(default_factory=list)
    kill: list[Kill] = field(default_factory=list)
    resize: list[ObservedContainer] = field(default_factory=list)
    resize_pod: bool = False  # whether the pod's own group is to be held to what is allocated to the pod
    remove: list[ObservedContainer] = field(default_factory=list)
    waits: dict[str, Wait] = field(default_factory=dict)  # by container name
    is_over: bool = False  # every container has ended for good, or an init container has failed for good


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan depends on."""

    pod: Pod
    observed: ObservedPod
    now_s: float
    backoffs: Mapping[str, CrashBackoff] = field(default_factory=dict)  # by container name
    probes: ProbeStates = field(default_factory=dict)
    busy: AbstractSet[str] = frozenset()  # names of containers that are being started or killed
    failed_starts: AbstractSet[str] = frozenset()  # ids of created containers that could not be started
    applied: Resources = field(default_factory=dict)  # what running containers have, by id
    restarted: AbstractSet[str] = frozenset()  # ids of containers that were killed to run otherwise
    whole: ResourceRequirements | None = None  # what the group of a pod with resources as a whole is held to


def compute_pod_actions(situation: Situation) -> PodActions:
    """Return what to do for a pod that is to run."""
    plan, sandbox = PodActions(), situation.observed.sandbox
    if (trigger := find_trigger(situation.pod, situation.observed, situation.restarted)) is not None:
        _begin_again(situation, trigger, plan)
    elif sandbox is not None and is_usable(situation.pod, situation.observed):
        _Steps(situation, sandbox, plan).plan()
    else:
        _plan_sandbox(situation, plan)
    return plan


def is_usable(pod: Pod, observed: ObservedPod) -> bool:
    """Whether containers can run in the pod's newest sandbox, and in no other."""
    ready = [sandbox for sandbox in observed.sandboxes if sandbox.is_ready]
    newest = observed.sandbox
    if newest is None or ready != [newest] or newest.on_host_network != bool(pod.spec.hostNetwork):
        return False
    return bool(newest.ips)


def next_attempt(pod: Pod, observed: ObservedPod, name: str) -> int:
    """Return the number of a container's next run, which is also its restart count: it survives lost containers."""
    newest = observed.newest(name)
    seen = newest.restart_count + 1 if newest else 0
    told = (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    reported = (status.restartCount + 1 for status in told if status.name == name and status.containerID)
    return max(seen, *reported, 0)


def has_changed(container: Container, run: ObservedContainer) -> bool:
    """Whether a container was made of what is not declared any more: it is replaced, and owes no backoff."""
    return bool(run.hash) and run.hash != container_hash(container)


def _begin_again(situation: Situation, trigger: ObservedContainer, plan: PodActions) -> None:
    """Kill and remove all containers; the one for whose end they run again is the last, and may have to wait."""
    runs = [run for run in runs_of_members(situation.pod, situation.observed) if run.id != trigger.id]
    for run in runs:
        if run.name in situation.busy:
            continue
        if run.is_running:
            text = (
                f"Container {trigger.name} exited with code {trigger.exit_code}, all containers are restarted"
            )
            plan.kill.append(Kill(run.id, run.name, text, 0.0))
        else:
            plan.remove.append(run)
    is_waiting = _waits(situation, trigger, plan)
    if not runs and not situation.busy and not is_waiting:
        plan.remove.append(trigger)


def _waits(situation: Situation, run: ObservedContainer, plan: PodActions) -> bool:
    """Note that a container waits for its restart, if it has to."""
    backoff = situation.backoffs.get(run.name)
    left_s = backoff_left(backoff, run.finished_s or run.created_s, situation.now_s)
    if backoff is None or left_s <= 0:
        return False
    message = back_off_message(situation.pod, run.name, backoff.delay_s)
    plan.waits[run.name] = Wait(CRASH_LOOP, message, situation.now_s + left_s)
    return True


def _plan_sandbox(situation: Situation, plan: PodActions) -> None:
    """Replace the sandbox: first everything in the old ones has to be over."""
    pod, observed = situation.pod, situation.observed
    if not _something_left(situation) or _never_begins_again(pod, observed):
        plan.is_over = True
        return
    plan.stop_sandboxes = [sandbox.id for sandbox in observed.sandboxes if sandbox.is_ready]
    for container in observed.running():
        if container.name not in situation.busy:
            message = f"Stopping container {container.name}"
            plan.kill.append(Kill(container.id, container.name, message, probe_grace_s(pod, None)))
    if not plan.stop_sandboxes and not observed.running():
        plan.create_sandbox = observed.sandbox.attempt + 1 if observed.sandbox else 0


def _never_begins_again(pod: Pod, observed: ObservedPod) -> bool:
    """Whether a pod is over with its sandbox: restartPolicy Never, and a container of it has been made.

    As upstream's computePodActions; where it was never so far, the sandbox alone is made again. A container with a policy
    or rules of its own may run again, and needs a sandbox for that. Upstream leaves a pod of which another container has
    never run Pending for ever; here it ends as Failed.
    """
    if pod.spec.restartPolicy != "Never" or observed.sandbox is None or not observed.containers:
        return False
    inits = [each for each in pod.spec.initContainers if not is_sidecar(each)]
    return not any(each.restartPolicyRules or each.restartPolicy for each in (*inits, *pod.spec.containers))


def _something_left(situation: Situation) -> bool:
    """Whether a main container has yet to run, again or at all."""
    pod, observed = situation.pod, situation.observed
    for container in pod.spec.containers:
        newest = observed.newest(container.name)
        if newest is None or newest.state is not ContainerState.EXITED:
            if newest is not None or not _ended_before(pod, container):
                return True
        elif should_restart(pod, container, newest.exit_code):
            return True
    return False


def _ended_before(pod: Pod, container: Container) -> bool:
    """Whether a container whose traces are gone from the runtime has ended for good, as its status says."""
    for status in pod.status.containerStatuses:
        ended = status.state.terminated if status.name == container.name and status.state else None
        if ended is not None:
            return not should_restart(pod, container, ended.exitCode)
    return False


class _Steps:
    """The plan for the containers of a pod with a usable sandbox."""

    def __init__(self, situation: Situation, sandbox: ObservedSandbox, plan: PodActions) -> None:
        self._now = situation
        self._pod = situation.pod
        self._sandbox = sandbox
        self._plan = plan

    def plan(self) -> None:
        self._ephemeral()
        init_over = self._is_initialized()
        for container in self._pod.spec.initContainers:
            passed = self._sidecar(container) if is_sidecar(container) else init_over or self._init(container)
            if not passed and not init_over:
                return
        self._main()
        self._resize_pod()
        if self._plan.is_over:  # sidecars, too, are not started again
            self._plan.start.clear()

    def _ephemeral(self) -> None:
        """Start ephemeral containers, whatever the others do; each runs once."""
        if not self._pod.spec.ephemeralContainers:
            return
        told = {status.name for status in self._pod.status.ephemeralContainerStatuses if status.containerID}
        for container in ephemeral(self._pod):
            run = self._now.observed.newest(container.name)
            if run is None and container.name not in told:
                self._start(container, None)
            elif run is not None and self._is_unstarted(run):
                self._start(container, run)

    def _is_initialized(self) -> bool:
        """Whether a main container has been made in this sandbox: then initialization is behind it."""
        names = {container.name for container in self._pod.spec.containers}
        return any(
            container.name in names and container.sandbox_id == self._sandbox.id
            for container in self._now.observed.containers
        )

    def _here(self, name: str) -> ObservedContainer | None:
        """Return the newest run in this sandbox."""
        runs = (run for run in self._now.observed.named(name) if run.sandbox_id == self._sandbox.id)
        return next(runs, None)

    def _init(self, container: Container) -> bool:
        """Bring an init container to its end; return whether the next one may start."""
        run = self._here(container.name)
        if run is None or self._is_unstarted(run):
            self._start(container, run)
            return False
        if run.is_running:
            self._resize(container, run)
            return False
        if self._is_exit(run) and run.exit_code == 0 and run.id not in self._now.restarted:
            return container.name not in self._now.busy  # the call that starts it may end after the container
        if self._runs_again(container, run, is_init=True):
            self._restart(container, run)
        else:
            self._plan.is_over = True
        return False

    def _sidecar(self, container: Container) -> bool:
        """Keep a sidecar running; return whether it has started."""
        run = self._here(container.name)
        if run is None or self._is_unstarted(run):
            self._start(container, run)
            return False
        if not run.is_running:
            self._restart(container, run)
            return False
        self._check(container, run)
        return container.name not in self._now.busy and self._probed(container, run).started

    def _main(self) -> None:
        is_over = True
        for container in self._pod.spec.containers:
            run = self._now.observed.newest(container.name)
            if run is None and _ended_before(self._pod, container):
                continue
            if run is None or self._is_unstarted(run):
                self._start(container, run)
                is_over = False
            elif run.is_running:
                self._check(container, run)
                is_over = False
            elif self._runs_again(container, run):
                self._restart(container, run)
                is_over = False
            elif container.name in self._now.busy:
                is_over = False
        self._plan.is_over = is_over

    def _is_unstarted(self, run: ObservedContainer) -> bool:
        """Whether a container is made and waits for its start: a kubelet died between the two."""
        return run.state is ContainerState.CREATED and run.id not in self._now.failed_starts

    def _is_exit(self, run: ObservedContainer) -> bool:
        return run.state is ContainerState.EXITED

    def _runs_again(self, container: Container, run: ObservedContainer, *, is_init: bool = False) -> bool:
        if not self._is_exit(run):  # it was made and could not be started: no run of it has ended
            return True
        if run.id in self._now.restarted:
            return True
        return should_restart(self._pod, container, run.exit_code, is_init=is_init)

    def _is_free(self, name: str) -> bool:
        """Whether a name may be started: nothing is done with it, and no older run goes on (those are killed)."""
        if name in self._now.busy:
            return False
        again = [run for run in self._now.observed.named(name) if run.is_running]
        for run in again:
            self._kill(run, f"Container {name} runs beside a newer one", probe_grace_s(self._pod, None))
        return not again

    def _start(self, container: Container, run: ObservedContainer | None) -> None:
        if not self._is_free(container.name):
            return
        if run is not None:
            self._plan.start.append(Start(container.name, run.attempt, resume_id=run.id))
            return
        attempt = next_attempt(self._pod, self._now.observed, container.name)
        before = self._now.observed.newest(container.name)
        self._plan.start.append(Start(container.name, attempt, after=before))

    def _restart(self, container: Container, run: ObservedContainer) -> None:
        if not self._is_free(container.name):
            return
        is_free = has_changed(container, run) or run.id in self._now.restarted
        if not is_free and _waits(self._now, run, self._plan):
            return
        attempt = next_attempt(self._pod, self._now.observed, container.name)
        self._plan.start.append(Start(container.name, attempt, after=run))

    def _check(self, container: Container, run: ObservedContainer) -> None:
        """Kill a running container that must not go on as it is."""
        if container.name in self._now.busy:
            return
        probed = self._probed(container, run)
        again = should_restart(self._pod, container, 137)
        if run.state is ContainerState.UNKNOWN:
            message = f"Container {container.name} is in unknown state, try killing it before restart"
            self._kill(run, message, probe_grace_s(self._pod, None))
        elif has_changed(container, run):
            message = f"Container {container.name} definition changed, will be restarted"
            grace_s = probe_grace_s(self._pod, None)
            self._plan.kill.append(Kill(run.id, run.name, message, grace_s, runs_again=True))
        elif probed.failed:
            message = f"Container {container.name} failed {probed.failed.lower()} probe"
            grace_s = probe_grace_s(self._pod, probed.grace_s)
            self._kill(run, f"{message}, will be restarted" if again else message, grace_s, probed.failed)
        else:
            self._resize(container, run)

    def _resize(self, container: Container, run: ObservedContainer) -> None:
        """Have a running container held to what is allocated to it, as its policy says."""
        match change_of(self._pod, container, run, self._now.applied):
            case Change.UPDATE:
                self._plan.resize.append(run)
            case Change.RESTART:
                message = f"Container {container.name} resize requires restart"
                grace_s = probe_grace_s(self._pod, None)
                self._plan.kill.append(Kill(run.id, run.name, message, grace_s, runs_again=True))

    def _resize_pod(self) -> None:
        """Hold the pod's group to other resources, once its containers have theirs: it may have less than they had."""
        whole, allocated = self._now.whole, self._pod.spec.resources
        if allocated is None or (whole is not None and is_same(whole, allocated)):
            return
        is_idle = not self._plan.resize and not self._plan.kill and not self._plan.start
        self._plan.resize_pod = is_idle and not self._now.busy

    def _kill(self, run: ObservedContainer, message: str, grace_s: float, probe: str = "") -> None:
        self._plan.kill.append(Kill(run.id, run.name, message, grace_s, probe))

    def _probed(self, container: Container, run: ObservedContainer) -> ProbeState:
        return probe_state(container, run.id, self._now.probes)
