# ruff: noqa: ASYNC240 - looking at the files is what these tests do
"""The node's cgroups, on the kernel's own files."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelet.cgroups import MOUNT, Cgroups
from kubelet.core.cgroups import pod_group, qos_groups
from tests.support.builders import container, pod
from tests.support.kubelet_node import KeptEvents
from tests.support.requirements import need

BOTH = {"cpu": "500m", "memory": "64Mi"}
UNIFIED = (MOUNT / "cgroup.controllers").exists()


@pytest.fixture
def root() -> Iterator[str]:
    need("cgroups")
    name = f"/kubarium-test-{uuid.uuid4().hex[:8]}"
    yield name
    for tree in [MOUNT] if UNIFIED else [entry for entry in MOUNT.iterdir() if not entry.is_symlink()]:
        for folder, _, _ in os.walk(tree / name[1:], topdown=False):
            Path(folder).rmdir()


def _cpu_limit(group: str) -> tuple[int, int]:
    if UNIFIED:
        quota, period = (MOUNT / group[1:] / "cpu.max").read_text().split()
        return int(quota), int(period)
    folder = MOUNT / "cpu" / group[1:]
    return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())


def _memory_limit(group: str) -> int:
    file = (
        MOUNT / group[1:] / "memory.max"
        if UNIFIED
        else MOUNT / "memory" / group[1:] / "memory.limit_in_bytes"
    )
    return int(file.read_text())


async def test_the_declared_capacity_is_enforced(root: str):
    """The node's group is held to it; a smaller one later replaces it, and a larger one again."""
    cgroups = Cgroups(root)
    for cpu, memory in ((500, 256 * 2**20), (250, 128 * 2**20), (1000, 512 * 2**20)):
        await cgroups.setup_node(cpu, memory)
        assert cgroups.problem == ""
        assert _cpu_limit(root) == (cpu * 100, 100_000)
        assert _memory_limit(root) == memory


async def test_swap_does_not_extend_memory(root: str):
    """Where the kernel counts swap, the bound with it is the same."""
    await Cgroups(root).setup_node(500, 256 * 2**20)
    with_swap = MOUNT / "memory" / root[1:] / "memory.memsw.limit_in_bytes"
    if UNIFIED:
        assert (MOUNT / root[1:] / "memory.swap.max").read_text().strip() == "0"
    elif with_swap.exists():
        assert int(with_swap.read_text()) == 256 * 2**20


async def test_pods_lie_below_their_class_with_their_own_limits(root: str):
    """A limit above the node's capacity is cut to it, since the kernel takes no more."""
    cgroups = Cgroups(root)
    await cgroups.setup_node(500, 256 * 2**20)
    guaranteed = pod("g", requests=BOTH, limits=BOTH)
    greedy = pod("b", containers=[container(requests=BOTH, limits={"cpu": "8", "memory": "64Mi"})])
    for one in (guaranteed, greedy, pod("e")):
        await cgroups.ensure_pod(one)
    assert cgroups.problem == ""
    assert cgroups.pod_parent(greedy) == f"{root}/burstable/poduid-default-b"
    assert _cpu_limit(cgroups.pod_parent(guaranteed)) == (50_000, 100_000)
    assert _cpu_limit(cgroups.pod_parent(greedy)) == (50_000, 100_000)
    assert _memory_limit(cgroups.pod_parent(greedy)) == 64 * 2**20
    if not UNIFIED:
        assert (MOUNT / "cpu" / root[1:] / "burstable" / "cpu.shares").read_text().strip() == "512"


async def test_groups_go_with_their_pods(root: str):
    """By their uid, and whatever is left of pods that nobody knows."""
    cgroups = Cgroups(root)
    await cgroups.setup_node(500, 256 * 2**20)
    for name in ("a", "b"):
        await cgroups.ensure_pod(pod(name))
    await cgroups.remove_pod("uid-default-a")
    await cgroups.remove_pod("uid-default-a")
    again = Cgroups(root)
    await again.sweep({"uid-default-b"})
    parent = (MOUNT if UNIFIED else MOUNT / "cpu") / root[1:] / "besteffort"
    assert [entry.name for entry in parent.glob("pod*")] == ["poduid-default-b"]
    await again.sweep(set())
    assert list(parent.glob("pod*")) == []


async def test_what_the_node_uses_can_be_read(root: str):
    """Nothing runs in it yet; the kernel counts a little for the groups themselves."""
    cgroups = Cgroups(root)
    assert cgroups.memory_used_bytes() is None
    await cgroups.setup_node(500, 256 * 2**20)
    used = cgroups.memory_used_bytes()
    assert used is not None
    assert used < 2**21


async def test_without_a_root_nothing_happens(tmp_path: Path):
    """The hollow runtime has no processes to bound."""
    cgroups = Cgroups("", mount=tmp_path)
    await cgroups.setup_node(500, 1)
    await cgroups.ensure_pod(pod())
    assert (cgroups.pod_parent(pod()), list(tmp_path.iterdir())) == ("", [])


class _KeptLog(KeptEvents):
    def __getattr__(self, level: str):
        return lambda event, **fields: self.record(event, level, event, str(fields))


async def test_missing_files_are_told_once(tmp_path: Path):
    """The node goes on; its pods are bounded by what the runtime does."""
    blocked = tmp_path / "file"
    blocked.touch()
    log = _KeptLog()
    cgroups = Cgroups("/n", mount=blocked, log=log)
    await cgroups.setup_node(500, 1)
    await cgroups.ensure_pod(pod())
    assert cgroups.problem
    assert log.reasons == ["capacity_not_enforced"]


async def test_systemd_gets_names_and_is_told_what_is_not_built(tmp_path: Path):
    """Slices are systemd's own."""
    cgroups = Cgroups("/kubarium/c/node-1", driver="systemd", mount=tmp_path)
    await cgroups.setup_node(500, 1)
    assert cgroups.pod_parent(pod()) == "kubarium-c-node_1-besteffort-poduid_default_web.slice"
    assert cgroups.problem == "limits of nodes and pods are not built for systemd's cgroup driver"


V2_FILES = {
    "cgroup.controllers": "cpu memory pids",
    "cgroup.subtree_control": "",
    "cpu.max": "max 100000",
    "cpu.weight": "100",
    "memory.max": "max",
    "memory.swap.max": "max",
}


def _unified(mount: Path, *groups: str) -> None:
    """Make groups as a kernel with cgroup v2 shows them, under a folder of the test's own."""
    for group in groups:
        for folder in (mount / group.lstrip("/"), *(mount / group.lstrip("/")).parents):
            if not folder.is_relative_to(mount):
                break
            folder.mkdir(parents=True, exist_ok=True)
            for name, value in V2_FILES.items():
                if not (folder / name).exists():
                    (folder / name).write_text(value)


async def test_a_resized_pod_grows_first_and_shrinks_last_with_cgroup_v2(tmp_path: Path):
    """While its containers change it has room for what they had and for what they get; the kernel refuses less."""
    before = pod(containers=[container(requests={"cpu": "250m"}, limits={"cpu": "1", "memory": "64Mi"})])
    after = pod(containers=[container(requests={"cpu": "500m"}, limits={"cpu": "500m", "memory": "128Mi"})])
    group = pod_group("/kb", before)
    _unified(tmp_path, group, *qos_groups("/kb"))
    folder = tmp_path / group.lstrip("/")
    cgroups = Cgroups("/kb", mount=tmp_path)
    await cgroups.setup_node(4000, 2**30)

    def bounds() -> tuple[str, str, str, str]:
        names = ("cpu.max", "cpu.weight", "memory.max", "memory.swap.max")
        maximum, weight, memory, swap = ((folder / name).read_text().strip() for name in names)
        return maximum, weight, memory, swap

    await cgroups.ensure_pod(before)
    assert bounds() == ("100000 100000", "10", str(64 * 2**20), "0")
    await cgroups.grow_pod(after)
    assert bounds() == ("100000 100000", "20", str(128 * 2**20), "0")
    await cgroups.ensure_pod(after)
    assert bounds() == ("50000 100000", "20", str(128 * 2**20), "0")
    unbounded = pod(containers=[container(requests={"cpu": "500m"})])
    await cgroups.grow_pod(unbounded)
    assert bounds()[0] == "max 100000"
    await cgroups.ensure_pod(unbounded)
    assert bounds() == ("max 100000", "20", "max", "max")
    assert cgroups.problem == ""
