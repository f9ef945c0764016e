"""Enforces what a node declares: its pods live under one cgroup with the node's cpu and memory.

    <root>                      the node's capacity
    ├── pod<uid>                guaranteed pods
    ├── burstable/pod<uid>
    └── besteffort/pod<uid>

Cgroup v1 (one tree for each controller) and v2 (one tree) alike, with the cgroupfs driver: the runtime gets plain
paths as parents. With systemd's driver it gets the names of slices, and limits of whole pods and nodes are not
built (systemd owns those files). Where rights or files are missing it says so once and goes on: the containers'
own limits are the runtime's business.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final, Literal, TypeAlias

from kubelet.core.cgroups import (
    MIN_SHARES,
    PERIOD_US,
    Limits,
    burstable_shares,
    node_limits,
    pod_group,
    pod_limits,
    qos_groups,
    systemd_path,
    systemd_slice,
    weight,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import SILENT, EventLog
from machinery.process.trees import walk_tree

Driver: TypeAlias = Literal["cgroupfs", "systemd"]

MOUNT: Final = Path("/sys/fs/cgroup")
_V1_CONTROLLERS: Final = ("cpu", "memory", "pids")
_V2_CONTROLLERS: Final = ("cpu", "memory", "pids", "cpuset", "io")


class Cgroups:
    """The cgroups of one node. With root "" it does nothing at all."""

    def __init__(
        self, root: str, *, driver: Driver = "cgroupfs", log: EventLog = SILENT, mount: Path = MOUNT
    ) -> None:
        self.root = root.rstrip("/")
        self.driver: Driver = driver
        self.problem = ""  # why limits are not enforced, "" where they are
        self._log = log
        self._mount = mount
        self._unified = (mount / "cgroup.controllers").exists()
        self._pods: dict[str, Pod] = {}
        self._node = Limits()

    @property
    def is_enforcing(self) -> bool:
        """Whether groups are made and limited here."""
        return bool(self.root) and self.driver == "cgroupfs"

    def pod_parent(self, pod: Pod) -> str:
        """Return a pod's cgroup as the runtime takes it; "" for no wish."""
        if not self.root:
            return ""
        group = pod_group(self.root, pod)
        return systemd_slice(group) if self.driver == "systemd" else group

    async def setup_node(self, cpu_millicores: int, memory_bytes: int) -> None:
        """Make the node's group and those of the two lower classes. Idempotent."""
        if self.driver == "systemd" and self.root:
            self._complain("limits of nodes and pods are not built for systemd's cgroup driver")
        if not self.is_enforcing:
            return
        self._node = node_limits(cpu_millicores, memory_bytes)
        burstable, best_effort = qos_groups(self.root)
        self._apply(self.root, self._node)
        self._apply(burstable, Limits(cpu_shares=burstable_shares(list(self._pods.values()))))
        self._apply(best_effort, Limits(cpu_shares=MIN_SHARES))

    async def ensure_pod(self, pod: Pod) -> None:
        """Make a pod's group with its limits, before its sandbox is made in it. Idempotent."""
        if not self.is_enforcing:
            return
        bound = self._within_node(pod_limits(pod))  # before it counts for the others
        self._pods[pod.metadata.uid] = pod
        self._weigh_burstable()
        self._apply(pod_group(self.root, pod), bound)

    async def grow_pod(self, pod: Pod) -> None:
        """Widen a pod's group to what it is to have, where that is more than it has; nothing of it shrinks. Idempotent."""
        if not self.is_enforcing:
            return
        known = self._pods.get(pod.metadata.uid)
        have = self._within_node(pod_limits(known)) if known else Limits()
        self._apply(pod_group(self.root, pod), self._within_node(pod_limits(pod)).at_least(have))

    async def remove_pod(self, pod_uid: str) -> None:
        """Remove a pod's group; what still runs in it keeps it. Idempotent."""
        if not self.is_enforcing:
            return
        if self._pods.pop(pod_uid, None):
            self._weigh_burstable()
        for parent in (self.root, *qos_groups(self.root)):
            for tree in self._trees():
                _remove(tree / f"{parent.lstrip('/')}/pod{pod_uid}")

    async def sweep(self, active_uids: Collection[str]) -> None:
        """Remove the groups of pods that are no more."""
        if not self.is_enforcing:
            return
        found = {
            entry.name.removeprefix("pod")
            for tree in self._trees()
            for parent in (self.root, *qos_groups(self.root))
            for entry in (tree / parent.lstrip("/")).glob("pod*")
        }
        for uid in found - set(active_uids):
            await self.remove_pod(uid)

    def memory_used_bytes(self) -> int | None:
        """Return the working set of the node's group: its usage without what could be dropped at once."""
        if not self.root:
            return None
        group = systemd_path(self.root) if self.driver == "systemd" else self.root
        folder = (self._mount if self._unified else self._mount / "memory") / group.lstrip("/")
        name, key = (
            ("memory.current", "inactive_file")
            if self._unified
            else ("memory.usage_in_bytes", "total_inactive_file")
        )
        try:
            usage = int((folder / name).read_text())
            stat = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            return None
        return max(0, usage - int(stat.get(key, "0")))

    def cpu_used_ns(self) -> int | None:
        """Return the time that the node's group has had of processors; None where there is none."""
        if not self.root:
            return None
        group = systemd_path(self.root) if self.driver == "systemd" else self.root
        folder = (self._mount if self._unified else self._mount / "cpuacct") / group.lstrip("/")
        try:
            if not self._unified:
                return int((folder / "cpuacct.usage").read_text())
            stat = dict(line.split(" ", 1) for line in (folder / "cpu.stat").read_text().splitlines())
            return int(stat["usage_usec"]) * 1000
        except (OSError, ValueError, KeyError):
            return None

    def _within_node(self, limits: Limits) -> Limits:
        """Cut a quota to the node's: a group may not be given more time than the one around it (EINVAL on v1)."""
        if not limits.cpu_quota_us or not self._node.cpu_quota_us:
            return limits
        return Limits(
            limits.cpu_shares, min(limits.cpu_quota_us, self._node.cpu_quota_us), limits.memory_bytes
        )

    def _weigh_burstable(self) -> None:
        burstable, _ = qos_groups(self.root)
        self._apply(burstable, Limits(cpu_shares=burstable_shares(list(self._pods.values()))))

    def _apply(self, group: str, limits: Limits) -> None:
        try:
            if self._unified:
                self._apply_v2(group, limits)
            else:
                self._apply_v1(group, limits)
        except OSError as error:
            self._complain(f"{group}: {error}")

    def _apply_v1(self, group: str, limits: Limits) -> None:
        folders = {name: self._mount / name / group.lstrip("/") for name in _V1_CONTROLLERS}
        for name, folder in folders.items():
            if (self._mount / name).is_dir():
                folder.mkdir(parents=True, exist_ok=True)
        cpu = folders["cpu"]
        if limits.cpu_shares:
            _write(cpu / "cpu.shares", limits.cpu_shares)
        if limits.cpu_quota_us:
            _write(cpu / "cpu.cfs_period_us", PERIOD_US)
        _write(cpu / "cpu.cfs_quota_us", limits.cpu_quota_us or -1)
        _bound_memory_v1(folders["memory"], limits.memory_bytes or -1)

    def _apply_v2(self, group: str, limits: Limits) -> None:
        folder = self._mount
        for level in group.strip("/").split("/"):
            _delegate(folder)
            folder /= level
            folder.mkdir(exist_ok=True)
        files: dict[str, object] = {
            "cpu.max": f"{limits.cpu_quota_us or 'max'} {PERIOD_US}",
            "memory.max": limits.memory_bytes or "max",
            "memory.swap.max": 0 if limits.memory_bytes else "max",
        }
        if limits.cpu_shares:
            files["cpu.weight"] = weight(limits.cpu_shares)
        for name, value in files.items():
            if (folder / name).exists():  # a kernel without swap has no file for it
                _write(folder / name, value)

    def _trees(self) -> list[Path]:
        if self._unified:
            return [self._mount]
        try:
            return [
                Path(entry.path) for entry in os.scandir(self._mount) if entry.is_dir(follow_symlinks=False)
            ]
        except OSError:
            return []

    def _complain(self, why: str) -> None:
        if not self.problem:
            self._log.warning("capacity_not_enforced", why=why, cgroup=self.root)
        self.problem = self.problem or why


def _bound_memory_v1(folder: Path, limit: int) -> None:
    """Set the limits without and with swap; the second may never be below the first, so the order depends."""
    plain, with_swap = folder / "memory.limit_in_bytes", folder / "memory.memsw.limit_in_bytes"
    if not with_swap.exists():  # the kernel does not count swap
        _write(plain, limit)
        return
    current = int(with_swap.read_text())
    order = (with_swap, plain) if limit < 0 or limit > current else (plain, with_swap)
    for file in order:
        _write(file, limit)


def _delegate(folder: Path) -> None:
    """Enable controllers for the groups below, those that the kernel has."""
    there = set((folder / "cgroup.controllers").read_text().split())
    given = set((folder / "cgroup.subtree_control").read_text().split())
    for controller in _V2_CONTROLLERS:
        if controller in there - given:
            _write(folder / "cgroup.subtree_control", f"+{controller}")


def _remove(group: Path) -> None:
    """Remove a group and those below; a group with processes stays."""
    if not group.is_dir():
        return
    try:
        below = [Path(entry.path) for entry in walk_tree(group) if entry.is_dir(follow_symlinks=False)]
        for folder in (*reversed(below), group):
            folder.rmdir()  # nothing else works on cgroups
    except OSError:
        return


def _write(file: Path, value: object) -> None:
    file.write_text(str(value))
