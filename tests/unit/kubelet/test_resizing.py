"""In-place resize: what a node has to give, and how a running container comes to it."""

from __future__ import annotations

import pytest

from kubelet.core import instructions
from kubelet.core.cgroups import Limits
from kubelet.core.resizing import (
    DEFERRED,
    INFEASIBLE,
    Pending,
    from_status,
    is_resized,
    judge,
    with_allocated,
)
from kubelet.core.status_patch import status_patch
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import (
    Container,
    ContainerResizePolicy,
    Pod,
    PodCondition,
    ResourceRequirements,
)
from tests.support.builders import changed, container, pod
from tests.support.pod_life import PodRun

GIB = 2**30
NODE = {"cpu": "2", "memory": "4Gi", "pods": "10"}


def sized(cpu: str = "500m", memory: str = "1Gi", *, restarts: str = "", **spec) -> Pod:
    """Return a pod that asks for so much; `restarts` names what its container is restarted for."""
    given = {"cpu": cpu, "memory": memory}
    policy = (
        [ContainerResizePolicy(resourceName=restarts, restartPolicy="RestartContainer")] if restarts else []
    )
    main: Container = container("main", requests=given, limits=given, resizePolicy=policy)
    return pod(containers=[main], **spec)


@pytest.mark.parametrize(
    ("wanted", "used", "expected"),
    [
        (sized("1"), {"cpu": 500}, None),
        (sized("1500m"), {"cpu": 1000, "memory": GIB}, None),
        (
            sized("1501m"),
            {"cpu": 1000, "memory": GIB},
            Pending(DEFERRED, "Node didn't have enough resource: cpu, requested: 1501, used: 500, capacity: 2000"),
        ),
        (
            sized("2001m"),
            {"cpu": 500},
            Pending(INFEASIBLE, "Node didn't have enough capacity: cpu, requested: 2001, capacity: 2000"),
        ),
        (sized(memory="5Gi"), {}, Pending(INFEASIBLE, f"Node didn't have enough capacity: memory, requested: {5 * GIB}, capacity: {4 * GIB}")),
        (sized("400m"), {"cpu": 9000}, None),  # who asks for less has it, however full the node is
    ],
)  # fmt: skip
def test_a_node_gives_what_the_others_leave(wanted: Pod, used: dict[str, int], expected: Pending | None):
    """What can never be is told apart from what has to wait."""
    assert judge(wanted, sized(), used, NODE) == expected


def test_what_is_allocated_outlives_the_kubelet():
    """Another one takes it from the status that the API was told."""
    run = PodRun(sized())
    run.settle()
    declared = changed(sized("1"), status=run.pod.status)
    again = from_status(declared)
    assert again.spec.containers[0].resources == sized().spec.containers[0].resources
    assert is_resized(declared, again)
    assert not is_resized(run.pod, from_status(run.pod))
    assert from_status(sized("1")) == sized("1")  # nothing was told yet


def told(run: PodRun):
    """Return what the API was told last of the container's resources."""
    [status] = run.pod.status.containerStatuses
    return status.allocatedResources["cpu"], status.resources.requests["cpu"]


def events(run: PodRun):
    return [record.reason for record in run.records if record.reason.startswith("Resize")]


def test_a_running_container_is_updated():
    """It stays the same container; the conditions tell how far it is."""
    run = PodRun(sized())
    run.settle()
    assert told(run) == ("500m", "500m")
    run.pod = changed(sized("1"), status=run.pod.status, metadata__generation=2)
    run.sync()
    assert list(run.pending) == ["resize/main-0"]
    assert told(run) == ("1", "500m")
    assert find(run.pod.status.conditions, "PodResizeInProgress").status == "True"
    run.finish("resize/main-0", fail=True)
    condition = find(run.pod.status.conditions, "PodResizeInProgress")
    assert (condition.reason, condition.message) == ("Error", "it did not work")
    run.settle()
    assert told(run) == ("1", "1")
    assert find(run.pod.status.conditions, "PodResizeInProgress") is None
    assert run.starts == ["main"]
    assert events(run) == ["ResizeStarted", "ResizeError", "ResizeCompleted"]


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_a_container_whose_policy_says_so_is_restarted(policy: str):
    """At once and whatever its exit code is; what it is not restarted for is updated."""
    run = PodRun(sized(restarts="memory", restartPolicy=policy))
    run.settle()
    run.pod = changed(
        sized("1", restarts="memory", restartPolicy=policy), status=run.pod.status, metadata__generation=2
    )
    run.settle()
    assert (run.starts, told(run)) == (["main"], ("1", "1"))
    run.pod = changed(
        sized("1", "2Gi", restarts="memory", restartPolicy=policy),
        status=run.pod.status,
        metadata__generation=2,
    )
    run.sync()
    assert list(run.pending) == ["kill/main-0"]
    assert run.pending.pop("kill/main-0")
    run._end("main-0", 0)
    run.feed(instructions.ActionEnded(next(iter(run.life.actions)), run.observed()))
    assert list(run.pending) == ["start/main"]
    run.settle()
    assert run.starts == ["main", "main"]
    [status] = run.pod.status.containerStatuses
    assert (status.restartCount, status.resources.requests["memory"]) == (1, "2Gi")
    assert run.pod.status.phase != "Succeeded"
    assert events(run) == ["ResizeStarted", "ResizeCompleted"] * 2


def test_an_update_that_failed_is_forgotten_with_its_container():
    """Nothing is in the way of the next one."""
    run = PodRun(sized())
    run.settle()
    run.pod = changed(sized("1"), status=run.pod.status, metadata__generation=2)
    run.sync()
    run.finish("resize/main-0", fail=True)
    run.exit("main", 1)
    run.settle()
    assert (run.starts, told(run)) == (["main", "main"], ("1", "1"))
    assert find(run.pod.status.conditions, "PodResizeInProgress") is None
    assert not run.life.retries


def test_a_resize_that_waits_is_told():
    """The pod goes on with what it has; the condition goes when it has its will, or gives it up."""
    run = PodRun(sized())
    run.settle()
    wanted = changed(sized("9"), status=run.pod.status)
    pending = Pending(INFEASIBLE, "no")
    run.feed(instructions.PodSeen(with_allocated(wanted, run.life.pod), pending))
    condition = find(run.pod.status.conditions, "PodResizePending")
    assert (condition.status, condition.reason, condition.message) == ("True", "Infeasible", "no")
    assert (run.pending, told(run)) == ({}, ("500m", "500m"))
    assert events(run) == ["ResizeInfeasible"]
    run.feed(instructions.PodSeen(changed(sized(), status=run.pod.status)))
    assert find(run.pod.status.conditions, "PodResizePending") is None


def test_a_group_grows_before_what_is_in_it():
    """Each bound is the wider one of both; 0 is none."""
    assert Limits(2, 100, 0).at_least(Limits(5, 50, 7)) == Limits(5, 100, 0)


def test_a_condition_that_is_over_is_deleted():
    """In a list that the API merges by type."""
    run = PodRun(sized())
    run.settle()
    before = run.pod.status
    pending = PodCondition(type="PodResizePending", status="True", reason="Deferred")
    known = changed(before, conditions=[*before.conditions, pending])
    assert status_patch(known, before) == {"conditions": [{"$patch": "delete", "type": "PodResizePending"}]}


def whole(cpu: str, *, own: str = "", restarts: str = "", **spec) -> Pod:
    """Return a pod that has so much as a whole; its container has `own`, or what the pod has."""
    given = ResourceRequirements(requests={"cpu": cpu}, limits={"cpu": cpu})
    policy = (
        [ContainerResizePolicy(resourceName=restarts, restartPolicy="RestartContainer")] if restarts else []
    )
    limits = {"limits": {"cpu": own}} if own else {}
    return pod(resources=given, containers=[container("main", resizePolicy=policy, **limits)], **spec)


def resized(run: PodRun, wanted: Pod) -> list[str]:
    """Change what a pod has as a whole; return what is done, in order."""
    run.log.clear()
    run.pod = changed(wanted, status=run.pod.status, metadata__generation=2)
    run.settle()
    return list(run.log)


def told_of_pod(run: PodRun):
    """Return what the API was told last of the pod's resources: allocated, in force, and those of its container."""
    [status], found = run.pod.status.containerStatuses, run.pod.status
    return found.allocatedResources, found.resources.limits, status.resources.limits


def test_a_pod_has_other_resources_as_a_whole():
    """Its containers without a limit have its limit, and are updated before its group; theirs is not told as their own."""
    run = PodRun(whole("1"))
    run.settle()
    assert told_of_pod(run) == ({"cpu": "1"}, {"cpu": "1"}, {})
    assert resized(run, whole("2")) == ["resize/main-0", "resize"]
    assert told_of_pod(run) == ({"cpu": "2"}, {"cpu": "2"}, {})
    assert events(run) == ["ResizeStarted", "ResizeCompleted"]
    assert find(run.pod.status.conditions, "PodResizeInProgress") is None


def test_only_the_group_of_a_pod_changes_where_its_containers_have_limits():
    """What bounds them stays."""
    run = PodRun(whole("2", own="1"))
    run.settle()
    assert resized(run, whole("3", own="1")) == ["resize"]
    assert told_of_pod(run) == ({"cpu": "3"}, {"cpu": "3"}, {"cpu": "1"})


def test_a_container_is_restarted_for_the_limit_of_its_pod():
    """Its policy is about what bounds it, whoever says how much that is."""
    run = PodRun(whole("1", restarts="cpu"))
    run.settle()
    assert resized(run, whole("2", restarts="cpu")) == ["kill/main-0", "start/main", "resize"]
    assert run.pod.status.containerStatuses[0].restartCount == 1


def test_what_a_pod_has_as_a_whole_outlives_the_kubelet():
    """Another one takes what was allocated, and what is in force, from the status."""
    run = PodRun(whole("1"))
    run.settle()
    declared = changed(whole("2"), status=run.pod.status, metadata__generation=2)
    again = from_status(declared)
    assert again.spec.resources == whole("1").spec.resources
    assert is_resized(declared, again)
    run.pod = declared
    run.log.clear()
    run.start()
    run.settle()
    assert run.log == ["resize/main-0", "resize"]


def test_a_pod_may_get_resources_as_a_whole_later():
    """It had none."""
    run = PodRun(sized())
    run.settle()
    given = ResourceRequirements(requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "1", "memory": "2Gi"})
    assert resized(run, changed(sized(), spec__resources=given)) == ["resize"]
    assert run.pod.status.resources == given
