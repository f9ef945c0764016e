"""What has to happen to a pod, as tables: what is declared, what runs, what follows."""

from __future__ import annotations

import pytest

from kubelet.core.containers import ProbeState
from kubelet.core.labels import container_hash
from kubelet.core.observed import ContainerState
from kubelet.core.pod_actions import Situation, compute_pod_actions
from kubelet.core.restart import CrashBackoff
from machinery.model.k8s.core_v1 import ContainerStatus, EphemeralContainer, PodStatus, Probe
from tests.support.builders import changed, container, pod
from tests.support.pod_life import START_S, ended, run, sandbox, seen

NOW_S = START_S + 100
SIDECAR = container("side", restartPolicy="Always")


def plan(spec, *containers, sandboxes=None, **situation):
    observed = seen(spec, *containers, sandboxes=sandboxes)
    return compute_pod_actions(Situation(spec, observed, situation.pop("now_s", NOW_S), **situation))


def starts(spec, *containers, **situation):
    return [(start.name, start.attempt) for start in plan(spec, *containers, **situation).start]


def test_first_a_sandbox():
    """Without a sandbox nothing else is done."""
    found = plan(pod(), sandboxes=())
    assert (found.create_sandbox, found.start) == (0, [])


@pytest.mark.parametrize(
    "broken",
    [
        (sandbox(is_ready=False),),
        (sandbox(ips=()),),
        (sandbox(on_host_network=True),),
        (sandbox(1), sandbox(0)),
    ],
    ids=["stopped", "no address", "wrong network", "two are ready"],
)
def test_a_sandbox_that_cannot_be_used_is_replaced_when_all_in_it_is_over(broken):
    """First what runs is killed and what is ready is stopped; the next attempt comes after that."""
    found = plan(pod(), run(), sandboxes=broken)
    assert [kill.name for kill in found.kill] == ["main"]
    assert found.stop_sandboxes == [each.id for each in broken if each.is_ready]
    assert found.create_sandbox is None
    stopped = tuple(sandbox(each.attempt, is_ready=False) for each in broken)
    assert plan(pod(), ended(), sandboxes=stopped).create_sandbox == broken[0].attempt + 1


def test_no_new_sandbox_for_a_pod_that_has_ended():
    """A dead sandbox of a pod whose containers have done their work stays dead."""
    found = plan(pod(restartPolicy="Never"), ended(), sandboxes=(sandbox(is_ready=False),))
    assert found.create_sandbox is None
    assert found.is_over


@pytest.mark.parametrize(
    ("policy", "runs", "attempt"),
    [
        ("Never", (ended("one"),), None),
        ("Never", (run("one"),), None),
        ("Never", (ended("one"), run("a")), None),
        ("Never", (), 1),
        ("OnFailure", (ended("one"),), 1),
        ("Always", (ended("one"), ended("a")), 1),
    ],
)
def test_a_pod_that_never_restarts_is_over_with_its_sandbox(policy, runs, attempt):
    """Once a container of it has been made; before that, and with any other policy, there is a new sandbox."""
    spec = pod(
        containers=[container("a"), container("b")], initContainers=[container("one")], restartPolicy=policy
    )
    found = plan(spec, *runs, sandboxes=(sandbox(is_ready=False),))
    assert (found.create_sandbox, found.is_over, found.start) == (attempt, attempt is None, [])


@pytest.mark.parametrize("policy", ["OnFailure", "Always"])
def test_a_container_with_a_policy_of_its_own_gets_a_new_sandbox(policy):
    """What the pod says is not what holds for it."""
    spec = pod(restartPolicy="Never", containers=[container("a", restartPolicy=policy), container("b")])
    found = plan(spec, ended("a", 1), sandboxes=(sandbox(is_ready=False),))
    assert (found.create_sandbox, found.is_over) == (1, False)


def test_all_main_containers_start_at_once():
    """Nothing orders main containers."""
    spec = pod(containers=[container("a"), container("b")])
    assert starts(spec) == [("a", 0), ("b", 0)]


def test_what_is_under_way_is_not_started_again():
    """A busy name is left alone."""
    spec = pod(containers=[container("a"), container("b")])
    assert starts(spec, busy={"a"}) == [("b", 0)]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((), [("one", 0)]),
        ((run("one"),), []),
        ((ended("one"),), [("two", 0)]),
        ((ended("one"), run("two")), []),
        ((ended("one"), ended("two")), [("main", 0)]),
        ((ended("one", code=1),), [("one", 1)]),
        ((ended("one"), ended("two"), run("main")), []),
        ((run("main"),), []),
    ],
)
def test_init_containers_one_after_the_other(runs, expected):
    """Each starts when the one before has succeeded; a failed one again; once a main one is made, none."""
    spec = pod(initContainers=[container("one"), container("two")])
    assert starts(spec, *runs) == expected


def test_an_init_container_is_over_when_its_start_is():
    """One that ends before the call returns which starts it would be shown as waiting, beside what runs after it."""
    spec = pod(initContainers=[container("one")])
    assert starts(spec, ended("one"), busy={"one"}) == []
    assert starts(spec, ended("one")) == [("main", 0)]


def test_init_containers_run_again_in_a_new_sandbox():
    """What an earlier sandbox's init containers did is lost with it."""
    spec = pod(initContainers=[container("one")])
    old = (ended("one", sandbox_id="sandbox-0"), ended("main", code=137, sandbox_id="sandbox-0"))
    both = (sandbox(1), sandbox(0, is_ready=False))
    assert starts(spec, *old, sandboxes=both) == [("one", 1)]


def test_an_init_container_that_failed_for_good_ends_the_pod():
    """With Never nothing else is started."""
    found = plan(pod(initContainers=[container("one")], restartPolicy="Never"), ended("one", code=1))
    assert found.is_over
    assert not found.start


@pytest.mark.parametrize(
    ("runs", "probes", "expected"),
    [
        ((), {}, [("side", 0)]),
        ((run("side"),), {}, []),
        ((run("side"),), {"side-0": ProbeState(started=True, ready=False)}, [("main", 0)]),
        ((ended("side"),), {}, [("side", 1)]),
        ((ended("side"), run("main")), {}, [("side", 1)]),
    ],
)
def test_a_sidecar_has_to_be_started_before_the_next(runs, probes, expected):
    """Its startup probe gates the rest of the start; later it is restarted beside the main containers."""
    spec = pod(initContainers=[changed(SIDECAR, startupProbe=Probe())], restartPolicy="Never")
    assert starts(spec, *runs, probes=probes) == expected


def test_a_sidecar_whose_start_is_not_over_holds_the_rest_back():
    """While its postStart hook runs it is not started."""
    assert starts(pod(initContainers=[SIDECAR]), run("side"), busy={"side"}) == []


def test_a_restart_waits_for_its_backoff():
    """In backoff a container waits, says how long, and starts when the time has come."""
    backoffs = {"main": CrashBackoff(20, START_S)}
    found = plan(pod(), ended(code=1, at_s=NOW_S - 5), backoffs=backoffs)
    assert not found.start
    assert found.waits["main"].reason == "CrashLoopBackOff"
    assert found.waits["main"].until_s == NOW_S + 15
    later = plan(pod(), ended(code=1, at_s=NOW_S - 5), backoffs=backoffs, now_s=NOW_S + 15)
    assert [start.attempt for start in later.start] == [1]


@pytest.mark.parametrize(
    ("policy", "runs", "over"),
    [
        ("Never", (ended("a"), ended("b", code=1)), True),
        ("Never", (ended("a"), run("b")), False),
        ("OnFailure", (ended("a"), ended("b")), True),
        ("OnFailure", (ended("a"), ended("b", code=1)), False),
        ("Always", (ended("a"), ended("b")), False),
    ],
)
def test_a_pod_is_over_when_nothing_will_run_again(policy, runs, over):
    """Sidecars have no say in it."""
    spec = pod(containers=[container("a"), container("b")], initContainers=[SIDECAR], restartPolicy=policy)
    assert plan(spec, *runs, run("side")).is_over is over


@pytest.mark.parametrize(
    ("failed", "policy", "message"),
    [
        ("Liveness", "Always", "Container main failed liveness probe, will be restarted"),
        ("Startup", "Always", "Container main failed startup probe, will be restarted"),
        ("Liveness", "Never", "Container main failed liveness probe"),
    ],
)
def test_a_failed_probe_kills_with_its_own_grace(failed, policy, message):
    """The probe's grace period comes before the pod's."""
    probes = {"main-0": ProbeState(started=True, ready=False, failed=failed, grace_s=3)}
    kill = plan(pod(restartPolicy=policy), run(), probes=probes).kill[0]
    assert (kill.message, kill.grace_s) == (message, 3)


def test_a_new_image_replaces_the_container():
    """A running container whose image is not the declared one any more is killed; other fields do not matter."""
    spec = pod()
    assert not plan(spec, run(hash=container_hash(spec.spec.containers[0]))).kill
    assert "definition changed" in plan(spec, run(hash="0")).kill[0].message


def test_a_container_that_nobody_started_is_only_started():
    """A kubelet died between create and start: the same container goes on, without a restart."""
    start = plan(pod(), run(state=ContainerState.CREATED)).start[0]
    assert (start.attempt, start.resume_id) == (0, "main-0")


def test_a_container_that_cannot_start_gets_another_attempt():
    """Where the start has failed a new container is made."""
    made = run(state=ContainerState.CREATED)
    start = plan(pod(restartPolicy="Never"), made, failed_starts={"main-0"}).start[0]
    assert (start.attempt, start.resume_id) == (1, "")


def test_the_restart_count_survives_lost_containers():
    """What the API was told counts on where the runtime has forgotten."""
    told = ContainerStatus(
        name="main", image="", imageID="", ready=True, restartCount=4, containerID="docker://gone"
    )
    spec = changed(pod(), status=PodStatus(containerStatuses=[told]))
    assert starts(spec) == [("main", 5)]


def test_an_ephemeral_container_is_started_at_once_and_never_again():
    """Before containers of the start have done their work; its end, or that it is lost, is no reason to start it again."""
    waits = pod(
        initContainers=[container("init")], ephemeralContainers=[EphemeralContainer(name="debug", image="x")]
    )
    assert starts(waits, run("init")) == [("debug", 0)]
    assert starts(waits, run("init"), run("debug")) == []
    assert starts(waits, run("init"), ended("debug", code=1)) == []
    told = PodStatus(ephemeralContainerStatuses=[told_status("debug")])
    assert starts(changed(waits, status=told), run("init")) == []
    assert starts(waits, run("init"), busy={"debug"}) == []
    over = pod(restartPolicy="Never", ephemeralContainers=[EphemeralContainer(name="debug", image="x")])
    assert starts(over, ended()) == []


def told_status(name):
    """Write what the API was told of a container that has run."""
    return ContainerStatus(
        name=name, image="x", imageID="", restartCount=0, ready=False, containerID="docker://1"
    )
