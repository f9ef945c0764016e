"""Nodes as machines: switching one off takes every process on it along.

A node's pods live under one cgroup. Switching the machine off kills what is in it, by the
pids that the kernel lists there, and pulls its cable. No container engine is asked.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kubarium.pidfd import wait_ended
from machinery.process.clock import WALL

CGROUPS = Path("/sys/fs/cgroup")
_ROUNDS = 50  # a fork bomb is not waited for,
_PATIENCE_S = 0.5  # nor is a process that the kernel cannot end now


def kill_cgroup(path: str) -> int:
    """Kill every process below a cgroup (as the kubelet names it, "/kubarium/c/node-1"); return how many.

    Raises:
        PermissionError: a process there is another user's.
    """
    killed, deadline = 0, WALL.monotonic_wall() + _PATIENCE_S
    for _ in range(_ROUNDS):
        pids = _pids(path)
        if not pids:
            break
        killed += sum(_kill(pid) for pid in pids)
        for pid in pids:  # each has the signal already; what they forked before is seen in the next round
            wait_ended(pid, deadline - WALL.monotonic_wall())
    return killed


def _roots(path: str) -> list[Path]:
    """List where a cgroup lives: one place on v2, one for each controller on v1, slices with systemd."""
    relative = path.strip("/")
    slices = "/".join(
        "-".join(part.replace("-", "_") for part in relative.split("/")[: depth + 1]) + ".slice"
        for depth in range(len(relative.split("/")))
    )
    tops = [CGROUPS, *(CGROUPS / name for name in ("memory", "cpu", "pids", "systemd"))]
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
