"""What of a cluster is on this machine, whoever left it: processes, cgroups, network namespaces.

Every process of a cluster is forked from its supervisor, so that its command line names the cluster's folder; etcd's
and the registry's name it too. A supervisor that was killed, or a second one that should not be, leaves processes that no record has.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kubarium.core.components import REGISTRY
from kubarium.core.layout import Layout
from kubarium.core.network import backbone_namespace, node_namespace
from kubarium.host.network import NAMESPACES, delete_namespace
from kubarium.host.pidfd import wait_ended
from kubarium.supervisor.machines import admit_cgroup, kill_cgroup, pids_below
from machinery.process.clock import WALL

_SUPERVISOR = "kubarium.supervisor"
_PATIENCE_S = 12.0  # a component drains for 10 s at most


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a cluster."""

    pid: int
    name: str  # of the component, as far as the kernel keeps it (15 letters)
    home: str  # the cluster's folder
    run: str  # its folder for sockets; "" of etcd and the registry

    @property
    def is_supervisor(self) -> bool:
        """Whether it brings the others back; a component has its own name."""
        return self.name.startswith("python")

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def processes() -> list[Process]:
    """List the processes of all clusters on this machine, those of this process itself left out."""
    found = (_process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None and process.pid != os.getpid()]


def of_cluster(layout: Layout[Path]) -> list[Process]:
    """List the processes of a cluster."""
    return [process for process in processes() if process.home == str(layout.home)]


def others_of_name(name: str, layout: Layout[Path]) -> list[Process]:
    """List the processes of clusters of that name that have another folder; those of etcd left out."""
    return [
        process
        for process in processes()
        if process.run and Path(process.home).name == name and process.home != str(layout.home)
    ]


def end_processes(layout: Layout[Path]) -> list[Process]:
    """End every process of a cluster, supervisors first and at once; return which there were.

    Raises:
        PermissionError: one is another user's.
    """
    there = of_cluster(layout)
    for process in there:
        if process.is_supervisor:  # nobody is to bring anything back
            _signal(process, signal.SIGKILL)
    left = of_cluster(layout)
    for process in left:
        _signal(process, signal.SIGTERM)
        _signal(process, signal.SIGCONT)
    over_s = WALL.monotonic_wall() + _PATIENCE_S
    for process in left:
        if not wait_ended(process.pid, over_s - WALL.monotonic_wall()):
            _signal(process, signal.SIGKILL)
            wait_ended(process.pid, _PATIENCE_S)
    return there


def kill_cgroups(name: str) -> int:
    """Kill what runs in the cgroups of a cluster's nodes; return how many processes there were.

    Raises:
        PermissionError: a process there is another user's.
    """
    path = f"/kubarium/{name}"
    if not pids_below(path):
        return 0
    killed = kill_cgroup(path)
    admit_cgroup(path)  # the next cluster of that name
    return killed


def namespaces(name: str) -> list[str]:
    """List the network namespaces that bear a cluster's name: its backbone's and its nodes'."""
    backbone = backbone_namespace(name)
    try:
        names = sorted(path.name for path in NAMESPACES.iterdir())
    except FileNotFoundError:
        return []
    return [each for each in names if each == backbone or each.startswith(node_namespace(name, ""))]


def remove_namespaces(names: Iterable[str]) -> None:
    """Remove network namespaces, with the cables that end in them.

    Raises:
        KubariumError: `ip` is not installed.
    """
    for name in names:
        delete_namespace(name)


def _process(pid: int) -> Process | None:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except (OSError, ProcessLookupError):  # it has ended
        return None
    if _SUPERVISOR in arguments:
        home, run = (_value(arguments, flag) for flag in ("--home", "--run"))
        return Process(pid, name, home, run) if home else None
    home = _home_of_other(arguments)
    return Process(pid, name, home, "") if home else None


def _home_of_other(arguments: list[str]) -> str:
    """Return the folder of the cluster whose etcd or registry this is; "" for any other command line."""
    program = Path(arguments[0]).name
    if program == "etcd":
        data = next((each.partition("=")[2] for each in arguments if each.startswith("--data-dir=")), "")
        return str(Path(data).parent) if data else ""
    if program == REGISTRY and arguments[1:2] == ["serve"] and len(arguments) > 2:
        return str(Path(arguments[2]).parent.parent)
    return ""


def _value(arguments: list[str], flag: str) -> str:
    following = dict(itertools.pairwise(arguments))
    return following.get(flag, "")


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
