"""A process outside a node's container that kills the node's pods when the container ends.

A node's pods are containers of the engine outside, so a SIGKILL of the node's container would leave them
running on a machine that is dead. The reaper is one small process in a cgroup of its own, so that the engine
does not count it to the container. When the machine's first process ends, it kills what is in the node's cgroup,
goes on for a moment with what the engine was about to start there, and ends too. It needs the machine's pid
namespace and a writable /sys/fs/cgroup.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kubarium.supervisor.machines import CGROUPS, kill_cgroup
from machinery.process.clock import WALL

_CGROUP = "kubarium-reapers"
_LINGER_S = 1.0  # in which the engine may still start what it was asked for before the power went
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Reaper:
    """A reaper that waits for the end of the process that started it."""

    pid: int

    def remove(self) -> None:
        """End it, so that nothing happens when this process ends.

        Raises:
            ProcessLookupError: it has ended, and been reaped.
        """
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        _remove_cgroups()


def start_reaper(cgroup: str) -> Reaper:
    """Fork a process that kills everything in `cgroup` when the caller ends, however it ends.

    Raises:
        OSError: no process can be forked.
    """
    machine = os.pidfd_open(os.getpid())
    pid = os.fork()
    if pid:
        os.close(machine)
        return Reaper(pid)
    try:
        _leave_container()
        select.select([machine], [], [])
        _kill_for_a_while(cgroup)
        for hierarchy in _hierarchies():
            (hierarchy / "cgroup.procs").write_text(str(os.getpid()))
        _remove_cgroups()
    finally:
        os._exit(0)


def _kill_for_a_while(cgroup: str) -> None:
    over_s = WALL.monotonic_wall() + _LINGER_S
    while WALL.monotonic_wall() < over_s:
        kill_cgroup(cgroup)
        WALL.block(_LOOK_S)


def _leave_container() -> None:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):  # the engine waits for whoever holds the container's output
        os.dup2(nothing, target)
    for hierarchy in _hierarchies():
        group = hierarchy / _CGROUP
        group.mkdir(exist_ok=True)
        _initialise_cpuset(hierarchy, group)
        (group / "cgroup.procs").write_text(str(os.getpid()))


def _remove_cgroups() -> None:
    """Remove the reapers' cgroups where this was the last reaper of the machine."""
    for hierarchy in _hierarchies():
        with suppress(OSError):  # another node's reaper is in it
            (hierarchy / _CGROUP).rmdir()


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _initialise_cpuset(hierarchy: Path, group: Path) -> None:
    """Set the cpus of a fresh cgroup of the cpuset hierarchy to its parent's; without any, nothing may enter it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((hierarchy / name).read_text())
