"""What pods have written on the node's disk: their emptyDirs, their logs, the writable layers of their containers.

Measuring walks through folders, so it is done for the pods for which it matters only, one at a time, in a thread, and with a
bound for each folder: of one that has more files than that, what was counted is taken for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from kubelet.core.eviction.limits import volumes_on_disk
from kubelet.core.eviction.usage import NOTHING, ContainerDisk, PodDisk, Space
from kubelet.core.life import Life
from kubelet.core.observed import ObservedContainer
from kubelet.pod_files import PodFiles
from kubelet.volumes import Volumes
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.process.trees import measure_tree

_RECENT_NS: Final = 10 * 10**9  # wall time that an answer about all pods is given again
_MOST_ENTRIES: Final = 500_000  # files and folders of one volume that are looked at: a few seconds


class DiskRuntime(Protocol):
    """What this needs of the CRI client."""

    async def container_stats(self, container_id: str) -> Any:
        """Return what a container uses, as CRI's ContainerStats, with what it has written."""
        ...


@dataclass(frozen=True, slots=True)
class PodDisks:
    """Measures pods."""

    runtime: DiskRuntime
    volumes: Volumes
    files: PodFiles

    async def measure(self, life: Life, *, with_containers: bool = True) -> PodDisk:
        """Return what a pod takes; its volumes alone where that is enough.

        Raises:
            ApiError: the runtime does not answer.
            OSError: a folder cannot be read.
        """
        pod = life.pod
        volumes = await asyncio.to_thread(self._volumes, pod)
        if not with_containers:
            return PodDisk(volumes=volumes)
        containers: dict[str, ContainerDisk] = {}
        for run in life.observed.running():
            layer = await self._layer(run)
            containers[run.name] = ContainerDisk(layer, await asyncio.to_thread(self._logs, pod, run.name))
        return PodDisk(containers, volumes, await asyncio.to_thread(self._other, pod))

    def _volumes(self, pod: Pod) -> dict[str, Space]:
        found = {}
        for volume in volumes_on_disk(pod):
            if (folder := self.volumes.folder_on_disk(pod, volume)) is not None:
                found[volume.name] = _measured(folder)
        return found

    async def _layer(self, run: ObservedContainer) -> Space:
        try:
            stats = await self.runtime.container_stats(run.id)
        except NotFound:  # it has ended meanwhile
            return NOTHING
        layer = stats.writable_layer
        return Space(layer.used_bytes.value, layer.inodes_used.value)

    def _logs(self, pod: Pod, container: str) -> Space:
        folder = self.files.container_log_dir(pod, container)
        return _measured(folder) if folder is not None else NOTHING

    def _other(self, pod: Pod) -> Space:
        """Return what the kubelet has written for a pod beside volumes: /etc/hosts, termination messages."""
        return _of_files(self.files.pod_dir(pod.metadata.uid))


class RecentDisks:
    """Measures all pods for whoever asks about the node; who asks again soon, or at the same time, gets the same answer."""

    def __init__(self, disks: PodDisks, lives: Callable[[], Iterable[Life]], clock: Clock) -> None:
        self._disks = disks
        self._lives = lives
        self._clock = clock
        self._found: dict[str, PodDisk] = {}
        self._found_ns: int | None = None  # wall
        self._measuring = asyncio.Lock()

    async def read(self) -> dict[str, PodDisk]:
        """Return what each pod has written that runs something, by uid; of one that cannot be measured nothing.

        Raises:
            ApiError: the runtime does not answer.
        """
        async with self._measuring:
            now_ns = self._clock.wall_ns()
            if self._found_ns is None or now_ns - self._found_ns >= _RECENT_NS:
                self._found = {}
                for life in self._lives():
                    if life.observed.running():
                        with suppress(OSError):
                            self._found[life.uid] = await self._disks.measure(life)
                self._found_ns = self._clock.wall_ns()
            return self._found


def _measured(folder: Path) -> Space:
    size = measure_tree(folder, _MOST_ENTRIES)
    return Space(size.used_bytes, size.inodes)


def _of_files(folder: Path) -> Space:
    try:
        files: Iterable[Path] = [each for each in folder.iterdir() if each.is_file()]
        blocks = [each.lstat().st_blocks for each in files]
    except FileNotFoundError:
        return NOTHING
    return Space(sum(blocks) * 512, len(blocks))
