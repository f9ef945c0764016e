"""What holds of every step in the life of a pod: the promises of `pod_lifecycle`, as rules that can be checked.

Tests and scenarios check every step; so does a kubelet that runs with --check-invariants, which ends at the first
one that is broken. Each rule takes one step and yields what is wrong with it. The rules are about decisions: what
somebody else does to containers breaks none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kubelet.core.actions import (
    Action,
    CleanUp,
    KillContainer,
    RemoveContainer,
    RemoveSandbox,
    ResizeContainer,
    ResizePod,
    RunSandbox,
    StartContainer,
    StopSandbox,
    key_of,
)
from kubelet.core.instructions import (
    ActionEnded,
    Cancel,
    DeletePod,
    Forget,
    Instruction,
    PodGone,
    Run,
    Shorten,
    Stimulus,
)
from kubelet.core.life import Life, Stage
from machinery.model.pods import is_sidecar, is_terminal


@dataclass(frozen=True, slots=True)
class Step:
    """One stimulus, and what has come of it."""

    before: Life
    stimulus: Stimulus | None
    after: Life
    instructions: Sequence[Instruction]

    @property
    def begun(self) -> list[Action]:
        """The actions that this step begins."""
        return [each.action for each in self.instructions if isinstance(each, Run)]


class BrokenLifeError(Exception):
    """A step broke a rule; the text tells the rules, the stimulus and the instructions."""

    def __init__(self, step: Step, faults: Sequence[str]) -> None:
        meta = step.after.pod.metadata
        story = f"after {step.stimulus!r}, which gave {list(step.instructions)!r}"
        super().__init__(f"pod {meta.namespace}/{meta.name}: {'; '.join(faults)} ({story})")
        self.faults = faults


def check(step: Step) -> None:
    """Check a step against every rule.

    Raises:
        BrokenLifeError: it breaks at least one.
    """
    faults = [f"{rule.__name__}: {fault}" for rule in RULES for fault in rule(step)]
    if faults:
        raise BrokenLifeError(step, faults)


Rule: TypeAlias = Callable[[Step], Iterator[str]]

# --- what a life is at rest


def actions_stand_under_their_keys(step: Step) -> Iterator[str]:
    """An action is found by its own key."""
    for key, action in step.after.actions.items():
        if key_of(action) != key:
            yield f"{key} stands for {key_of(action)}"


def no_name_is_started_and_killed_at_once(step: Step) -> Iterator[str]:
    """A start waits for the end of the kill, and a kill for the end of the start."""
    actions = step.after.actions.values()
    killed = {action.kill.name for action in actions if isinstance(action, KillContainer)}
    for name in step.after.starting:
        if name in killed:
            yield name


def only_a_pod_on_its_way_out_has_an_ending(step: Step) -> Iterator[str]:
    """The stage and what is kept for it agree."""
    life = step.after
    if (life.stage is Stage.SYNCING) != (life.ending is None):
        yield f"{life.stage.value} with {life.ending}"
    if life.waits and life.stage is not Stage.SYNCING:
        yield f"{life.stage.value}, and {sorted(life.waits)} wait for a restart"


def no_kill_outlasts_the_grace_period(step: Step) -> Iterator[str]:
    """A kill that began for another reason is over no later than the pod's ending."""
    life = step.after
    for key, action in life.actions.items():
        if isinstance(action, KillContainer) and life.ending is not None:
            late_s = action.deadline.end_s - life.ending.deadline.end_s
            if late_s > 0:
                yield f"{key} is {late_s} s late"


def a_stopped_pod_starts_and_stops_nothing(step: Step) -> Iterator[str]:
    """Once a pod is terminated only what is left of it is taken away."""
    if step.after.stage in {Stage.TERMINATED, Stage.FINISHED}:
        for key, action in step.after.actions.items():
            if not isinstance(action, CleanUp | RemoveContainer | RemoveSandbox):
                yield str(key)


def nothing_is_left_of_a_finished_pod(step: Step) -> Iterator[str]:
    """A pod is forgotten when the API, the runtime and the node's folders have nothing of it."""
    life = step.after
    if life.stage is Stage.FINISHED and (
        life.is_known or life.actions or not life.is_clean or not life.observed.is_empty
    ):
        yield f"known={life.is_known} clean={life.is_clean} {life.actions} {life.observed}"


# --- what changes in a step

_ORDER: Final = (Stage.SYNCING, Stage.TERMINATING, Stage.TERMINATED, Stage.FINISHED)


def stages_follow_the_table(step: Step) -> Iterator[str]:
    """The way is forward; only what runs again leads back, from terminated to terminating."""
    before, after = step.before.stage, step.after.stage
    is_back = _ORDER.index(after) < _ORDER.index(before)
    if is_back and (before, after) != (Stage.TERMINATED, Stage.TERMINATING):
        yield f"from {before.value} to {after.value}"


def a_pod_is_gone_only_on_the_word_of_the_api(step: Step) -> Iterator[str]:
    """Silence changes nothing."""
    if step.before.is_known and not step.after.is_known and not isinstance(step.stimulus, PodGone):
        yield f"{type(step.stimulus).__name__} took it for gone"


def what_is_decided_stays(step: Step) -> Iterator[str]:
    """A verdict, a clean-up that is done and a deletion that is sent are not taken back; a deadline comes nearer."""
    before, after = step.before, step.after
    if before.uid != after.uid:
        yield f"{before.uid} has become {after.uid}"
    if before.verdict is not None and after.verdict != before.verdict:
        yield f"verdict {after.verdict} after {before.verdict}"
    if before.is_clean > after.is_clean or before.is_deletion_sent > after.is_deletion_sent:
        yield "the clean-up or the deletion is forgotten"
    if before.stage is after.stage is Stage.TERMINATING and before.ending and after.ending:
        late_s = after.ending.deadline.end_s - before.ending.deadline.end_s
        if late_s > 0:
            yield f"the grace period became {late_s} s longer"


def a_terminal_phase_stays(step: Step) -> Iterator[str]:
    """What was reported as succeeded or failed is never reported as anything else, except what the API itself says."""
    told, now = step.before.told, step.after.told
    if told is None or told.phase not in {"Succeeded", "Failed"} or is_terminal(step.after.pod):
        return
    if now is None or now.phase != told.phase:
        yield f"{now and now.phase} after {told.phase}"


def every_action_is_accounted_for(step: Step) -> Iterator[str]:
    """What is under way is what was, without the one that ended, and what begins now; nothing begins twice."""
    ended = {step.stimulus.key} if isinstance(step.stimulus, ActionEnded) else set()
    going = set(step.before.actions) - ended
    begun = [key_of(action) for action in step.begun]
    if len({*begun} - going) != len(begun):
        yield f"{begun} begin beside {going}"
    if set(step.after.actions) != going | {*begun}:
        yield f"{set(step.after.actions)} are under way, not {going | {*begun}}"


# --- what may be begun


def each_stage_begins_only_its_own(step: Step) -> Iterator[str]:
    """Nothing is started in a pod that is on its way out; nothing is taken away before it has stopped."""
    first, last = sorted((_ORDER.index(step.before.stage), _ORDER.index(step.after.stage)))
    allowed = {kind for stage in _ORDER[first : last + 1] for kind in _BEGINS[stage]}
    if step.after.stage is not Stage.SYNCING:
        allowed -= {StartContainer, RunSandbox, ResizeContainer, ResizePod}
    for action in step.begun:
        if type(action) not in allowed:
            yield f"{key_of(action)} while {step.after.stage.value}"


_BEGINS: Final[dict[Stage, frozenset[type]]] = {
    Stage.SYNCING: frozenset(
        {
            RunSandbox,
            StopSandbox,
            StartContainer,
            ResizeContainer,
            ResizePod,
            KillContainer,
            RemoveContainer,
            RemoveSandbox,
        }
    ),
    Stage.TERMINATING: frozenset({KillContainer, StopSandbox}),
    Stage.TERMINATED: frozenset({CleanUp, RemoveContainer, RemoveSandbox}),
    Stage.FINISHED: frozenset(),
}


def no_name_runs_twice(step: Step) -> Iterator[str]:
    """A container is started only when none of its name runs."""
    running = {run.name for run in step.after.observed.running()}
    for action in step.begun:
        if isinstance(action, StartContainer) and action.start.name in running:
            yield action.start.name


def containers_start_in_the_newest_sandbox(step: Step) -> Iterator[str]:
    """A container is made where the pod's addresses are, and only while that place is ready."""
    sandbox = step.after.observed.sandbox
    for action in step.begun:
        if isinstance(action, StartContainer) and (
            sandbox is None or not sandbox.is_ready or action.sandbox_id != sandbox.id
        ):
            yield f"{action.start.name} in {action.sandbox_id}, the newest is {sandbox}"


def init_containers_come_first(step: Step) -> Iterator[str]:
    """A container starts when every plain init container before it has succeeded in the same sandbox; an ephemeral one does not wait."""
    for action in step.begun:
        if isinstance(action, StartContainer) and not _is_ephemeral(step.after, action):
            missing = _missing_inits(step.after, action)
            if missing:
                yield f"{action.start.name} before {missing}"


def _is_ephemeral(life: Life, action: StartContainer) -> bool:
    return any(each.name == action.start.name for each in life.pod.spec.ephemeralContainers)


def _missing_inits(life: Life, action: StartContainer) -> list[str]:
    here = [run for run in life.observed.containers if run.sandbox_id == action.sandbox_id]
    mains = {container.name for container in life.pod.spec.containers}
    if any(run.name in mains for run in here):
        return []  # initialization is over in this sandbox
    names = [each.name for each in life.pod.spec.initContainers]
    count = names.index(action.start.name) if action.start.name in names else len(names)
    done = {run.name for run in here if not run.is_running and run.exit_code == 0}
    before = life.pod.spec.initContainers[:count]
    return [each.name for each in before if not is_sidecar(each) and each.name not in done]


def sandboxes_change_when_nothing_runs(step: Step) -> Iterator[str]:
    """A sandbox is stopped, and another one made, only after the last container has ended."""
    running = [run.id for run in step.after.observed.running()]
    ready = [sandbox.id for sandbox in step.after.observed.sandboxes if sandbox.is_ready]
    for action in step.begun:
        if isinstance(action, RunSandbox | StopSandbox) and running:
            yield f"{key_of(action)} while {running} run"
        if isinstance(action, RunSandbox) and ready:
            yield f"{key_of(action)} while {ready} are ready"


def only_what_is_dead_is_removed(step: Step) -> Iterator[str]:
    """Neither a running container nor a sandbox that still has containers is taken away, nor their volumes."""
    observed = step.after.observed
    running = {run.id for run in observed.running()}
    used = {run.sandbox_id for run in observed.containers}
    for action in step.begun:
        match action:
            case RemoveContainer(id_) if id_ in running:
                yield f"{id_} runs"
            case RemoveSandbox(id_) if id_ in used:
                yield f"{id_} has containers"
            case CleanUp() if running:
                yield f"the volumes of {sorted(running)}"


def the_object_goes_last(step: Step) -> Iterator[str]:
    """The object is deleted only after its containers are over, its last status is out and its volumes are gone."""
    life = step.after
    for instruction in step.instructions:
        if isinstance(instruction, DeletePod) and (
            step.before.is_deletion_sent
            or life.observed.running()
            or life.told is None
            or not life.is_clean
            or not (life.is_known and life.pod.metadata.deletionTimestamp)
        ):
            yield f"deleted at {life.stage.value}, clean={life.is_clean}, told={life.told is not None}"
        if isinstance(instruction, Forget) and life.stage is not Stage.FINISHED:
            yield f"forgotten at {life.stage.value}"


def only_what_is_under_way_is_cut_short(step: Step) -> Iterator[str]:
    """A start is given up, and a kill shortened, only while it is under way; a kill is never given up."""
    for instruction in step.instructions:
        match instruction:
            case Cancel(key):
                if not isinstance(step.after.actions.get(key), StartContainer | RunSandbox):
                    yield f"{key} is given up"
            case Shorten(key, deadline):
                action = step.before.actions.get(key)
                if not isinstance(action, KillContainer) or deadline.end_s >= action.deadline.end_s:
                    yield f"{key} is not shortened"


RULES: Final[tuple[Rule, ...]] = (
    actions_stand_under_their_keys,
    no_name_is_started_and_killed_at_once,
    only_a_pod_on_its_way_out_has_an_ending,
    no_kill_outlasts_the_grace_period,
    a_stopped_pod_starts_and_stops_nothing,
    nothing_is_left_of_a_finished_pod,
    stages_follow_the_table,
    a_pod_is_gone_only_on_the_word_of_the_api,
    what_is_decided_stays,
    a_terminal_phase_stays,
    every_action_is_accounted_for,
    each_stage_begins_only_its_own,
    no_name_runs_twice,
    containers_start_in_the_newest_sandbox,
    init_containers_come_first,
    sandboxes_change_when_nothing_runs,
    only_what_is_dead_is_removed,
    the_object_goes_last,
    only_what_is_under_way_is_cut_short,
)
