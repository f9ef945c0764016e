"""The cgroup of a node, below which its pods live: killed, frozen and admitted as a whole.

No container engine is asked: the kernel lists the processes. In a group that was killed nothing can begin, not even what
the engine is about to start there, until it is admitted again: its limit of processes is 0, and an engine enters the
group before it forks the container's first process.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from kubarium.host.pidfd import wait_ended
from machinery.process.clock import WALL

CGROUPS = Path("/sys/fs/cgroup")
_ROUNDS = 50  # a fork bomb is not waited for,
_PATIENCE_S = 0.5  # nor is a process that the kernel cannot end or freeze now
_LOOK_S = 0.002


def kill_cgroup(path: str) -> int:
    """Kill every process below a cgroup (as the kubelet names it, "/kubarium/c/node-1"); return how many.

    Nothing begins there until `admit_cgroup`.

    Raises:
        PermissionError: a process there is another user's.
    """
    _make(path, "pids")
    _write(path, "pids.max", "0")
    killed, deadline = 0, WALL.monotonic_wall() + _PATIENCE_S
    for _ in range(_ROUNDS):
        pids = _pids(path)
        if not pids:
            break
        killed += sum(_kill(pid) for pid in pids)
        thaw_cgroup(path)  # a frozen process dies when it is thawed, and before it runs
        for pid in pids:  # each has the signal already; what they forked before is seen in the next round
            wait_ended(pid, deadline - WALL.monotonic_wall())
    return killed


def pids_below(path: str) -> set[int]:
    """List the processes below a cgroup."""
    return _pids(path)


def admit_cgroup(path: str) -> None:
    """Allow processes to begin below a cgroup again. Idempotent."""
    _write(path, "pids.max", "max")


def freeze_cgroup(path: str) -> None:
    """Freeze every process below a cgroup, and those that enter it later. Idempotent.

    Where the kernel has no freezer for it, nothing happens.
    """
    _make(path, "freezer")
    for file in _write(path, "freezer.state", "FROZEN"):
        _await_text(file, "FROZEN")
    for file in _write(path, "cgroup.freeze", "1"):
        _await_text(file.with_name("cgroup.events"), "frozen 1")


def thaw_cgroup(path: str) -> None:
    """Thaw a frozen cgroup. Idempotent."""
    _write(path, "freezer.state", "THAWED")
    _write(path, "cgroup.freeze", "0")


def _make(path: str, hierarchy: str) -> None:
    """Make a cgroup in a hierarchy of v1; on v2 there is one tree, and the kubelet makes it."""
    with suppress(OSError):  # where cgroups are read-only no engine has put anything there, either
        if (top := CGROUPS / hierarchy).is_dir():
            (top / path.strip("/")).mkdir(parents=True, exist_ok=True)


def _write(path: str, name: str, value: str) -> list[Path]:
    """Write a file of a cgroup wherever it has one; return which were written."""
    files = [file for root in _roots(path) if (file := root / name).exists()]
    for file in files:
        with suppress(OSError):  # it goes away, or is not ours to write
            file.write_text(value)
    return files


def _await_text(file: Path, text: str) -> None:
    deadline = WALL.monotonic_wall() + _PATIENCE_S
    while text not in file.read_text() and WALL.monotonic_wall() < deadline:
        WALL.block(_LOOK_S)


def _roots(path: str) -> list[Path]:
    """List where a cgroup lives: one place on v2, one for each controller on v1, slices with systemd."""
    relative = path.strip("/")
    slices = "/".join(
        "-".join(part.replace("-", "_") for part in relative.split("/")[: depth + 1]) + ".slice"
        for depth in range(len(relative.split("/")))
    )
    tops = [CGROUPS, *(CGROUPS / name for name in ("memory", "cpu", "pids", "freezer", "systemd"))]
    return [found for top in tops for name in (relative, slices) if (found := top / name).is_dir()]


def _pids(path: str) -> set[int]:
    walked = (os.walk(root) for root in _roots(path))  # it passes over what goes away in between
    files = [Path(folder, "cgroup.procs") for tree in walked for folder, _, _ in tree]
    return {int(line) for file in files for line in _lines(file)} - {os.getpid()}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:  # the cgroup went away in between
        return []


def _kill(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1
