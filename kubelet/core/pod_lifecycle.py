"""The life of a pod on its node. Everything that changes its state is in this file.

    SYNCING ──► TERMINATING ──► TERMINATED ──► FINISHED
                     ▲───────────────┘ (something runs again, whoever started it)

The table below says when; `handle` takes one stimulus, follows the table as far as it leads, and
returns the instructions of the stages on the way. No I/O, no clock: the same stimuli give the same instructions.

Guarantees, for any order of stimuli:
- never two running containers of one name, nor a start while anything of that name is under way;
- once a pod is on its way out nothing of it is started any more; a terminal phase stays;
- the pod's object is deleted only after its containers are over, its last status is out and its volumes are gone;
- a pod is taken for gone only on the API's own word: silence changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias, TypeGuard, assert_never

import msgspec

from kubelet.core.actions import (
    RUN_SANDBOX_KEY,
    Action,
    ActionKey,
    CleanUp,
    KillContainer,
    RemoveContainer,
    ResizeContainer,
    ResizePod,
    RunSandbox,
    StartContainer,
    Verb,
    key_of,
)
from kubelet.core.admission import Rejection
from kubelet.core.container_status import Waiting
from kubelet.core.containers import find, told_states
from kubelet.core.instructions import (
    ActionEnded,
    Cancel,
    Collected,
    DeletePod,
    Evicted,
    Forget,
    Instruction,
    PodGone,
    PodSeen,
    ProbesSeen,
    Problem,
    Record,
    Run,
    RuntimeSeen,
    Stimulus,
    TimePassed,
    WatchProbes,
    WriteStatus,
)
from kubelet.core.labels import container_hash
from kubelet.core.life import Ending, Life, Retry, Stage, Surroundings
from kubelet.core.observed import ContainerState, ObservedContainer, ObservedPod, pod_of
from kubelet.core.pod_actions import PodActions, compute_pod_actions
from kubelet.core.pod_garbage import collected_to_remove, dead_to_remove, has_ended
from kubelet.core.pod_status import Verdict, compute_status
from kubelet.core.pod_stop import plan_removal, plan_stop, shorten, sync_kill
from kubelet.core.resizing import applied_in_status, applied_to_pod, is_in_progress, resources_of
from kubelet.core.restart import next_backoff
from kubelet.core.restart_all import find_trigger
from kubelet.core.termination import LEAST_GRACE_S, Deadline, grace_s
from machinery.model.backoff import Backoff
from machinery.model.k8s.core_v1 import Container, Pod, ResourceRequirements
from machinery.model.pods import is_terminal

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
_RETRY: Final = Backoff(initial_s=1.0, cap_s=10.0)
_LONGEST_MESSAGE: Final = 4096  # characters of why a container waits: a name in it may be as long as its pod
_SANDBOX_RETRY: Final = Backoff(initial_s=0.5, cap_s=10.0)

# --- the table: in this stage, when this holds, go there

_Condition: TypeAlias = Callable[[Life, float], bool]


def _is_unwanted(life: Life, _now_s: float) -> bool:
    return not life.is_known or life.pod.metadata.deletionTimestamp is not None


def _has_ended(life: Life, _now_s: float) -> bool:
    return life.is_over or is_terminal(life.pod)


def _is_condemned(life: Life, _now_s: float) -> bool:
    return life.verdict is not None


def _is_quiet(life: Life, _now_s: float) -> bool:
    ready = any(sandbox.is_ready for sandbox in life.observed.sandboxes)
    return not life.actions and not life.observed.running() and not ready


def _runs_again(life: Life, _now_s: float) -> bool:
    return bool(life.observed.running())


def _is_nothing_left(life: Life, _now_s: float) -> bool:
    return not life.is_known and life.is_clean and not life.actions and life.observed.is_empty


TRANSITIONS: Final[tuple[tuple[Stage, _Condition, Stage], ...]] = (
    (Stage.SYNCING, _is_unwanted, Stage.TERMINATING),
    (Stage.SYNCING, _has_ended, Stage.TERMINATING),
    (Stage.SYNCING, _is_condemned, Stage.TERMINATING),
    (Stage.TERMINATING, _is_quiet, Stage.TERMINATED),
    (Stage.TERMINATED, _runs_again, Stage.TERMINATING),
    (Stage.TERMINATED, _is_nothing_left, Stage.FINISHED),
)

# --- one step


def begin(pod: Pod, observed: ObservedPod, now_s: float, rejection: Rejection | None = None) -> Life:
    """Return the life of a pod that the API has; one that the node does not take is condemned from the start."""
    verdict = Verdict(rejection.reason, f"Pod was rejected: {rejection.message}") if rejection else None
    return Life(
        pod=pod,
        observed=observed,
        born_s=now_s,
        verdict=verdict,
        probes=told_states(pod, observed),
        applied=applied_in_status(pod, observed),
        whole=applied_to_pod(pod),
    )


def begin_unknown(observed: ObservedPod, now_s: float) -> Life:
    """Return the life of a pod that only the runtime has: its end is all that is left."""
    return Life(pod=pod_of(observed), observed=observed, born_s=now_s, is_known=False)


def begin_again(life: Life, observed: ObservedPod) -> Life:
    """Return the life of a pod whose shell failed: nothing is on its way, and what is told is told again.

    Where it stands, and until when it has to be over, stays as it was.
    """
    return replace(
        life,
        observed=observed,
        actions={},
        waits={},
        is_deletion_sent=False,
        watched=((), "", None),
    )


def handle(
    life: Life, stimulus: Stimulus | None, now_s: float, around: Surroundings
) -> tuple[Life, list[Instruction]]:
    """Return the next life and what to do, in this order, after one stimulus (None to begin with)."""
    if _is_echo(stimulus, life) and not any(at_s <= now_s for at_s in _times(life, around)):
        return replace(life, pod=stimulus.pod), []
    before = life
    out: list[Instruction] = []
    if stimulus is not None:
        life = _absorb(life, stimulus, now_s)
    if isinstance(stimulus, Evicted) and life.verdict is not before.verdict:
        out.append(Record(WARNING, stimulus.verdict.reason, stimulus.verdict.message))
    life = _check_deadline(life, now_s, around, out)
    life = _follow_table(life, now_s, out)
    life = _issue(life, _garbage(life, around), now_s, out)
    life = _settle(life, now_s, out)
    _record_resize(before, life, out)
    return _tell(life, now_s, around, out), out


def wake_at(life: Life, now_s: float, around: Surroundings) -> float | None:
    """Return when time alone changes something; None for never."""
    return min((at_s for at_s in _times(life, around) if at_s > now_s), default=None)


def _times(life: Life, around: Surroundings) -> list[float]:
    """Return the times at which something comes due, past ones included."""
    times = [retry.at_s for retry in life.retries.values()]
    if life.stage is Stage.SYNCING:
        times += [wait.until_s for wait in life.waits.values()]
        if (deadline_s := _active_deadline(life, around)) is not None:
            times.append(deadline_s)
    return times


def _follow_table(life: Life, now_s: float, out: list[Instruction]) -> Life:
    """Follow the table from stage to stage, with what each stage does, until it leads no further.

    This ends: what is observed does not change meanwhile, so no stage is entered twice.
    """
    acted: Stage | None = None
    while True:
        if (target := _next_stage(life, now_s)) is not None:
            life = _enter(life, target, now_s, out)
        elif life.stage is not acted:  # what a stage finds out (that all has ended) may lead on
            acted = life.stage
            life = _STAGES[acted](life, now_s, out)
        else:
            return life


def _next_stage(life: Life, now_s: float) -> Stage | None:
    return next(
        (target for stage, holds, target in TRANSITIONS if life.stage is stage and holds(life, now_s)), None
    )


def _enter(life: Life, stage: Stage, now_s: float, out: list[Instruction]) -> Life:
    life = replace(life, stage=stage)
    if stage is not Stage.TERMINATING:
        return life
    for key, action in life.actions.items():
        if isinstance(action, RunSandbox | StartContainer):
            out.append(Cancel(key))
    return replace(life, waits={}, ending=Ending(Deadline(now_s, _ending_grace_s(life)), life.verdict))


def _ending_grace_s(life: Life) -> float:
    """Return the pod's grace period, or the one that is left to it where the node cannot wait for so long."""
    own, limit_s = grace_s(life.pod), life.verdict.grace_s if life.verdict else None
    return own if limit_s is None else min(own, max(limit_s, LEAST_GRACE_S))


# --- what a stimulus changes


def _is_echo(stimulus: Stimulus | None, life: Life) -> TypeGuard[PodSeen]:
    """Whether a version of the pod is the last one with the status that was told: all else has been planned for."""
    if not isinstance(stimulus, PodSeen):
        return False
    pod, known = stimulus.pod, life.pod
    return (
        life.is_known
        and stimulus.pending == life.pending
        and pod.status == life.told
        and not is_terminal(pod)
        and pod.spec == known.spec
        and msgspec.structs.replace(pod.metadata, resourceVersion=known.metadata.resourceVersion)
        == known.metadata
    )


def _absorb(life: Life, stimulus: Stimulus, now_s: float) -> Life:  # noqa: PLR0911 - one for each kind of stimulus
    match stimulus:
        case PodSeen(pod, pending):
            retries = _still_failing(life, pod)
            seen = replace(life, is_known=True, pod=pod, pending=pending, retries=retries)
            return _with_pod(seen, now_s)
        case PodGone(last):
            return _with_pod(replace(life, is_known=False, pod=last or life.pod), now_s)
        case RuntimeSeen(observed):
            return _with_observed(life, observed)
        case ProbesSeen(states):
            return replace(life, probes=states)
        case ActionEnded():
            return _with_end(life, stimulus, now_s)
        case Evicted(verdict):
            return replace(life, verdict=verdict) if _may_be_evicted(life) else life
        case Collected(ids):
            return replace(life, collected=life.collected | ids)
        case TimePassed():
            return life
        case _:
            assert_never(stimulus)


def _may_be_evicted(life: Life) -> bool:
    """Whether a pod is one that goes on: what ends for another reason is left to that."""
    return (
        life.stage is Stage.SYNCING and life.is_known and life.verdict is None and not is_terminal(life.pod)
    )


def _with_observed(life: Life, observed: ObservedPod) -> Life:
    """Note what the runtime has; of containers that are gone nothing is remembered."""
    ids = {run.id for run in observed.containers}
    if not life.restarted and life.applied.keys() <= ids and not _has_failed_resize(life):
        return replace(life, observed=observed)
    running = {run.id for run in observed.running()}
    return replace(
        life,
        observed=observed,
        applied={id_: resources for id_, resources in life.applied.items() if id_ in ids},
        restarted=life.restarted & ids,
        retries={
            key: retry
            for key, retry in life.retries.items()
            if key.verb is not Verb.RESIZE or not key.target or key.target in running
        },
    )


def _has_failed_resize(life: Life) -> bool:
    return bool(life.retries) and any(key.verb is Verb.RESIZE for key in life.retries)


def _still_failing(life: Life, pod: Pod) -> Mapping[ActionKey, Retry]:
    """Return the retries that hold for a new version of the pod: with another image a start is tried at once."""
    if pod.metadata.generation == life.pod.metadata.generation:
        return life.retries
    before = {each.name: container_hash(each) for each in _containers(life.pod)}
    changed = {
        ActionKey(Verb.START, each.name)
        for each in _containers(pod)
        if before.get(each.name) != container_hash(each)
    }
    return {key: retry for key, retry in life.retries.items() if key not in changed}


def _containers(pod: Pod) -> Iterable[Container]:
    return (*pod.spec.initContainers, *pod.spec.containers)


def _with_pod(life: Life, now_s: float) -> Life:
    """A deletion may shorten the grace period of a pod that is being stopped; it never makes it longer."""
    if life.ending is None or life.pod.metadata.deletionGracePeriodSeconds is None:
        return life
    deadline = life.ending.deadline.shortened(grace_s(life.pod), now_s)
    return replace(life, ending=replace(life.ending, deadline=deadline))


def _with_end(life: Life, end: ActionEnded, now_s: float) -> Life:
    action = life.actions.get(end.key)
    if isinstance(action, RemoveContainer) and end.problem is None:
        life = _with_removal(life, action, now_s)
    actions = {key: value for key, value in life.actions.items() if key != end.key}
    life = _with_observed(replace(life, actions=actions), end.observed or life.observed)
    retries = {key: value for key, value in life.retries.items() if key != end.key}
    if isinstance(action, StartContainer):
        life = _with_start(_with_applied(life, action), action, end, now_s)
    if isinstance(action, ResizeContainer) and end.problem is None:
        life = replace(life, applied={**life.applied, action.id: action.resources})
    if isinstance(action, ResizePod) and end.problem is None:
        life = replace(life, whole=action.resources)
    if end.problem is None:
        return replace(life, retries=retries, is_clean=life.is_clean or isinstance(action, CleanUp))
    if end.problem.cancelled or _is_run(life, action):
        return replace(life, retries=retries)
    before = life.retries.get(end.key)
    return replace(life, retries={**retries, end.key: _retry(end.key, before, end.problem, now_s)})


def _with_applied(life: Life, action: StartContainer) -> Life:
    """Note what a container has that was made, whether its start was a success or not."""
    newest = life.observed.newest(action.start.name)
    if newest is None or newest.attempt != action.start.attempt or newest.id in life.applied:
        return life
    return replace(life, applied={**life.applied, newest.id: action.resources})


def _with_start(life: Life, action: StartContainer, end: ActionEnded, now_s: float) -> Life:
    """Note a failed start, and count a restart that came as far as a container."""
    start = action.start
    if end.problem is not None and end.problem.unstarted_id:
        life = replace(life, failed_starts=life.failed_starts | {end.problem.unstarted_id})
    if start.after is None or not _is_run(life, action):
        return life
    ended_s = start.after.finished_s or start.after.created_s
    newest = life.observed.newest(start.name)
    is_same = newest is None or newest.hash == start.after.hash
    before = life.backoffs.get(start.name) if is_same else None
    backoff = next_backoff(before, ended_s, now_s)
    return replace(life, backoffs={**life.backoffs, start.name: backoff})


def _with_removal(life: Life, action: RemoveContainer, now_s: float) -> Life:
    """Count a restart of all containers, once what caused it is removed."""
    trigger = find_trigger(life.pod, life.observed, life.restarted)
    if trigger is None or trigger.id != action.id:
        return life
    backoff = next_backoff(life.backoffs.get(trigger.name), trigger.finished_s, now_s)
    return replace(life, backoffs={**life.backoffs, trigger.name: backoff})


def _is_run(life: Life, action: Action | None) -> bool:
    """Whether a start came as far as a container that was started: its own end is what counts then."""
    if not isinstance(action, StartContainer):
        return False
    newest = life.observed.newest(action.start.name)
    if newest is None or newest.attempt < action.start.attempt:
        return False
    return newest.state is not ContainerState.CREATED or newest.id in life.failed_starts


def _retry(key: ActionKey, before: Retry | None, problem: Problem, now_s: float) -> Retry:
    failures = before.failures + 1 if before else 1
    backoff = _SANDBOX_RETRY if key == RUN_SANDBOX_KEY else _RETRY
    delay_s = backoff.delay(failures) if problem.retry_after_s is None else problem.retry_after_s
    return Retry(failures, now_s + delay_s, Waiting(problem.reason, problem.message[:_LONGEST_MESSAGE]))


def _check_deadline(life: Life, now_s: float, around: Surroundings, out: list[Instruction]) -> Life:
    at_s = _active_deadline(life, around)
    if life.stage is not Stage.SYNCING or life.verdict or at_s is None or now_s < at_s:
        return life
    message = "Pod was active on the node longer than the specified deadline"
    out.append(Record(NORMAL, "DeadlineExceeded", message))
    return replace(life, verdict=Verdict("DeadlineExceeded", message))


def _active_deadline(life: Life, around: Surroundings) -> float | None:
    """Return when an active pod has to be over. Its startTime has whole wall seconds: our own sight is finer."""
    limit_s, started = life.pod.spec.activeDeadlineSeconds, life.pod.status.startTime
    if limit_s is None:
        return None
    if not started:
        return life.born_s + limit_s
    start_s = around.timescale.parse(started)
    return max(start_s, min(life.born_s, start_s + around.timescale.cluster(1.0))) + limit_s


# --- what each stage does


def _sync(life: Life, now_s: float, out: list[Instruction]) -> Life:
    plan = compute_pod_actions(life.situation(now_s))
    life = _with_waits(life, plan, out)
    if (
        life.observed.sandbox is not None
        and plan.create_sandbox
        and not life.is_blocked(RUN_SANDBOX_KEY, now_s)
    ):
        message = "Pod sandbox changed, it will be killed and re-created."
        out.append(Record(NORMAL, "SandboxChanged", message))
    return _issue(life, _sync_actions(life, plan, now_s), now_s, out)


def _sync_actions(life: Life, plan: PodActions, now_s: float) -> list[Action]:
    actions: list[Action] = [sync_kill(life, kill, now_s) for kill in plan.kill]
    if not plan.kill and not life.busy:
        actions += plan_stop(life, now_s, only_sandboxes=plan.stop_sandboxes)
    if plan.create_sandbox is not None and not life.busy:
        actions.append(RunSandbox(plan.create_sandbox))
    actions += [_resize_action(life, run) for run in plan.resize]
    if plan.resize_pod and life.pod.spec.resources is not None:
        actions.append(ResizePod(life.pod.spec.resources))
    actions += [RemoveContainer(run.id) for run in plan.remove]  # their logs stay
    if (sandbox := life.observed.sandbox) is not None:
        actions += [
            StartContainer(start, sandbox.id, sandbox.attempt, sandbox.ips, _resources(life, start.name))
            for start in plan.start
        ]
    return actions


def _garbage(life: Life, around: Surroundings) -> list[Action]:
    """Return the removals of what a pod that goes on needs no more, or of what the node has collected of one that has ended."""
    collected = collected_to_remove(life.observed, life.collected)
    if life.stage is Stage.SYNCING:
        return [*dead_to_remove(life.observed, life.busy, around.kept_dead), *collected]
    if not has_ended(life) or not life.is_clean:
        return []
    is_empty = bool(life.collected) and not life.observed.containers
    return plan_removal(life.observed) if is_empty else collected


def _resize_action(life: Life, run: ObservedContainer) -> Action:
    return ResizeContainer(run.id, run.name, _resources(life, run.name))


def _resources(life: Life, name: str) -> ResourceRequirements:
    container = find(life.pod, name)
    return resources_of(life.pod, container) if container is not None else ResourceRequirements()


def _with_waits(life: Life, plan: PodActions, out: list[Instruction]) -> Life:
    """Note who has to wait for a restart; whoever begins to wait is told about as an event."""
    out += [
        Record(WARNING, "BackOff", _back_off_text(life.pod, name), container=name)
        for name in sorted(plan.waits.keys() - life.waits.keys())
    ]
    if plan.waits == life.waits and plan.is_over == life.is_over:
        return life
    return replace(life, waits=dict(plan.waits), is_over=plan.is_over)


def _terminate(life: Life, now_s: float, out: list[Instruction]) -> Life:
    return _issue(life, plan_stop(life, now_s), now_s, out)


def _end(life: Life, now_s: float, out: list[Instruction]) -> Life:
    if not life.is_clean:
        return _issue(life, [CleanUp()], now_s, out)
    if not life.is_known:
        return _issue(life, plan_removal(life.observed), now_s, out)
    return life


def _finish(life: Life, _now_s: float, out: list[Instruction]) -> Life:
    out.append(Forget())
    return life


_STAGES: Final[dict[Stage, Callable[[Life, float, list[Instruction]], Life]]] = {
    Stage.SYNCING: _sync,
    Stage.TERMINATING: _terminate,
    Stage.TERMINATED: _end,
    Stage.FINISHED: _finish,
}


def _issue(life: Life, actions: Iterable[Action], now_s: float, out: list[Instruction]) -> Life:
    """Begin the actions that are not under way."""
    running, restarted = dict(life.actions), set(life.restarted)
    for action in actions:
        key = key_of(action)
        if key not in running and not life.is_blocked(key, now_s):
            running[key] = action
            out.append(Run(action))
            if isinstance(action, KillContainer) and action.kill.runs_again:
                restarted.add(action.kill.id)
    if len(running) == len(life.actions):
        return life
    return replace(life, actions=running, restarted=frozenset(restarted))


# --- what the outside is told


def _settle(life: Life, now_s: float, out: list[Instruction]) -> Life:
    """Bring kills that are on their way under the ending's deadline, and the probes up to date."""
    life = shorten(life, now_s, out)
    running, sandbox = life.visible(), life.observed.sandbox
    pod_ip = sandbox.ips[0] if sandbox and sandbox.ips else ""
    watched = (tuple(run.id for run in running), pod_ip, life.pod.spec)
    if watched[:2] == life.watched[:2] and (not running or watched == life.watched):
        return life
    out.append(WatchProbes(life.pod, running, pod_ip))
    return replace(life, watched=watched)


def _record_resize(before: Life, life: Life, out: list[Instruction]) -> None:
    """Record as events that a resize waits, begins, fails, or is done."""
    if life.pending is not None and life.pending != before.pending:
        name = f"Resize{life.pending.reason}"
        out.append(Record(WARNING, name, f"Pod resize {life.pending.reason}: {life.pending.message}"))
    if life.resize_problem and life.resize_problem != before.resize_problem:
        out.append(Record(WARNING, "ResizeError", f"Pod resize error: {life.resize_problem}"))
    if life.pod.spec is before.pod.spec and life.applied is before.applied and life.whole is before.whole:
        return
    was, is_ = (
        is_in_progress(each.pod, each.observed, each.applied, each.restarted, each.whole)
        for each in (before, life)
    )
    generation = life.pod.metadata.generation
    if is_ and not was:
        out.append(Record(NORMAL, "ResizeStarted", f"Pod resize started: generation {generation}"))
    elif was and not is_:
        out.append(Record(NORMAL, "ResizeCompleted", f"Pod resize completed: generation {generation}"))


def _tell(life: Life, now_s: float, around: Surroundings, out: list[Instruction]) -> Life:
    """Return the writes to the API: the status when it has changed, the deletion when all is done."""
    if not life.is_known:
        return life
    verdict = life.ending.verdict if life.ending else None
    status = compute_status(life.status_inputs(now_s, around), around.host_ips, verdict)
    if status != life.pod.status or (life.told is not None and status != life.told):
        out.append(WriteStatus(life.pod, status))
    if status != life.told:
        life = replace(life, told=status)
    may_go = life.stage is Stage.TERMINATED and life.is_clean and _is_unwanted(life, now_s)
    if may_go and not life.is_deletion_sent:
        out.append(DeletePod(life.pod))
        life = replace(life, is_deletion_sent=True)
    return life


def _back_off_text(pod: Pod, container: str) -> str:
    meta = pod.metadata
    return f"Back-off restarting failed container {container} in pod {meta.name}_{meta.namespace}({meta.uid})"
