"""The rules of a pod's life find the faults that they are there for: each is shown a step that breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubelet.core.actions import (
    Action,
    ActionKey,
    CleanUp,
    KillContainer,
    RemoveContainer,
    RemoveSandbox,
    RunSandbox,
    StartContainer,
    StopSandbox,
    Verb,
    key_of,
)
from kubelet.core.container_status import Waiting
from kubelet.core.instructions import (
    Cancel,
    DeletePod,
    Forget,
    Instruction,
    PodGone,
    Run,
    RuntimeSeen,
    Shorten,
    Stimulus,
    TimePassed,
)
from kubelet.core.life import Ending, Life, Retry, Stage
from kubelet.core.observed import NOTHING
from kubelet.core.pod_actions import Kill, Start, Wait
from kubelet.core.pod_invariants import RULES, BrokenLifeError, Step, check
from kubelet.core.pod_status import Verdict
from kubelet.core.termination import Deadline
from machinery.model.k8s.core_v1 import PodStatus
from tests.support.builders import changed, container, pod
from tests.support.pod_life import START_S, PodRun, ended, run, sandbox, seen

POD = pod(initContainers=[container("init")])
GOING = changed(POD, metadata__deletionTimestamp="2026-01-01T00:00:30Z")
ENDING = Ending(Deadline(START_S, 30))
START = StartContainer(Start("main", 1), "sandbox-0", 0, ("10.0.0.9",))
KILL = KillContainer(Kill("main-0", "main", "bye", 30), Deadline(START_S, 30), None, (), "")
INIT_DONE = ended("init")


def life(*containers: Any, sandboxes: Any = None, stage: Stage = Stage.SYNCING, **fields: Any) -> Life:
    """Build a life in order: what a stage needs is there."""
    observed = seen(POD, *containers, sandboxes=sandboxes)
    if stage is not Stage.SYNCING:
        fields.setdefault("ending", ENDING)
    if stage is Stage.FINISHED:
        fields = {"is_known": False, "is_clean": True, **fields}
        observed = replace(NOTHING, uid=POD.metadata.uid)
    return Life(**{"pod": POD, "observed": observed, "born_s": START_S, "stage": stage, **fields})


def under_way(*actions: Action) -> dict[ActionKey, Action]:
    """Put actions under their keys."""
    return {key_of(action): action for action in actions}


def rest(after: Life, *instructions: Instruction, stimulus: Stimulus | None = None) -> Step:
    """Make a step in which nothing changes."""
    return Step(after, stimulus, after, instructions)


def begin(before: Life, *actions: Action, **fields: Any) -> Step:
    """Make a step that begins some actions."""
    after = replace(before, actions={**before.actions, **under_way(*actions)}, **fields)
    return Step(before, TimePassed(), after, [Run(action) for action in actions])


FINE = {
    "a start after the init container": begin(life(INIT_DONE, ended(attempt=0)), START),
    "a kill of a running container": begin(life(INIT_DONE, run()), KILL),
    "another sandbox when nothing runs": begin(life(sandboxes=(sandbox(is_ready=False),)), RunSandbox(1)),
    "a clean-up": begin(life(ended(), stage=Stage.TERMINATED), CleanUp()),
    "what runs again": Step(
        life(stage=Stage.TERMINATED), RuntimeSeen(seen(POD, run())), life(run(), stage=Stage.TERMINATING), ()
    ),
    "gone from the API": Step(life(), PodGone(), life(is_known=False), ()),
    "the end": rest(life(stage=Stage.FINISHED), Forget()),
    "the last word": Step(
        life(pod=GOING, stage=Stage.TERMINATED, is_clean=True, told=PodStatus(phase="Failed")),
        TimePassed(),
        life(
            pod=GOING,
            stage=Stage.TERMINATED,
            is_clean=True,
            told=PodStatus(phase="Failed"),
            is_deletion_sent=True,
        ),
        [DeletePod(GOING)],
    ),
}

BROKEN: dict[str, list[Step]] = {
    "actions_stand_under_their_keys": [
        rest(life(actions={ActionKey(Verb.KILL, "other"): KILL})),
    ],
    "no_name_is_started_and_killed_at_once": [
        rest(life(run(), actions=under_way(START, KILL))),
    ],
    "only_a_pod_on_its_way_out_has_an_ending": [
        rest(life(ending=ENDING)),
        rest(life(stage=Stage.TERMINATING, ending=None)),
        rest(life(stage=Stage.TERMINATING, waits={"main": Wait("CrashLoopBackOff", "", START_S)})),
    ],
    "no_kill_outlasts_the_grace_period": [
        rest(
            life(
                run(),
                stage=Stage.TERMINATING,
                ending=Ending(Deadline(START_S, 5)),
                actions=under_way(KILL),
            )
        ),
    ],
    "a_stopped_pod_starts_and_stops_nothing": [
        rest(life(stage=Stage.TERMINATED, actions=under_way(KILL))),
        rest(life(stage=Stage.TERMINATED, actions=under_way(START))),
    ],
    "nothing_is_left_of_a_finished_pod": [
        rest(life(stage=Stage.FINISHED, is_known=True)),
        rest(life(stage=Stage.FINISHED, is_clean=False)),
        rest(life(stage=Stage.FINISHED, actions=under_way(CleanUp()))),
        rest(replace(life(stage=Stage.FINISHED), observed=seen(POD))),
    ],
    "stages_follow_the_table": [
        Step(life(stage=Stage.TERMINATING), TimePassed(), life(), ()),
        Step(life(stage=Stage.FINISHED), TimePassed(), life(stage=Stage.TERMINATED), ()),
    ],
    "a_pod_is_gone_only_on_the_word_of_the_api": [
        Step(life(), TimePassed(), life(is_known=False), ()),
        Step(life(), RuntimeSeen(NOTHING), life(is_known=False), ()),
    ],
    "what_is_decided_stays": [
        Step(life(verdict=Verdict("DeadlineExceeded", "")), TimePassed(), life(), ()),
        Step(life(stage=Stage.TERMINATED, is_clean=True), TimePassed(), life(stage=Stage.TERMINATED), ()),
        Step(
            life(stage=Stage.TERMINATED, is_clean=True, is_deletion_sent=True),
            TimePassed(),
            life(stage=Stage.TERMINATED, is_clean=True),
            (),
        ),
        Step(
            life(stage=Stage.TERMINATING),
            TimePassed(),
            life(stage=Stage.TERMINATING, ending=Ending(Deadline(START_S, 31))),
            (),
        ),
        Step(life(), TimePassed(), life(pod=changed(POD, metadata__uid="another")), ()),
    ],
    "a_terminal_phase_stays": [
        Step(
            life(told=PodStatus(phase="Succeeded")), TimePassed(), life(told=PodStatus(phase="Running")), ()
        ),
        Step(life(told=PodStatus(phase="Failed")), TimePassed(), life(told=None), ()),
    ],
    "every_action_is_accounted_for": [
        Step(life(run(), actions=under_way(KILL)), TimePassed(), life(run()), ()),
        Step(life(run()), TimePassed(), life(run(), actions=under_way(KILL)), ()),
        rest(life(run(), actions=under_way(KILL)), Run(KILL)),
        rest(life(run()), Run(KILL)),
    ],
    "each_stage_begins_only_its_own": [
        begin(life(INIT_DONE, stage=Stage.TERMINATING), START),
        begin(life(stage=Stage.TERMINATING), RunSandbox(1)),
        begin(life(ended(), stage=Stage.TERMINATING), RemoveContainer("main-0")),
        begin(life(), CleanUp()),
        Step(
            life(INIT_DONE),
            TimePassed(),
            life(INIT_DONE, stage=Stage.TERMINATING, actions=under_way(START)),
            [Run(START)],
        ),
    ],
    "no_name_runs_twice": [
        begin(life(INIT_DONE, run()), START),
        begin(life(INIT_DONE, ended(attempt=1), run(attempt=0)), START),
    ],
    "containers_start_in_the_newest_sandbox": [
        begin(life(sandboxes=()), START),
        begin(life(INIT_DONE, sandboxes=(sandbox(is_ready=False),)), START),
        begin(life(INIT_DONE, sandboxes=(sandbox(1), sandbox(0, is_ready=False))), START),
    ],
    "init_containers_come_first": [
        begin(life(), START),
        begin(life(run("init")), START),
        begin(life(ended("init", code=1)), START),
        begin(life(ended("init", sandbox_id="another")), START),
    ],
    "sandboxes_change_when_nothing_runs": [
        begin(life(run()), StopSandbox("sandbox-0")),
        begin(life(run(), sandboxes=()), RunSandbox(1)),
        begin(life(), RunSandbox(1)),
    ],
    "only_what_is_dead_is_removed": [
        begin(life(run()), RemoveContainer("main-0")),
        begin(life(ended()), RemoveSandbox("sandbox-0")),
        begin(life(run(), stage=Stage.TERMINATED), CleanUp()),
    ],
    "the_object_goes_last": [
        rest(life(pod=GOING, told=PodStatus(), is_clean=False), DeletePod(GOING)),
        rest(life(pod=GOING, told=None, is_clean=True), DeletePod(GOING)),
        rest(life(run(), pod=GOING, told=PodStatus(), is_clean=True), DeletePod(GOING)),
        rest(life(told=PodStatus(), is_clean=True), DeletePod(POD)),
        rest(life(pod=GOING, told=PodStatus(), is_clean=True, is_deletion_sent=True), DeletePod(GOING)),
        rest(life(stage=Stage.TERMINATED), Forget()),
    ],
    "only_what_is_under_way_is_cut_short": [
        rest(life(), Cancel(key_of(START))),
        rest(life(run(), actions=under_way(KILL)), Cancel(key_of(KILL))),
        rest(life(), Shorten(key_of(KILL), Deadline(START_S, 1))),
        rest(life(run(), actions=under_way(KILL)), Shorten(key_of(KILL), Deadline(START_S, 31))),
    ],
}


@pytest.mark.parametrize("step", FINE.values(), ids=FINE)
def test_a_step_in_order_breaks_no_rule(step):
    """The steps below are wrong for what they do, not for how they are built."""
    check(step)


@pytest.mark.parametrize(("rule", "step"), [(name, step) for name, steps in BROKEN.items() for step in steps])
def test_a_rule_finds_its_fault(rule, step):
    """The rule itself says so, and the check names it."""
    [found] = [each for each in RULES if each.__name__ == rule]
    assert list(found(step))
    with pytest.raises(BrokenLifeError, match=rule):
        check(step)


def test_every_rule_is_shown_a_fault():
    """A rule that nothing can break says nothing."""
    assert set(BROKEN) == {rule.__name__ for rule in RULES}


def test_a_run_from_start_to_end_breaks_no_rule():
    """A whole life, with a failed start in it, is checked step by step."""
    it = PodRun(POD)
    it.finish("sandbox")
    it.finish("start/init", fail=True)
    assert it.life.retries == {
        ActionKey(Verb.START, "init"): Retry(1, START_S + 1, Waiting("Broken", "it did not work"))
    }
    it.settle()
    it.exit("init")
    it.settle()
    assert it.running() == ["main"]
    it.delete()
    it.settle()
    assert it.life.stage is Stage.FINISHED
