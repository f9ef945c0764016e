"""The life of a pod, stimulus by stimulus."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core import pod_lifecycle
from kubelet.core.actions import ActionKey, KillContainer, Verb, key_of
from kubelet.core.admission import Rejection
from kubelet.core.containers import ProbeState
from kubelet.core.instructions import (
    ActionEnded,
    Cancel,
    PodGone,
    PodSeen,
    ProbesSeen,
    Problem,
    Run,
    RuntimeSeen,
    Shorten,
    TimePassed,
    WriteStatus,
)
from kubelet.core.life import Stage
from kubelet.core.observed import ObservedPod
from kubelet.core.pod_lifecycle import begin, begin_unknown, handle, wake_at
from machinery.model.k8s.core_v1 import ExecAction, Lifecycle, LifecycleHandler, Probe
from tests.support.builders import changed, container, pod
from tests.support.pod_life import AROUND, START_S, PodRun, ended, run, sandbox, seen

START_MAIN = ActionKey(Verb.START, "main")
SIDECARS = [container(name, restartPolicy="Always") for name in ("a", "b")]


def running(spec=None) -> PodRun:
    it = PodRun(spec or pod())
    it.settle()
    assert "main" in it.running()
    it.log.clear()
    return it


def test_from_nothing_to_running():
    """A sandbox, then the container, and the status says so."""
    it = PodRun(pod())
    it.settle()
    assert it.log == ["sandbox", "start/main"]
    assert it.pod.status.phase == "Running"


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_new_image_runs_whatever_the_pod_restarts_for(policy):
    """However the old one ends; until then the pod is Running, and no resize is in progress."""
    it = running(pod(restartPolicy=policy))
    told = len(it.statuses)
    it.pod = changed(it.pod, spec__containers=[container(image="busybox:1.37")], metadata__generation=2)
    it.sync()
    assert list(it.pending) == ["kill/main-0"]
    it.pending.clear()
    it._end("main-0", 0)
    it.feed(ActionEnded(next(iter(it.life.actions)), it.observed()))
    assert list(it.pending) == ["start/main"]
    assert it.pod.status.containerStatuses[0].state.waiting.reason == "ContainerCreating"
    it.settle()
    assert "main" in it.running()
    assert {each.phase for each in it.statuses[told:]} == {"Running"}
    # The API takes no container back that has ended, where none is restarted: it is told of no end.
    states = [each.containerStatuses[0].state for each in it.statuses[told:]]
    assert not [each for each in states if each.terminated]
    assert it.pod.status.containerStatuses[0].lastState.terminated.exitCode == 0
    assert {each.type for status in it.statuses for each in status.conditions}.isdisjoint(
        {"PodResizeInProgress", "PodResizePending"}
    )
    assert "ResizeStarted" not in {each.reason for each in it.records}


def test_a_deletion_goes_step_by_step_to_nothing():
    """Kill, stop the sandbox, clean up, delete the object, remove what is left, forget."""
    it = running()
    it.delete()
    it.settle()
    assert it.log == [
        "kill/main-0",
        "stop/sandbox-0",
        "clean-up",
        "delete",
        "remove/main-0",
        "remove/sandbox-0",
        "forget",
    ]


def test_a_kill_carries_the_hook_and_the_deadline():
    """PreStop is in the same action as the stop: it cannot come later."""
    hook = LifecycleHandler(exec=ExecAction(command=["bye"]))
    it = running(pod(containers=[container(lifecycle=Lifecycle(preStop=hook))]))
    it.delete(grace_s=7)
    kill = it.killed[-1]
    assert kill.pre_stop == hook
    assert (kill.deadline.since_s, kill.deadline.grace_s) == (it.now_s, 7)
    assert kill.kill.message == "Stopping container main"


def test_sidecars_end_after_the_main_container_backwards():
    """One after the other, within the one grace period."""
    it = running(pod(initContainers=SIDECARS))
    it.delete()
    it.settle()
    assert [key for key in it.log if key.startswith("kill/")] == ["kill/main-0", "kill/b-0", "kill/a-0"]
    assert len({action.deadline for action in it.killed}) == 1


def test_starts_are_given_up_when_the_pod_is_deleted():
    """What is being started is cancelled; the pod waits for its end before it goes on."""
    it = PodRun(pod())
    it.finish("sandbox")
    it.delete()
    assert it.cancelled == {"start/main"}
    assert it.life.stage is Stage.TERMINATING
    it.finish("start/main")  # it was too late: the container runs
    assert "kill/main-0" in it.pending


def test_less_grace_shortens_a_kill_on_its_way():
    """A second deletion with a shorter grace period reaches the kill; a longer one does not."""
    it = running()
    it.delete(grace_s=60)
    it.delete(grace_s=600)
    assert it.pending["kill/main-0"].deadline.grace_s == 60
    it.delete(grace_s=2)
    assert it.pending["kill/main-0"].deadline.grace_s == 2


def test_a_liveness_kill_comes_under_the_deletion_s_deadline():
    """A kill that began for another reason is over no later than the pod's."""
    it = running(pod(terminationGracePeriodSeconds=600))
    it.containers["main-0"] = run(hash="0")
    it.sync()
    assert it.pending["kill/main-0"].deadline.grace_s == 600
    it.delete(grace_s=5)
    assert it.pending["kill/main-0"].deadline.grace_s == 5


def test_an_evicted_pod_has_little_time_and_says_why():
    """Its containers end, then it is Failed; whoever made it may want another one, and an event tells of it."""
    it = running(pod(terminationGracePeriodSeconds=600))
    it.evict()
    assert (it.records[-1].type, it.records[-1].reason) == ("Warning", "Evicted")
    assert it.killed[-1].deadline.grace_s == 1
    assert it.life.told is not None
    assert it.life.told.phase == "Running"
    it.settle()
    assert it.running() == []
    assert it.clean
    assert not it.deleted
    status = it.pod.status
    assert (status.phase, status.reason) == ("Failed", "Evicted")
    assert status.message == "The node was low on resource: memory. "
    [condition] = [each for each in status.conditions if each.type == "DisruptionTarget"]
    assert (condition.status, condition.reason) == ("True", "TerminationByKubelet")
    assert condition.message == status.message
    told = len(it.statuses)
    it.settle()
    assert len(it.statuses) == told


def test_a_pod_that_exceeds_its_own_limit_was_not_disrupted():
    """The next one would do the same."""
    it = running()
    it.evict(is_disruption=False)
    it.settle()
    assert it.pod.status.reason == "Evicted"
    assert not any(each.type == "DisruptionTarget" for each in it.pod.status.conditions)


@pytest.mark.parametrize(("own_s", "most_s", "grace_s"), [(30, 20, 20), (5, 20, 5), (30, 0, 1)])
def test_an_evicted_pod_has_its_own_grace_period_at_most(own_s: int, most_s: int, grace_s: int):
    """And a second at least."""
    it = running(pod(terminationGracePeriodSeconds=own_s))
    it.evict(most_s)
    assert it.killed[-1].deadline.grace_s == grace_s


def test_a_pod_that_ends_for_another_reason_is_not_evicted():
    """One that is being deleted, one that has ended."""
    it = running()
    it.delete(grace_s=60)
    it.evict()
    assert it.pending["kill/main-0"].deadline.grace_s == 60
    assert it.life.verdict is None
    it = running(pod(restartPolicy="Never"))
    it.exit("main")
    it.settle()
    it.evict()
    it.settle()
    assert (it.pod.status.phase, it.pod.status.reason) == ("Succeeded", "")
    assert not any(each.reason == "Evicted" for each in it.records)


def test_silence_is_no_deletion():
    """However much time passes without news of the API, the pod goes on."""
    it = running()
    it.pass_time(1e6)
    assert it.life.stage is Stage.SYNCING
    assert it.running() == ["main"]


def test_a_pod_that_left_the_api_is_stopped_with_its_own_grace():
    """No status and no deletion are sent for it."""
    it = running(pod(terminationGracePeriodSeconds=44))
    written = len(it.statuses)
    it.vanish()
    assert it.killed[-1].deadline.grace_s == 44
    it.settle()
    assert it.life.stage is Stage.FINISHED
    assert len(it.statuses) == written
    assert not it.deleted


def test_a_pod_that_only_the_runtime_knows_is_stopped_as_its_containers_remember():
    """Grace period and preStop come from the containers' annotations."""
    hook = LifecycleHandler(exec=ExecAction(command=["bye"]))
    spec = pod()
    observed = seen(spec, run(grace_s=17, pre_stop=hook))
    _, out = handle(begin_unknown(observed, START_S), None, START_S, AROUND)
    kill = next(each.action for each in out if isinstance(each, Run))
    assert isinstance(kill, KillContainer)
    assert (kill.pre_stop, kill.deadline.grace_s) == (hook, 17)


def test_a_refused_pod_is_failed_and_never_started():
    """The verdict is there from the start."""
    spec = pod()
    observed = ObservedPod(spec.metadata.uid)
    life, out = handle(
        begin(spec, observed, START_S, Rejection("OutOfcpu", "no room")), None, START_S, AROUND
    )
    assert life.stage is Stage.TERMINATED
    status = next(each.status for each in out if isinstance(each, WriteStatus))
    assert (status.phase, status.reason, status.message) == (
        "Failed",
        "OutOfcpu",
        "Pod was rejected: no room",
    )
    assert [str(key_of(each.action)) for each in out if isinstance(each, Run)] == ["clean-up"]


def test_what_the_api_does_not_show_yet_is_not_told_again_at_another_time():
    """Two writes of one change with different times would follow each other's echo for ever."""
    it = running(pod(restartPolicy="Never"))
    it.exit("main")
    it.sync()
    assert it.life.pod.status.phase == "Succeeded"
    it.statuses.clear()
    it.finish("stop/sandbox-0")
    it.pass_time(1.5)
    it.sync()
    told = it.statuses[0]
    assert it.statuses == [told] * len(it.statuses)


def test_a_terminal_phase_that_somebody_else_has_set_is_taken_over():
    """With its reason; what the kubelet says itself goes on from what it has said."""
    it = running()
    failed = changed(it.pod.status, phase="Failed", reason="NodeLost", message="gone")
    it.pod = changed(it.pod, status=failed)
    it.settle()
    status = it.pod.status
    assert (status.phase, status.reason, status.message) == ("Failed", "NodeLost", "gone")
    assert not it.running()


def test_a_finished_pod_of_an_earlier_kubelet_is_left_as_it_is():
    """Nothing is started, and its status is not rewritten."""
    it = running(pod(restartPolicy="Never"))
    it.exit("main")
    it.settle()
    before = it.pod.status
    it.statuses.clear()
    it.log.clear()
    it.start()
    it.settle()
    assert it.log == ["clean-up"]
    assert it.pod.status == before


def test_a_kubelet_that_starts_again_goes_on_without_a_word():
    """Running containers are adopted: no action, no other status."""
    it = running()
    before = it.pod.status
    it.start()
    it.settle()
    assert it.log == []
    assert it.pod.status == before


def test_a_pod_that_was_ready_stays_ready_when_the_kubelet_starts_again():
    """Probes that have not run yet take nothing back: the API's last word holds."""
    probed = container(readinessProbe=Probe(), startupProbe=Probe())
    it = PodRun(pod(containers=[probed]))
    it.settle()
    it.feed(ProbesSeen({"main-0": ProbeState(started=True, ready=True)}))
    assert it.pod.status.containerStatuses[0].ready
    it.statuses.clear()
    it.start()
    assert it.statuses == []


def test_the_echo_of_what_was_told_is_taken_without_a_plan(monkeypatch: pytest.MonkeyPatch):
    """It changes nothing that a plan or a status is made of, and leaves the life that a plan would leave."""
    it = running()
    echo = changed(it.pod, metadata__resourceVersion="4712")
    planned, instructions = _handled_at_length(it, PodSeen(echo), monkeypatch)
    monkeypatch.setattr(pod_lifecycle, "compute_pod_actions", None)
    monkeypatch.setattr(pod_lifecycle, "compute_status", None)
    assert handle(it.life, PodSeen(echo), it.now_s, AROUND) == (planned, instructions)
    assert instructions == []
    assert planned.pod == echo


def test_a_step_that_changes_nothing_leaves_the_same_life():
    """Not an equal one: each costs what all of its fields cost."""
    it = running()
    assert handle(it.life, TimePassed(), it.now_s, AROUND) == (it.life, [])
    assert handle(it.life, TimePassed(), it.now_s, AROUND)[0] is it.life
    it.delete()
    assert handle(it.life, TimePassed(), it.now_s, AROUND)[0] is it.life


@pytest.mark.parametrize(
    "news",
    [
        {"metadata__deletionTimestamp": "2026-01-01T00:00:30Z"},
        {"metadata__labels": {"app": "other"}},
        {"spec__activeDeadlineSeconds": 60},
        {"status__phase": "Pending"},
        {"status__conditions": []},
    ],
)
def test_what_comes_with_an_echo_is_planned_for(news, monkeypatch: pytest.MonkeyPatch):
    """Whoever else wrote the pod is heard."""
    it = running()
    seen_pod = PodSeen(changed(it.pod, metadata__resourceVersion="4712", **news))
    assert handle(it.life, seen_pod, it.now_s, AROUND) == _handled_at_length(it, seen_pod, monkeypatch)


def _handled_at_length(it: PodRun, stimulus: PodSeen, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(pod_lifecycle, "_is_echo", lambda *_: False)
        return handle(it.life, stimulus, it.now_s, AROUND)


def test_a_failed_action_is_tried_again_later():
    """Not at once, and its problem shows meanwhile."""
    it = PodRun(pod())
    it.finish("sandbox")
    it.life, _ = handle(
        it.life,
        ActionEnded(START_MAIN, it.observed(), Problem("CreateContainerConfigError", "no configmap")),
        it.now_s,
        AROUND,
    )
    it.pending.clear()
    it.sync()
    assert not it.pending
    waiting = it.pod.status.containerStatuses[0].state.waiting
    assert (waiting.reason, waiting.message) == ("CreateContainerConfigError", "no configmap")
    assert it.pass_until_wake()
    assert "start/main" in it.pending


def test_what_is_due_when_an_echo_comes_is_done():
    """The step takes the time, so nothing else would wake the worker for it any more."""
    it = PodRun(pod())
    it.finish("sandbox")
    problem = Problem("CreateContainerError", "no memory", retry_after_s=5)
    it.life, _ = handle(it.life, ActionEnded(START_MAIN, it.observed(), problem), it.now_s, AROUND)
    it.sync()
    echo = PodSeen(changed(it.pod, metadata__resourceVersion="4712"))
    early, instructions = handle(it.life, echo, it.now_s + 4, AROUND)
    assert instructions == []
    wake_s = wake_at(early, it.now_s + 4, AROUND)
    assert wake_s is not None
    _, instructions = handle(early, echo, wake_s, AROUND)
    assert START_MAIN in [key_of(each.action) for each in instructions if isinstance(each, Run)]


def test_a_problem_s_own_delay_counts():
    """An image pull says itself when it makes sense to ask again."""
    it = PodRun(pod())
    it.finish("sandbox")
    problem = Problem("ImagePullBackOff", "back-off", retry_after_s=80)
    it.life, _ = handle(it.life, ActionEnded(START_MAIN, it.observed(), problem), it.now_s, AROUND)
    begun_s = it.now_s
    it.pending.clear()
    it.pass_until_wake()
    assert 80 <= it.now_s - begun_s < 81


def test_crash_loops_count_and_are_told_once_each():
    """Every restart doubles the wait; each wait is one event."""
    it = running()
    waits = []
    for _ in range(4):
        it.exit("main", code=1)
        begun_s = it.now_s
        if "start/main" not in it.pending:
            it.pass_until_wake()
        waits.append(round(it.now_s - begun_s))
        it.finish("start/main")
    assert waits == [0, 10, 20, 40]
    assert [record.reason for record in it.records] == ["BackOff"] * 3
    assert it.life.observed.newest("main").restart_count == 4


def test_another_image_owes_no_backoff():
    """A container that crashed, or could not start, is tried at once when it gets another image."""
    it = running()
    it.exit("main", code=1)
    it.finish("start/main")
    it.exit("main", code=1)
    assert it.life.waits["main"].reason == "CrashLoopBackOff"
    it.pod = changed(it.pod, spec__containers=[container("main", image="fixed:2")], metadata__generation=2)
    it.feed(PodSeen(it.pod))
    assert not it.life.waits
    it.finish("start/main")
    it.exit("main", code=1)
    assert it.life.waits["main"].until_s == it.now_s + 10


def test_another_image_is_pulled_without_waiting_for_the_last_one():
    """A wait for an image that is not wanted any more is over."""
    it = PodRun(pod())
    it.finish("sandbox")
    problem = Problem("ImagePullBackOff", "back-off", retry_after_s=80)
    it.life, _ = handle(it.life, ActionEnded(START_MAIN, it.observed(), problem), it.now_s, AROUND)
    it.pending.clear()
    it.sync()
    assert not it.pending
    it.pod = changed(it.pod, spec__containers=[container("main", image="fixed:2")], metadata__generation=2)
    it.feed(PodSeen(it.pod))
    assert "start/main" in it.pending


def test_one_dead_container_is_kept_beside_the_running_one():
    """For the logs of the previous run; older ones are removed."""
    it = running()
    for _ in range(3):
        it.exit("main", code=1)
        it.settle()
    assert sorted(it.containers) == ["main-2", "main-3"]


def test_something_that_runs_again_is_stopped_again():
    """A container that somebody started by hand in a finished pod is stopped."""
    it = running(pod(restartPolicy="Never"))
    it.exit("main")
    it.settle()
    assert it.life.stage is Stage.TERMINATED
    it.feed(RuntimeSeen(seen(it.pod, run(), sandboxes=(sandbox(is_ready=False),))))
    assert it.life.stage is Stage.TERMINATING
    assert "kill/main-0" in it.pending


def test_a_deadline_is_kept_by_time_alone():
    """ActiveDeadlineSeconds wakes the life, which ends the pod."""
    it = PodRun(pod(activeDeadlineSeconds=100))
    it.finish("sandbox")
    it.finish("start/main")
    assert it.pass_until_wake()
    it.settle()
    assert it.now_s >= START_S + 100
    assert (it.pod.status.phase, it.pod.status.reason) == ("Failed", "DeadlineExceeded")


def test_a_phase_that_somebody_else_ended_ends_the_pod():
    """An eviction by the API (phase Failed) stops the containers, and stays."""
    it = running()
    it.pod = changed(it.pod, status__phase="Failed", status__reason="Evicted")
    it.feed(PodSeen(it.pod))
    it.settle()
    assert it.running() == []
    assert (it.pod.status.phase, it.pod.status.reason) == ("Failed", "Evicted")


def test_a_forced_deletion_shortens_what_is_left():
    """The last version of the object carries the grace period of 0."""
    it = running()
    it.delete(grace_s=60)
    last = changed(it.pod, metadata__deletionGracePeriodSeconds=0)
    life, out = handle(it.life, PodGone(last), it.now_s, AROUND)
    shortened = next(each for each in out if isinstance(each, Shorten))
    assert shortened.deadline.grace_s == 1
    assert not [each for each in out if isinstance(each, Cancel)]
    assert life.stage is Stage.TERMINATING


def test_ended_containers_do_not_hold_up_a_deletion():
    """Where nothing runs the sandbox is stopped at once."""
    it = running(pod(restartPolicy="Always"))
    it.exit("main", code=1)
    it.finish("start/main")
    it.exit("main", code=1)  # now it waits in CrashLoopBackOff
    it.delete()
    assert list(it.pending) == ["stop/sandbox-0"]


def test_an_older_run_beside_a_newer_one_is_killed_before_anything_starts():
    """Somebody started a container of the past by hand: two of one name never run by the kubelet's doing."""
    it = running()
    it.exit("main", code=1)
    it.finish("start/main")
    it.exit("main", code=1)
    it.containers["main-0"] = run()
    it.feed(RuntimeSeen(it.observed()))
    assert list(it.pending) == ["kill/main-0"]
    it.pass_time(11)
    assert list(it.pending) == ["kill/main-0"]
    it.settle()
    assert it.running() == ["main"]
    assert it.containers["main-2"].is_running


def test_a_sidecar_is_not_started_again_in_a_pod_that_is_over():
    """The main container's last end and the sidecar's come in one look: nothing is started to be given up."""
    it = running(pod(initContainers=[SIDECARS[0]], restartPolicy="Never"))
    for name in ("main", "a"):
        found = it.containers[f"{name}-0"]
        it.containers[found.id] = ended(name, hash=found.hash)
    it.feed(RuntimeSeen(it.observed()))
    assert [key for key in it.log if key.startswith("start/")] == []
    assert it.life.stage is Stage.TERMINATING
