"""What a pod uses of its node, as the eviction manager has to know it; bytes, numbers of inodes and of processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Space(NamedTuple):
    """What something takes on a disk."""

    used_bytes: int = 0
    inodes: int = 0

    def plus(self, other: Space) -> Space:
        """Return what both take."""
        return Space(self.used_bytes + other.used_bytes, self.inodes + other.inodes)


NOTHING = Space()


@dataclass(frozen=True, slots=True)
class ContainerDisk:
    """What one container takes: what it has written beside its volumes, and its log with the rotated files."""

    layer: Space = NOTHING
    logs: Space = NOTHING

    @property
    def total(self) -> Space:
        """The two together."""
        return self.layer.plus(self.logs)


@dataclass(frozen=True, slots=True)
class PodDisk:
    """What a pod takes of the node's disk."""

    containers: Mapping[str, ContainerDisk] = field(default_factory=dict)  # by name, those that run
    volumes: Mapping[str, Space] = field(default_factory=dict)  # by name, emptyDirs on disk
    other: Space = NOTHING  # the kubelet's own files for it

    @property
    def total(self) -> Space:
        """All of it."""
        total = self.other
        for each in self.containers.values():
            total = total.plus(each.total)
        for volume in self.volumes.values():
            total = total.plus(volume)
        return total


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod uses; of what has not been looked at nothing is known."""

    memory_bytes: int = 0  # working set
    processes: int = 0
    container_memory: Mapping[str, int] = field(default_factory=dict)  # by name
    disk: PodDisk = field(default_factory=PodDisk)
