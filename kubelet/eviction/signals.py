"""What a node has left: of the memory that it declares, by its cgroup; of the disks that its files lie on.

Memory is what the node is told to have, since several nodes share a machine. Its disks are the machine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kubelet.cgroups import Cgroups
from kubelet.core.eviction.thresholds import Observed, Signal
from kubelet.core.node_status import Machine
from kubelet.core.node_summary import Disk
from kubelet.machine_info import memory_available_bytes
from kubelet.node_usage import most_processes, processes, read_disk


@dataclass(slots=True)
class NodeSignals:
    """Reads them when it is asked: a few system calls."""

    cgroups: Cgroups
    machine: Machine
    root_dir: Path
    image_dir: Path | None = field(default=None)  # where the images lie, once that is known and can be seen
    has_asked: bool = field(default=False)  # whether the runtime has said where they lie

    def read(self, wanted: Iterable[Signal]) -> dict[Signal, Observed]:
        """Look, now; what cannot be told is left out."""
        readers: dict[Signal, Callable[[], Observed | None]] = {
            Signal.MEMORY: self._memory,
            Signal.NODEFS: lambda: _space(read_disk(self.root_dir)),
            Signal.NODEFS_INODES: lambda: _inodes(read_disk(self.root_dir)),
            Signal.IMAGEFS: lambda: _space(read_disk(self.image_dir)) if self.image_dir else None,
            Signal.IMAGEFS_INODES: lambda: _inodes(read_disk(self.image_dir)) if self.image_dir else None,
            Signal.PIDS: _pids,
        }
        found: dict[Signal, Observed] = {}
        for signal in wanted:
            with suppress(OSError):  # a folder that is gone
                if (observed := readers[signal]()) is not None:
                    found[signal] = observed
        return found

    def learn_image_dir(self, folders: Iterable[str]) -> None:
        """Note where the runtime keeps its images; of a folder that cannot be seen from here nothing is known."""
        self.has_asked = True
        self.image_dir = next((path for path in map(Path, folders) if path.is_dir()), None)

    def is_one_file_system(self) -> bool:
        """Whether images and the kubelet's files lie on the same disk, as far as this can be seen."""
        if self.image_dir is None:
            return False
        with suppress(OSError):
            return self.image_dir.stat().st_dev == self.root_dir.stat().st_dev
        return False

    def _memory(self) -> Observed | None:
        capacity, used = self.machine.memory_bytes, self.cgroups.memory_used_bytes()
        if used is not None:
            return Observed(max(0, capacity - used), capacity)
        left = None if self.machine.declared else memory_available_bytes()
        return None if left is None else Observed(left, capacity)


def _space(disk: Disk) -> Observed:
    return Observed(disk.available, disk.size)


def _inodes(disk: Disk) -> Observed | None:
    """Return the inodes; None of a file system that has no number of them, as btrfs."""
    return Observed(disk.inodes_free, disk.inodes) if disk.inodes else None


def _pids() -> Observed | None:
    most, running = most_processes(), processes()
    return None if most is None or running is None else Observed(max(0, most - running), most)
