"""What a node uses in all: from its cgroup where its capacity is declared, else from the machine; its network is its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kubelet.cgroups import Cgroups
from kubelet.core.node_status import Machine
from kubelet.core.node_summary import Disk, NodeUsage, Traffic
from kubelet.core.usage import Counter
from kubelet.machine_info import memory_available_bytes
from machinery.model.clock import Clock

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_BUSY: Final = (0, 1, 2, 5, 6, 7)  # of the times in /proc/stat: all but idle and waiting for disks
_LEAST_S: Final = 1.0  # wall seconds between two looks that a rate is made of


class NodeUsageReader:
    """Reads the totals of one node."""

    def __init__(self, cgroups: Cgroups, machine: Machine, root_dir: Path, clock: Clock) -> None:
        self._cgroups = cgroups
        self._machine = machine
        self._root_dir = root_dir
        self._clock = clock
        self._last = (0, 0)  # when the processors were looked at, and what they had done by then

    def read(self) -> NodeUsage:
        """Look, now; what the machine does not tell is None.

        Raises:
            OSError: the kubelet's folder is gone.
        """
        at_ns, cpu_ns = self._clock.wall_ns(), self._cpu_ns()
        rate = self._rate(at_ns, cpu_ns)
        used = self._memory_used_bytes()
        return NodeUsage(
            at_ns=at_ns,
            cpu_ns=cpu_ns,
            cpu_nano_cores=rate,
            memory_bytes=self._machine.memory_bytes,
            memory_used_bytes=used,
            disk=read_disk(self._root_dir),
            traffic=_traffic(),
            default_interface=_default_interface(),
            most_processes=most_processes(),
            processes=processes(),
        )

    def counter(self) -> Counter | None:
        """Return what the node has used until now; None where the machine does not tell all of it."""
        cpu_ns, memory_bytes = self._cpu_ns(), self._memory_used_bytes()
        if cpu_ns is None or memory_bytes is None:
            return None
        return Counter(self._clock.wall_ns(), cpu_ns, memory_bytes)

    def _memory_used_bytes(self) -> int | None:
        used = self._cgroups.memory_used_bytes()
        if used is None and not self._machine.declared and (left := memory_available_bytes()) is not None:
            used = max(0, self._machine.memory_bytes - left)
        return used

    def _cpu_ns(self) -> int | None:
        return self._cgroups.cpu_used_ns() or _busy_ns()

    def _rate(self, at_ns: int, cpu_ns: int | None) -> int | None:
        """Return nanoseconds of work in a second since the last look, once that is a while ago."""
        if cpu_ns is None:
            return None
        before_ns, done_ns = self._last
        if at_ns - before_ns < _LEAST_S * 1e9:
            return None
        self._last = (at_ns, cpu_ns)
        return max(0, (cpu_ns - done_ns) * 10**9 // (at_ns - before_ns)) if before_ns else None


def read_disk(path: Path) -> Disk:
    """Read how full the file system is that something lies on.

    Raises:
        OSError: there is nothing of this path.
    """
    disk = os.statvfs(path)
    return Disk(
        disk.f_blocks * disk.f_frsize,
        disk.f_bavail * disk.f_frsize,
        (disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        disk.f_files,
        disk.f_favail,
    )


def _busy_ns() -> int | None:
    try:
        times = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
        return sum(int(times[place]) for place in _BUSY) * 10**9 // _TICKS
    except (OSError, ValueError, IndexError):
        return None


def _traffic() -> tuple[Traffic, ...]:
    try:
        lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    except OSError:
        return ()
    found = []
    for line in lines:
        name, _, counted = line.partition(":")
        numbers = [int(each) for each in counted.split()]
        found.append(Traffic(name.strip(), numbers[0], numbers[2], numbers[8], numbers[10]))
    return tuple(each for each in found if each.name != "lo")


def _default_interface() -> str:
    try:
        routes = [line.split() for line in Path("/proc/self/net/route").read_text().splitlines()[1:]]
    except OSError:
        return ""
    return next((fields[0] for fields in routes if fields[1:2] == ["00000000"]), "")


def most_processes() -> int | None:
    """Return how many processes and threads the machine may have; None where it does not tell."""
    return _number("/proc/sys/kernel/pid_max")


def processes() -> int | None:
    """Return how many processes and threads the machine has."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return None


def _number(file: str) -> int | None:
    try:
        return int(Path(file).read_text())
    except (OSError, ValueError):
        return None
