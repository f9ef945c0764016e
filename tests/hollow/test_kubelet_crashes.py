"""The kubelet killed after every call to the runtime that a pod's start and its end take, and started again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machinery.model.k8s.core_v1 import (
    EmptyDirVolumeSource,
    Lifecycle,
    LifecycleHandler,
    PersistentVolumeClaimVolumeSource,
    Pod,
    SleepAction,
    Volume,
    VolumeMount,
)
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from tests.support.builders import changed, container, pod
from tests.support.claims import claim, volume
from tests.support.examples import sample
from tests.support.mortal_kubelet import MortalNode, mortal_node

NAMES = ("init", "side", "main")
BEHAVIOUR = {
    "hollow.kubarium.dev/init.exit-after": "1s",
    "hollow.kubarium.dev/main.term-after": "2s",
    "hollow.kubarium.dev/side.term-after": "1s",
}
START_CALLS = {"PullImage", "RunPodSandbox", "CreateContainer", "StartContainer"}
STOP_CALLS = {"StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"}
CHANGES = START_CALLS | STOP_CALLS
KINDS = pytest.mark.parametrize(
    "is_change",
    [pytest.param(True, id="change"), pytest.param(False, id="question", marks=pytest.mark.deep)],
)


def chosen(calls: list[str], *, is_change: bool) -> list[int]:
    """Return the numbers of the calls that change something, or of all the others."""
    return [number for number, call in enumerate(calls) if (call in CHANGES) is is_change]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[MortalNode]:
    disk, folder = tmp_path / "disk", tmp_path / "node"
    disk.mkdir()
    folder.mkdir()
    (disk / "kept").touch()
    async with mortal_node(folder) as made:
        await _bind_claim(made, disk)
        yield made
    assert (disk / "kept").exists()  # whoever has died of what: a claim's data stays


async def _bind_claim(node: MortalNode, disk: Path) -> None:
    """Have the claim "disk", bound to a folder."""
    given = node.registry.given
    own = await given(PERSISTENT_VOLUME_CLAIMS, claim("disk", phase="Bound", volumeName="pv"))
    found = changed(volume(of=own), spec__hostPath__path=str(disk))
    await given(PERSISTENT_VOLUMES, found)


def whole_pod(name: str) -> Pod:
    """Build a pod with an init container, a sidecar, volumes, of which one is a claim's, and a preStop hook."""
    hook = Lifecycle(preStop=LifecycleHandler(sleep=SleepAction(seconds=2)))
    mounts = [VolumeMount(name=each, mountPath=f"/{each}", subPath="part") for each in ("data", "disk")]
    return pod(
        name,
        containers=[container("main", lifecycle=hook, volumeMounts=mounts)],
        initContainers=[container("init"), container("side", restartPolicy="Always")],
        volumes=[
            Volume(name="data", emptyDir=EmptyDirVolumeSource()),
            Volume(name="disk", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="disk")),
        ],
        meta_fields={"annotations": BEHAVIOUR},
    )


def is_ready(found: Pod | None) -> bool:
    conditions = found.status.conditions if found else []
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def is_gone(found: Pod | None) -> bool:
    return found is None


async def start(node: MortalNode, name: str, fatal: int | None) -> list[str]:
    """Start a pod with a kubelet that dies of a call; check that it is there once and whole."""
    node.world.configure(images={})  # each pod pulls its own
    history = node.history()
    channel = await node.start(fatal)
    channel.is_counting = True
    await node.create(whole_pod(name))
    found = await node.until(is_ready, name)
    channel.is_counting = False
    await node.clock.sleep(30)
    history.read()
    why = f"after call {fatal}, {channel.made[-1]}: {node.complaints[-3:]}"
    once = {(each, 0): 1 for each in NAMES}
    assert len(history.sandboxes) == len(node.world.sandboxes) == 1, why
    assert +history.created == +history.started == once, why
    assert len(node.world.containers) == 3, why
    assert history.exit_codes == {"init": 0}, why
    assert found is not None
    statuses = (*found.status.initContainerStatuses, *found.status.containerStatuses)
    assert {each.name: each.restartCount for each in statuses} == dict.fromkeys(NAMES, 0), why
    return channel.made


async def stop(node: MortalNode, name: str, fatal: int | None) -> list[str]:
    """Delete a running pod with a kubelet that dies of a call; check that it ends well and that nothing is left."""
    history = node.history()
    channel = await node.start(fatal)
    await node.clock.sleep(10)
    channel.is_counting = True
    await node.delete(name)
    begun_s = node.clock.now()
    await node.until(is_gone, name)
    took_s = node.clock.now() - begun_s
    await node.until(lambda _: not node.traces(), name)
    channel.is_counting = False
    await node.clock.sleep(30)
    history.read()
    why = f"after call {fatal}, {channel.made[-1]}: {node.complaints[-3:]}"
    assert not +history.started, why
    assert history.exit_codes == {"main": 0, "side": 0}, (
        why
    )  # 137 would be SIGKILL: the grace period was not kept
    assert 5 <= took_s < 40, why
    assert not node.traces(), why
    return channel.made


@KINDS
async def test_a_start_is_brought_to_its_end_whenever_the_kubelet_dies(node: MortalNode, is_change: bool):
    """One sandbox, each container made and started once, nothing pulled apart: by the next kubelet."""
    calls = await start(node, "web", None)
    assert set(calls) > START_CALLS
    await node.kill()
    await stop(node, "web", None)
    for fatal in sample(chosen(calls, is_change=is_change)):
        await node.kill()
        name = f"web-{fatal}"
        made = await start(node, name, fatal)
        assert len(made) == fatal + 1, "it did not die"
        await node.kill()
        await stop(node, name, None)


@KINDS
async def test_a_stop_is_brought_to_its_end_whenever_the_kubelet_dies(node: MortalNode, is_change: bool):
    """Stopped in order and with its grace, then all of its traces are gone, in the API too: by the next kubelet."""
    await start(node, "web", None)
    await node.kill()
    calls = await stop(node, "web", None)
    assert set(calls) > STOP_CALLS
    for fatal in sample(chosen(calls, is_change=is_change)):
        await node.kill()
        name = f"web-{fatal}"
        await start(node, name, None)
        await node.kill()
        made = await stop(node, name, fatal)
        assert len(made) == fatal + 1, "it did not die"
