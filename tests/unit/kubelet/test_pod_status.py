"""What the API is told of a pod."""

from __future__ import annotations

import pytest

from kubelet.core.container_status import StatusInputs, Waiting
from kubelet.core.containers import ProbeState
from kubelet.core.observed import read_sandbox
from kubelet.core.pod_status import Verdict, compute_status
from kubelet.core.status_patch import status_patch
from machinery.model.clock import Timescale
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    EphemeralContainer,
    PodCondition,
    PodIP,
    PodReadinessGate,
    PodStatus,
    Probe,
    VolumeMount,
)
from machinery.pb import cri_pb2 as cri
from tests.support.builders import changed, container, pod
from tests.support.pod_life import START_S, ended, run, sandbox, seen

HOST = ("192.0.2.7",)
NOW_S = START_S + 60


def status(spec, *containers, sandboxes=None, verdict=None, **inputs):
    observed = seen(spec, *containers, sandboxes=sandboxes)
    given = StatusInputs(spec, observed, NOW_S, Timescale(), **inputs)
    return compute_status(given, HOST, verdict)


def condition(found, type_):
    one = find(found.conditions, type_)
    return (one.status, one.reason)


@pytest.mark.parametrize(
    ("policy", "runs", "phase"),
    [
        ("Always", (), "Pending"),
        ("Always", (run("a"),), "Pending"),
        ("Always", (run("a"), run("b")), "Running"),
        ("Always", (run("a"), ended("b")), "Running"),
        ("Always", (ended("a"), ended("b")), "Running"),
        ("OnFailure", (ended("a"), ended("b", code=1)), "Running"),
        ("OnFailure", (ended("a"), ended("b")), "Succeeded"),
        ("Never", (ended("a"), ended("b", code=1)), "Failed"),
        ("Never", (ended("a"), ended("b")), "Succeeded"),
        ("Never", (ended("a"), run("b")), "Running"),
    ],
)
def test_the_phase_of_two_main_containers(policy, runs, phase):
    """Pending until all have run, terminal only when none will run again."""
    spec = pod(containers=[container("a"), container("b")], restartPolicy=policy)
    assert status(spec, *runs).phase == phase


@pytest.mark.parametrize(
    ("policy", "runs", "phase"),
    [
        ("Always", (run("init"),), "Pending"),
        ("Always", (ended("init", code=1),), "Pending"),
        ("Never", (ended("init", code=1),), "Failed"),
        ("Always", (ended("init"), run()), "Running"),
    ],
)
def test_the_phase_during_initialization(policy, runs, phase):
    """Init containers keep a pod Pending; one that failed for good fails the pod."""
    assert status(pod(initContainers=[container("init")], restartPolicy=policy), *runs).phase == phase


def test_a_plain_init_container_is_ready_when_it_has_done_its_work():
    """While it runs it is not; a sidecar is ready when its probes say so."""
    inits = [container("side", restartPolicy="Always"), container("init"), container("next")]
    spec = pod(initContainers=inits)
    found = status(spec, run("side"), ended("init"), run("next"))
    assert [each.ready for each in found.initContainerStatuses] == [True, True, False]
    assert [each.started for each in found.initContainerStatuses] == [True, False, True]
    probed = pod(initContainers=[container("side", restartPolicy="Always", readinessProbe=Probe()), inits[1]])
    found = status(probed, run("side"), run("init"))
    assert [each.ready for each in found.initContainerStatuses] == [False, False]


def test_a_pod_that_is_over_before_all_have_run_has_failed():
    """As one that never restarts, and loses its sandbox meanwhile."""
    spec = pod(containers=[container("a"), container("b")], restartPolicy="Never")
    boxes = (sandbox(is_ready=False),)
    assert status(spec, ended("a", code=0), sandboxes=boxes, is_ending=True).phase == "Failed"
    assert status(spec, sandboxes=boxes, is_ending=True).phase == "Pending"


@pytest.mark.parametrize(
    ("runs", "phase", "initialized"),
    [
        (
            (),
            "Pending",
            "True",
        ),  # nothing of it has begun: its init containers are still those that have passed
        ((run("init", 1, sandbox_id="sandbox-1"),), "Pending", "False"),
        ((ended("init", 1, sandbox_id="sandbox-1"),), "Pending", "True"),
        (
            (ended("init", 1, sandbox_id="sandbox-1"), run(attempt=1, sandbox_id="sandbox-1")),
            "Running",
            "True",
        ),
        (
            (ended("init", 1, sandbox_id="sandbox-1"), ended(attempt=1, sandbox_id="sandbox-1")),
            "Running",
            "True",
        ),
    ],
)
def test_a_pod_that_initializes_again_is_pending(runs, phase, initialized):
    """In a new sandbox, until a main container has started there; afterwards its restarts leave it Running."""
    boxes = (sandbox(1), sandbox(0, is_ready=False))
    spec = pod(initContainers=[container("init")])
    found = status(spec, ended("init"), ended(code=137), *runs, sandboxes=boxes)
    assert found.phase == phase
    assert condition(found, "Initialized")[0] == initialized


def test_a_pod_without_init_containers_does_not_initialize():
    """It goes on where its sandbox is new, and so does one that is being stopped."""
    boxes = (sandbox(1), sandbox(0, is_ready=False))
    assert status(pod(), ended(code=137), sandboxes=boxes).phase == "Running"
    spec = pod(initContainers=[container("init")])
    runs = (ended("init"), ended(code=137))
    assert status(spec, *runs, sandboxes=boxes, is_ending=True).phase == "Failed"


def test_a_pod_is_not_over_while_a_sidecar_runs():
    """The terminal phase waits until nothing runs any more."""
    spec = pod(initContainers=[container("side", restartPolicy="Always")], restartPolicy="Never")
    assert status(spec, run("side"), ended()).phase == "Running"
    assert status(spec, ended("side", code=143), ended()).phase == "Succeeded"


def test_a_terminal_phase_is_final():
    """Whatever the runtime shows later."""
    spec = changed(pod(restartPolicy="Never"), status__phase="Failed", status__reason="Evicted")
    found = status(spec, run())
    assert (found.phase, found.reason) == ("Failed", "Evicted")


def test_a_verdict_shows_when_nothing_runs_any_more():
    """DeadlineExceeded and rejections: Failed, with reason and message."""
    verdict = Verdict("DeadlineExceeded", "too long")
    assert status(pod(), run(), verdict=verdict).phase == "Running"
    found = status(pod(), ended(code=137), verdict=verdict)
    assert (found.phase, found.reason, found.message) == ("Failed", "DeadlineExceeded", "too long")


@pytest.mark.parametrize(
    ("inits", "reason"), [((), "ContainerCreating"), ((container("init"),), "PodInitializing")]
)
def test_what_a_container_waits_for_at_first(inits, reason):
    """ContainerCreating, or PodInitializing where there are init containers."""
    found = status(pod(initContainers=list(inits)))
    assert found.containerStatuses[0].state.waiting.reason == reason


def test_a_problem_shows_as_the_waiting_reason():
    """ErrImagePull and its like."""
    found = status(pod(), waiting={"main": Waiting("ErrImagePull", "no such image")})
    assert found.containerStatuses[0].state.waiting.reason == "ErrImagePull"


def test_a_crash_loop_shows_the_last_end():
    """State waiting, lastState the end that led to it."""
    found = status(pod(), ended(attempt=2, code=3), waiting={"main": Waiting("CrashLoopBackOff", "back-off")})
    one = found.containerStatuses[0]
    assert one.state.waiting.reason == "CrashLoopBackOff"
    assert (one.lastState.terminated.exitCode, one.restartCount) == (3, 2)
    assert (one.ready, one.started) == (False, False)


@pytest.mark.parametrize(
    ("code", "reason", "shown"),
    [
        (0, "", "Completed"),
        (1, "", "Error"),
        (137, "OOMKilled", "OOMKilled"),
        (128, "StartError", "StartError"),
    ],
)
def test_why_a_container_ended(code, reason, shown):
    """The runtime's reason, else Completed or Error by the exit code."""
    found = status(pod(restartPolicy="Never"), ended(code=code, reason=reason))
    assert found.containerStatuses[0].state.terminated.reason == shown


def test_a_running_container():
    """Id with the runtime's name, start time, last end, what of the spec is in force."""
    spec = pod(
        containers=[
            container(
                requests={"cpu": "1"}, volumeMounts=[VolumeMount(name="v", mountPath="/v", readOnly=True)]
            )
        ]
    )
    found = status(spec, run(attempt=1), ended(attempt=0, code=2)).containerStatuses[0]
    assert found.containerID == "docker://main-1"
    assert found.state.running.startedAt == "2026-01-01T00:00:00Z"
    assert found.lastState.terminated.exitCode == 2
    assert found.allocatedResources == {"cpu": "1"}
    assert found.volumeMounts[0].recursiveReadOnly == "Disabled"


def test_a_container_counts_when_its_start_is_over():
    """While postStart runs it is waiting, as before its creation."""
    found = status(pod(), run(), starting={"main": 0})
    assert found.containerStatuses[0].state.waiting.reason == "ContainerCreating"
    assert status(pod(), run()).containerStatuses[0].state.running


@pytest.mark.parametrize(
    ("spec", "state", "ready"),
    [
        ({}, None, True),
        ({"readinessProbe": Probe()}, None, False),
        ({"readinessProbe": Probe()}, ProbeState(started=True, ready=True), True),
        ({"startupProbe": Probe()}, None, False),
        ({"startupProbe": Probe()}, ProbeState(started=True, ready=True), True),
    ],
)
def test_readiness_follows_the_probes(spec, state, ready):
    """Without probes a running container is ready; with one it has to have passed."""
    probes = {"main-0": state} if state else {}
    found = status(pod(containers=[container(**spec)]), run(), probes=probes)
    assert found.containerStatuses[0].ready is ready
    assert condition(found, "Ready")[0] == str(ready)


def test_readiness_gates_hold_a_pod_back():
    """ContainersReady is True, Ready waits for the gate's condition."""
    spec = pod(readinessGates=[PodReadinessGate(conditionType="example.com/lb")])
    found = status(spec, run())
    assert condition(found, "ContainersReady") == ("True", "")
    assert condition(found, "Ready") == ("False", "ReadinessGatesNotReady")
    opened = changed(spec, status__conditions=[PodCondition(type="example.com/lb", status="True")])
    assert condition(status(opened, run()), "Ready") == ("True", "")


def test_conditions_of_a_pod_that_has_ended():
    """Ready is False with PodCompleted or PodFailed."""
    done = status(pod(restartPolicy="Never"), ended())
    assert condition(done, "Ready") == ("False", "PodCompleted")
    assert condition(done, "Initialized") == ("True", "PodCompleted")
    assert condition(status(pod(restartPolicy="Never"), ended(code=1)), "Ready") == ("False", "PodFailed")


def test_a_transition_time_moves_with_the_status_only():
    """What stays as it is keeps its time."""
    first = status(pod(), run())
    again = changed(pod(), status=first)
    later = compute_status(StatusInputs(again, seen(again, run()), NOW_S + 50, Timescale()), HOST)
    assert later == first


def test_addresses():
    """The sandbox's, the last known ones when the sandbox is gone; the host's beside them."""
    found = status(pod(), run())
    assert (found.podIP, found.hostIP) == ("10.0.0.9", "192.0.2.7")
    spec = changed(pod(), status__podIPs=[PodIP(ip="10.0.0.3")])
    assert status(spec, sandboxes=()).podIP == "10.0.0.3"


def test_a_sandbox_on_the_hosts_network_has_the_hosts_addresses():
    """The runtime gives it none; status, probes, hooks and environment need one."""
    shown = cri.PodSandboxStatus(id="s", linux={"namespaces": {"options": {"network": cri.NODE}}})
    found = read_sandbox(shown, Timescale(), HOST)
    assert (found.ips, found.on_host_network) == (HOST, True)
    own = cri.PodSandboxStatus(id="s", network={"ip": "10.0.0.9"})
    assert read_sandbox(own, Timescale(), HOST).ips == ("10.0.0.9",)


def told(state, restarts=2):
    return ContainerStatus(
        name="main",
        image="app:1",
        imageID="",
        ready=False,
        restartCount=restarts,
        containerID="docker://old",
        state=state,
    )


def test_a_lost_container_is_remembered():
    """A container that ran and is not there any more: its end is unknown, its restarts count on."""
    spec = changed(
        pod(), status=PodStatus(containerStatuses=[told(ContainerState(running=ContainerStateRunning()))])
    )
    one = status(spec).containerStatuses[0]
    assert one.state.waiting.reason == "ContainerCreating"
    assert one.lastState.terminated.reason == "ContainerStatusUnknown"
    assert one.restartCount == 2


def test_an_end_that_was_told_stays():
    """Cleared containers of a finished pod keep their ends."""
    end = ContainerState(terminated=ContainerStateTerminated(exitCode=0, message="bye"))
    spec = changed(
        pod(restartPolicy="Never"), status=PodStatus(phase="Succeeded", containerStatuses=[told(end)])
    )
    found = status(spec, sandboxes=(), is_ending=True)
    assert found.phase == "Succeeded"
    assert found.containerStatuses[0].state.terminated.message == "bye"


def test_a_patch_has_what_has_changed_and_nobody_else_s_conditions():
    """Fields that are the same are left out, fields that are gone are null, foreign conditions are not sent."""
    gate = PodCondition(type="example.com/lb", status="True")
    spec = changed(pod(), status__conditions=[gate])
    known = status(spec, run())
    wanted = changed(known, podIPs=[PodIP(ip="10.0.0.10")], podIP="10.0.0.10", startTime=None)
    patch = status_patch(known, wanted)
    assert patch == {
        "podIP": "10.0.0.10",
        "podIPs": [{"ip": "10.0.0.10"}, {"$patch": "delete", "ip": "10.0.0.9"}],
        "startTime": None,
    }
    sent = status_patch(changed(PodStatus(), conditions=[gate]), known)["conditions"]
    assert "example.com/lb" not in [each["type"] for each in sent]
    assert status_patch(known, known) == {}


def test_a_patch_takes_back_what_a_condition_does_not_say_any_more():
    """Reasons and messages of the past become null; conditions that are the same are left out."""
    before, after = status(pod()), status(pod(), run())
    patch = {each["type"]: each for each in status_patch(before, after)["conditions"]}
    assert patch["Ready"] == {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:01:00Z",
        "reason": None,
        "message": None,
    }
    assert "PodScheduled" not in patch


def test_the_containers_of_a_pod_share_what_their_messages_may_take():
    """12 KiB for all of them: with six containers 2 KiB each, and no letter is cut in two."""
    names = [f"c{number}" for number in range(6)]
    spec = pod(containers=[container(name) for name in names], restartPolicy="Never")
    found = status(spec, *(ended(name, message="€" * 1000) for name in names))
    assert [each.state.terminated.message for each in found.containerStatuses] == ["€" * 682] * 6


def test_ephemeral_containers_have_statuses_and_decide_nothing():
    """They are never ready; the pod's phase and readiness are those of the others."""
    debug = EphemeralContainer(name="debug", image="x", targetContainerName="main")
    spec = pod(ephemeralContainers=[debug])
    [waiting] = status(spec, run()).ephemeralContainerStatuses
    assert (waiting.name, waiting.state.waiting.reason) == ("debug", "ContainerCreating")
    found = status(spec, run(), run("debug"))
    [running] = found.ephemeralContainerStatuses
    assert running.state.running
    assert (running.ready, running.started) == (False, None)
    [over] = status(spec, run(), ended("debug", code=3)).ephemeralContainerStatuses
    assert over.state.terminated.exitCode == 3
    assert (found.phase, condition(found, "Ready")[0]) == ("Running", "True")
    told = changed(spec, status__ephemeralContainerStatuses=[over])
    assert status(told, run()).ephemeralContainerStatuses == [over]  # history, once its container is gone
