"""What a node has left, and how its manager goes about it: one pod at a time, and nobody held up by another's folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from kubelet.cgroups import Cgroups
from kubelet.core.eviction.settings import EvictionSettings
from kubelet.core.eviction.thresholds import Observed, Signal, read_thresholds
from kubelet.core.eviction.usage import ContainerDisk, PodDisk, Space
from kubelet.core.life import Life
from kubelet.core.observed import ObservedPod
from kubelet.core.pod_status import Verdict
from kubelet.eviction import EvictionManager, NodeSignals, PodDisks
from kubelet.machine_info import read_machine
from kubelet.node_usage import read_disk
from machinery.client.events import EventRecorder
from machinery.model.k8s.core_v1 import EmptyDirVolumeSource, Pod, Volume
from machinery.model.log import SILENT
from machinery.pb import cri_pb2 as cri
from tests.support.builders import container, node, pod
from tests.support.kubelet_node import KeptEvents
from tests.support.pod_life import run, sandbox, seen
from tests.support.virtual_clock import VirtualClock

MI = 2**20


def test_memory_is_what_the_node_is_told_to_have_without_its_cgroup_s_working_set(tmp_path: Path):
    """Not what the machine has left; what could be dropped at once does not count as used."""
    group = tmp_path / "nodes" / "one"
    group.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").touch()
    (group / "memory.current").write_text(str(300 * MI))
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {100 * MI}\n")
    machine = read_machine(tmp_path, memory="1Gi")
    signals = NodeSignals(Cgroups("/nodes/one", mount=tmp_path), machine, tmp_path)
    assert signals.read([Signal.MEMORY]) == {Signal.MEMORY: Observed((1024 - 200) * MI, 1024 * MI)}
    (group / "memory.current").unlink()
    assert signals.read([Signal.MEMORY]) == {}


def test_disks_are_those_that_can_be_seen(tmp_path: Path):
    """The kubelet's own, and the one of the images where it is not elsewhere; of what is gone nothing is told."""
    signals = NodeSignals(Cgroups(""), read_machine(tmp_path), tmp_path)
    found = signals.read(Signal)
    assert found[Signal.NODEFS].capacity == read_disk(tmp_path).size
    assert not {Signal.IMAGEFS, Signal.IMAGEFS_INODES} & found.keys()
    assert 0 < found[Signal.PIDS].available < found[Signal.PIDS].capacity
    signals.learn_image_dir(["", str(tmp_path / "none"), str(tmp_path)])
    assert signals.read([Signal.IMAGEFS])[Signal.IMAGEFS].capacity == found[Signal.NODEFS].capacity
    lost = NodeSignals(Cgroups(""), read_machine(tmp_path), tmp_path / "none")
    assert lost.read([Signal.NODEFS, Signal.NODEFS_INODES]) == {}


class _World:
    """A node whose pods use what a test says; those that are evicted end when a test says so."""

    def __init__(self, **used: int) -> None:
        self.used = used  # MiB of memory by the pod's name
        self.disks: dict[str, PodDisk | OSError] = {}
        self.evicted: dict[str, Verdict] = {}
        self.is_ending = True
        self.pods: dict[str, Pod] = {name: pod(name) for name in used}

    # --- the node's signals

    def read(self, _wanted: Any) -> dict[Signal, Observed]:
        return {Signal.MEMORY: Observed((1000 - sum(self.used.values())) * MI, 1000 * MI)}

    async def make_room(self, signal: Signal) -> None:
        raise AssertionError(signal)  # memory is nobody's but the pods'

    # --- its disks

    async def measure(self, life: Life, *, with_containers: bool = True) -> PodDisk:
        assert with_containers
        found = self.disks[life.pod.metadata.name]
        if isinstance(found, OSError):
            raise found
        return found

    # --- the runtime

    async def sandbox_stats(self) -> list[Any]:
        return [
            cri.PodSandboxStats(
                attributes=cri.PodSandboxAttributes(
                    metadata=cri.PodSandboxMetadata(uid=self.pods[name].metadata.uid)
                ),
                linux=cri.LinuxPodSandboxStats(
                    memory=cri.MemoryUsage(working_set_bytes=cri.UInt64Value(value=mebibytes * MI))
                ),
            )
            for name, mebibytes in self.used.items()
        ]

    # --- the workers

    def lives(self) -> list[Life]:
        names = {name: each for name, each in self.pods.items() if name in self.used}
        lives = [Life(each, ObservedPod(each.metadata.uid), 0.0) for each in names.values()]
        return [replace(each, verdict=self.evicted.get(each.pod.metadata.name)) for each in lives]

    def evict(self, uid: str, verdict: Verdict) -> None:
        name = self._name(uid)
        self.evicted[name] = verdict
        if self.is_ending:
            self.used.pop(name)

    def is_over(self, uid: str) -> bool:
        return self._name(uid) not in self.used

    def _name(self, uid: str) -> str:
        return next(name for name, each in self.pods.items() if each.metadata.uid == uid)


@contextmanager
def _managed(world: _World, clock: VirtualClock, events: KeptEvents, hard: str) -> Iterator[EvictionManager]:
    manager = EvictionManager(
        cast("NodeSignals", world),
        cast("PodDisks", world),
        cast("Any", world),
        world,
        cast("EventRecorder", events),
        clock,
        SILENT,
        settings=EvictionSettings(read_thresholds([hard]), transition_s=60.0),
        make_room=world.make_room,
        node=lambda: node("n"),
        is_simulated=lambda: False,
        on_change=lambda: None,
    )
    running = asyncio.ensure_future(manager.run())
    try:
        yield manager
    finally:
        running.cancel()


async def test_one_pod_goes_at_a_time_until_there_is_enough():
    """The next one after the last one's room is free, or half a minute later; then the node is calm again by and by."""
    clock, events, world = VirtualClock(), KeptEvents(), _World(small=100, large=500, middle=350)
    world.is_ending = False
    with _managed(world, clock, events, "memory.available<200Mi") as manager:
        await clock.advance(25.0)
        assert [*world.evicted] == ["large"]
        assert manager.conditions() == {"MemoryPressure"}
        await clock.advance(20.0)  # it takes too long: it is not waited for any longer
        assert [*world.evicted] == ["large", "middle"]
        assert world.evicted["large"].is_disruption
        assert world.evicted["large"].grace_s == 1.0
        world.used = {"small": 100}
        await clock.advance(30.0)
        assert manager.conditions() == {"MemoryPressure"}
        await clock.advance(60.0)
        assert manager.conditions() == set()
        assert [*world.evicted] == ["large", "middle"]
    assert set(events.reasons) == {"EvictionThresholdMet"}
    assert set(events.messages) == {"Attempting to reclaim memory"}


async def test_a_pod_that_cannot_be_measured_holds_up_nobody():
    """The others are held to their limits all the same."""
    clock, world = VirtualClock(), _World(broken=1, large=1, small=1)
    limits = {"ephemeral-storage": "1Mi"}
    world.pods = {name: pod(name, containers=[container(limits=limits)]) for name in world.used}
    world.disks = {
        "broken": OSError("Input/output error"),
        "large": PodDisk({"main": ContainerDisk(Space(2 * MI, 1))}),
        "small": PodDisk({"main": ContainerDisk(Space(MI, 1))}),
    }
    with _managed(world, clock, KeptEvents(), "memory.available<1Mi") as manager:
        await clock.advance(30.0)
        assert [*world.evicted] == ["large"]
        assert list(manager.lines())[-1] == 'kubelet_evictions{eviction_signal="ephemeralpodfs.limit"} 1'
    assert not world.evicted["large"].is_disruption


async def test_what_a_pod_has_written_is_what_lies_in_its_folders(tmp_path: Path):
    """Its volumes, its logs with the rotated files, what the kubelet wrote for it; its layers as the runtime says."""
    volume, log, own = tmp_path / "volume", tmp_path / "logs", tmp_path / "pod"
    for folder in (volume, log, own / "volumes"):
        folder.mkdir(parents=True)
    (volume / "file").write_bytes(b"x" * MI)
    (log / "0.log").write_bytes(b"x" * 4096)
    (log / "0.log.20260101-000000.gz").write_bytes(b"x" * 4096)
    (own / "etc-hosts").write_bytes(b"x" * 4096)

    async def container_stats(container_id: str) -> Any:
        usage = cri.FilesystemUsage(
            used_bytes=cri.UInt64Value(value=7000), inodes_used=cri.UInt64Value(value=3)
        )
        return cri.ContainerStats(attributes=cri.ContainerAttributes(id=container_id), writable_layer=usage)

    disks = PodDisks(
        cast("Any", SimpleNamespace(container_stats=container_stats)),
        cast("Any", SimpleNamespace(folder_on_disk=lambda _pod, _volume: volume)),
        cast(
            "Any",
            SimpleNamespace(container_log_dir=lambda _pod, _name: log, pod_dir=lambda _uid: own),
        ),
    )
    made = _with_cache()
    life = Life(made, seen(made, run(), sandboxes=(sandbox(),)), 0.0)
    found = await disks.measure(life)
    assert found.containers["main"].layer == Space(7000, 3)
    assert found.containers["main"].logs.inodes == 3
    assert found.containers["main"].logs.used_bytes >= 8192
    assert found.volumes["cache"].used_bytes >= MI
    assert found.other.inodes == 1
    assert found.total.used_bytes >= MI + 7000 + 8192 + 4096
    alone = await disks.measure(life, with_containers=False)
    assert (alone.containers, alone.volumes) == ({}, found.volumes)


def _with_cache() -> Pod:
    return pod(volumes=[Volume(name="cache", emptyDir=EmptyDirVolumeSource(sizeLimit="1Mi"))])


class _FullDisk(_World):
    """A node whose disk is too full; so much of it is nobody's any more."""

    def __init__(self, garbage: int) -> None:
        super().__init__(one=100, two=300)
        self.garbage = garbage
        self.asked: list[Signal] = []
        self.disks = {
            name: PodDisk({"main": ContainerDisk(Space(each * MI, 1))}) for name, each in self.used.items()
        }

    def read(self, _wanted: Any) -> dict[Signal, Observed]:
        left = 1000 - self.garbage - sum(self.used.values())
        return {Signal.NODEFS: Observed(left * MI, 1000 * MI)}

    def learn_image_dir(self, folders: Any) -> None:
        assert list(folders) == ["/images"]

    async def image_fs(self) -> list[Any]:
        return [cri.FilesystemUsage(fs_id=cri.FilesystemIdentifier(mountpoint="/images"))]

    async def make_room(self, signal: Signal) -> None:
        self.asked.append(signal)
        self.garbage = 0


async def test_on_a_full_disk_nobody_has_to_go_where_there_is_garbage_enough():
    """The condition lasts for its time all the same; where it is not enough, pods go after it."""
    for garbage, threshold, evicted in ((400, "40%", []), (50, "70%", ["two"])):
        clock, events, world = VirtualClock(), KeptEvents(), _FullDisk(garbage)
        with _managed(world, clock, events, f"nodefs.available<{threshold}") as manager:
            await clock.advance(15.0)
            assert world.asked[0] is Signal.NODEFS
            assert [*world.evicted] == evicted
            assert manager.conditions() == {"DiskPressure"}
            await clock.advance(100.0)
            assert manager.conditions() == set()
        assert "Attempting to reclaim ephemeral-storage" in events.messages
