"""Resizes of running pods by a whole kubelet: what the node has room for, what waits, and what it can never have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Pod
from machinery.model.resources import NODES
from tests.support.builders import container, pod
from tests.support.kubelet import NODE, Rig, machine, register, rig, running_kubelet

PENDING = "PodResizePending"


def _asking(name: str, cpu: str) -> Pod:
    return pod(name, containers=[container(requests={"cpu": cpu})])


def _waits(reason: str) -> Callable[[Pod], bool]:
    def holds(found: Pod) -> bool:
        condition = find(found.status.conditions, PENDING)
        return condition is not None and (condition.status, condition.reason) == ("True", reason)

    return holds


def _has(cpu: str) -> Callable[[Pod], bool]:
    """Whether a pod is given so much, has it, and waits for nothing."""

    def holds(found: Pod) -> bool:
        [status] = found.status.containerStatuses
        return (
            status.allocatedResources.get("cpu") == cpu
            and status.resources is not None
            and status.resources.requests.get("cpu") == cpu
            and find(found.status.conditions, PENDING) is None
            and find(found.status.conditions, "PodResizeInProgress") is None
        )

    return holds


async def _running(node: Rig, *pods: Pod) -> None:
    for each in pods:
        await node.create(each)
    for each in pods:
        await node.until(each.metadata.name, lambda found: found.status.phase == "Running")


async def test_a_resize_that_waits_for_room_is_done_when_room_comes_free(tmp_path: Path):
    """By a pod that asks for less, or by one that goes; until then the pod goes on with what it has."""
    async with rig(tmp_path) as node:  # with two cpus
        await _running(node, _asking("wide", "800m"), _asking("other", "800m"), _asking("third", "300m"))
        await node.resize("wide", {"cpu": "1200m"})
        found = await node.until("wide", _waits("Deferred"))
        [status] = found.status.containerStatuses
        assert (status.allocatedResources["cpu"], status.restartCount) == ("800m", 0)
        condition = find(found.status.conditions, PENDING)
        assert condition is not None
        assert condition.message.startswith("Node didn't have enough resource: cpu, requested: 1200")
        await node.resize("other", {"cpu": "500m"})
        await node.until("other", _has("500m"))
        await node.until("wide", _has("1200m"))
        await node.resize("wide", {"cpu": "1500m"})
        await node.until("wide", _waits("Deferred"))
        await node.delete("other", grace_s=1)
        found = await node.until("wide", _has("1500m"))
        assert found.status.containerStatuses[0].restartCount == 0
        assert [reason for reason, _ in await node.events("wide")].count("ResizeDeferred") == 2


async def test_a_resize_that_no_room_helps_stays_until_it_is_taken_back(tmp_path: Path):
    """It is more than the node has, which has lost cpus since it was accepted."""
    async with machine(tmp_path) as node:
        await register(node)
        async with running_kubelet(node) as node.kubelet:
            await _running(node, _asking("wide", "800m"), _asking("other", "800m"))
        more = {"status": {"allocatable": {"cpu": "4"}}}
        await node.api.patch(NODES, NODE, more, subresource="status")
        await node.resize("wide", {"cpu": "3"})
        async with running_kubelet(node) as node.kubelet:
            await node.until("wide", _waits("Infeasible"))
            await _is_taken_back(node)


async def _is_taken_back(node: Rig) -> None:
    await node.remove("other")
    await node.until_true(lambda: len(list(node.running.workers.lives())) == 1)
    assert _waits("Infeasible")(await node.pod("wide"))
    await node.resize("wide", {"cpu": "800m"})
    await node.until("wide", _has("800m"))
