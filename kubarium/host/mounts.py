"""Mounts: what a node has below its folder (tokens and secrets live in memory), and where a container's folder lies outside.

The container engine resolves a pod's mounts in the machine's mount namespace. So a node that is a container itself gives
its disk the same path inside as outside.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from kubarium.errors import KubariumError
from machinery.process.search_path import environment

_TABLE = Path("/proc/self/mountinfo")
_MACHINES_TABLE = Path("/proc/1/mountinfo")
_TIMEOUT_S = 20.0


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first.

    Raises:
        KubariumError: something stays mounted.
    """
    for point in mounted_below(folder, _TABLE.read_text()):
        done = subprocess.run(
            ["umount", "--lazy", point],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=environment(),
        )
        if done.returncode != 0:
            raise KubariumError(f"{point} stays mounted: {done.stderr.strip()}")


def mount_as_outside(folder: Path) -> Path:
    """Mount a folder of this container, which is a mount itself, at the path that it has on the machine; return that.

    Raises:
        KubariumError: the machine's mounts do not show it, or the kernel refuses.
        OSError: the path cannot be made.
    """
    outside = origin_of(folder, _TABLE.read_text(), _MACHINES_TABLE.read_text())
    if not outside:
        raise KubariumError(
            f"{folder} is not found among the machine's mounts; the service needs `pid: host` and a volume there"
        )
    path = Path(outside)
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "--bind", str(folder), outside]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode != 0:
        raise KubariumError(f"{folder} cannot be mounted at {outside}: {done.stderr.strip()}")
    return path


def origin_of(folder: Path, own: str, machines: str) -> str:
    """Find the path that a mount of ours has on the machine, by two mountinfo tables (proc(5)); "" if there is none."""
    mounted = [entry for entry in _entries(own) if entry.point == str(folder)]
    for entry in reversed(_entries(machines)):  # the last one lies on top
        if mounted and entry.device == mounted[-1].device:
            within = _relative(mounted[-1].root, entry.root)
            if within is not None:
                return f"{entry.point.rstrip('/')}{within}" or "/"
    return ""


class _Entry(NamedTuple):
    """A line of mountinfo: which part of a file system is mounted where."""

    device: str
    root: str
    point: str


def _entries(table: str) -> list[_Entry]:
    split = (line.split() for line in table.splitlines())
    return [_Entry(line[2], _unescaped(line[3]), _unescaped(line[4])) for line in split if len(line) > 4]


def _relative(path: str, folder: str) -> str | None:
    """Return what follows a folder in a path, with its slash; None where the path is not in it."""
    folder = folder.rstrip("/")
    return path[len(folder) :] if path == folder or path.startswith(f"{folder}/") else None


def mounted_below(folder: Path, table: str) -> list[str]:
    """Find the mount points below a folder in a mountinfo table (proc(5)), the innermost first."""
    points = (entry.point for entry in _entries(table))
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def _unescaped(text: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text
