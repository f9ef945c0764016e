"""All containers of a pod run again because one ended so (RestartAllContainers): step by step, and what is told."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core.life import Stage
from machinery.model.k8s.core_v1 import (
    ContainerResizePolicy,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Pod,
    PodCondition,
)
from tests.support.builders import changed, container, pod
from tests.support.pod_life import PodRun

CODES = ContainerRestartRuleOnExitCodes(operator="In", values=[88])
RULES: dict[str, Any] = {
    "restartPolicy": "Always",
    "restartPolicyRules": [ContainerRestartRule(action="RestartAllContainers", exitCodes=CODES)],
}
HOOK = Lifecycle(preStop=LifecycleHandler(exec=ExecAction(command=["/bye"])))


def trained(**fields: Any) -> Pod:
    """Return the pod of Kubernetes' own example: an init container, a sidecar that watches, what is watched, and one beside."""
    inits = [container("setup"), container("watcher", **RULES)]
    mains = [container("main", lifecycle=HOOK), container("once")]
    return pod(restartPolicy="Never", initContainers=inits, containers=mains, **fields)


def running(spec: Pod) -> PodRun:
    """Return a run of the pod whose init container has succeeded, and whose container `once` has done its work."""
    it = PodRun(spec)
    settle(it)
    it.exit("once")
    it.settle()
    assert it.running() == ["main", "watcher"]
    it.log.clear()
    it.starts.clear()
    return it


def settle(it: PodRun) -> None:
    """Do all that is on its way, and let the init container succeed."""
    it.settle()
    it.exit("setup")
    it.settle()


def restarting(it: PodRun) -> PodCondition:
    return next(each for each in it.pod.status.conditions if each.type == "AllContainersRestarting")


def counts(it: PodRun) -> dict[str, int]:
    status = it.pod.status
    told = (*status.initContainerStatuses, *status.containerStatuses)
    return {each.name: each.restartCount for each in told}


def test_the_pod_begins_again_in_its_sandbox():
    """Init containers first; also what had done its work runs again; every count grows, and no hook or grace is waited for."""
    it = running(trained())
    assert restarting(it).status == "False"
    it.exit("watcher", code=88)
    assert restarting(it).status == "True"
    assert restarting(it).reason == "ContainerExited"
    assert it.pod.status.phase == "Pending"
    it.settle()
    assert it.starts == ["setup"]
    it.exit("setup")
    it.settle()
    assert it.running() == ["main", "once", "watcher"]
    assert it.starts == ["setup", "watcher", "main", "once"]
    assert counts(it) == dict.fromkeys(("setup", "watcher", "main", "once"), 1)
    assert [(kill.kill.name, kill.kill.grace_s) for kill in it.killed] == [("main", 0.0)]
    assert (it.pod.status.phase, restarting(it).status, list(it.sandboxes)) == (
        "Running",
        "False",
        ["sandbox-0"],
    )
    assert {status.phase for status in it.statuses} <= {"Pending", "Running"}


def test_the_end_that_caused_it_is_removed_last():
    """So that a kubelet that starts in between goes on where the last one was."""
    it = running(trained())
    it.exit("watcher", code=88)
    it.finish("kill/main-0")
    it.start()
    it.settle()
    removed = [each for each in it.log if each.startswith("remove/")]
    assert set(removed) == {"remove/setup-0", "remove/main-0", "remove/once-0", "remove/watcher-0"}
    assert removed[-1] == "remove/watcher-0"
    it.exit("setup")
    it.settle()
    assert it.running() == ["main", "once", "watcher"]


@pytest.mark.parametrize("lost", ["kubelet", "sandbox"])
def test_a_pod_that_begins_again_survives_what_is_lost_meanwhile(lost: str):
    """The kubelet between the removals and the first start, or the sandbox with all that was left in it."""
    it = running(trained())
    it.exit("watcher", code=88)
    if lost == "sandbox":
        it.kill_sandbox()
    else:
        for _ in range(30):
            if "start/setup" in it.pending:
                break
            it.finish(next(iter(it.pending)))
        it.start()
    settle(it)
    assert it.running() == ["main", "once", "watcher"]
    assert it.pod.status.phase == "Running"


def test_an_init_container_that_fails_then_fails_the_pod():
    """Its policy holds as at the first start."""
    it = running(trained())
    it.exit("watcher", code=88)
    it.settle()
    it.exit("setup", code=1)
    it.settle()
    assert (it.pod.status.phase, it.life.stage) == ("Failed", Stage.TERMINATED)
    assert (restarting(it).status, restarting(it).reason) == ("False", "PodFailed")


def test_ends_that_follow_each_other_are_waited_for():
    """As a crash loop: what is to run again waits longer each time."""
    it = running(trained())
    waits = []
    for _ in range(3):
        it.exit("watcher", code=88)
        begun_s = it.now_s
        settle(it)
        waits.append(round(it.now_s - begun_s))
    assert waits == [0, 10, 20]
    assert [record.reason for record in it.records] == ["BackOff", "BackOff"]
    assert it.running() == ["main", "once", "watcher"]


def test_another_code_restarts_one_container():
    """The rule says which codes it is about."""
    it = running(trained())
    it.exit("watcher", code=1)
    it.settle()
    assert it.starts == ["watcher"]
    assert counts(it) == {"setup": 0, "watcher": 1, "main": 0, "once": 0}


def test_a_container_that_is_killed_to_have_other_resources_restarts_alone():
    """Its code is not its own."""
    codes = ContainerRestartRuleOnExitCodes(operator="NotIn", values=[0])
    rule = ContainerRestartRule(action="RestartAllContainers", exitCodes=codes)
    policy = [ContainerResizePolicy(resourceName="cpu", restartPolicy="RestartContainer")]
    more = {"restartPolicy": "Always", "restartPolicyRules": [rule], "resizePolicy": policy}

    def sized(cpu: str) -> Pod:
        main = container("main", requests={"cpu": cpu}, limits={"cpu": cpu}, **more)
        return pod(containers=[main, container("other")])

    it = PodRun(sized("1"))
    it.settle()
    it.starts.clear()
    it.pod = changed(sized("2"), status=it.pod.status, metadata__generation=2)
    it.settle()
    assert it.starts == ["main"]


def test_a_deletion_ends_it():
    """A pod that is to go does not begin again."""
    it = running(trained())
    it.exit("watcher", code=88)
    it.delete()
    it.settle()
    assert it.log[-1] == "forget"
    assert it.starts == []


def test_a_pod_without_such_a_rule_has_no_such_condition():
    """As in Kubernetes, where the condition is there for pods that may be restarted so."""
    it = PodRun(pod())
    it.settle()
    assert "AllContainersRestarting" not in {each.type for each in it.pod.status.conditions}
