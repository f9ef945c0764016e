"""The cgroup of a node, on the kernel's own files: frozen, killed and admitted as a whole."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium.supervisor.machines import CGROUPS, admit_cgroup, freeze_cgroup, kill_cgroup, thaw_cgroup
from tests.support.requirements import need

UNIFIED = (CGROUPS / "cgroup.controllers").exists()
ENTER = """
import os, sys
for file in sys.argv[1:]:
    open(file, "w").write(str(os.getpid()))
print("entered", flush=True)
sys.stdin.readline()
try:
    child = os.fork()
except OSError as error:
    print("refused", flush=True)
    sys.exit()
if not child:
    os._exit(0)
os.waitpid(child, 0)
print("forked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def node() -> Iterator[str]:
    """A node's cgroup with a pod's below it, as an engine makes it."""
    need("cgroups")
    name = f"/kubarium-test-{uuid.uuid4().hex[:8]}/node-1"
    for folder in _pods(name):
        folder.mkdir(parents=True)
    yield name
    kill_cgroup(name)
    for top in {folder.parents[1] for folder in _pods(name)}:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()


def _pods(node: str) -> list[Path]:
    tops = [CGROUPS] if UNIFIED else [CGROUPS / "pids", CGROUPS / "freezer"]
    return [top / node[1:] / "pod1" for top in tops]


class _Process:
    """A process in a pod, which forks when it is told to."""

    def __init__(self, node: str) -> None:
        files = [str(folder / "cgroup.procs") for folder in _pods(node)]
        self._process = subprocess.Popen(
            ["/usr/bin/env", "python3", "-c", ENTER, *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._output, self._input = self._process.stdout, self._process.stdin

    def says(self) -> str:
        return self._output.readline().decode().strip()

    def go_on(self) -> None:
        self._input.write(b"\n")
        self._input.flush()

    @property
    def state(self) -> str:
        """The kernel's letter for it: D or T where it is frozen."""
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def ended(self) -> int:
        with self._process:
            return self._process.wait(timeout=60)


def _is_frozen(node: str) -> bool:
    if UNIFIED:
        return "frozen 1" in (_pods(node)[0] / "cgroup.events").read_text()
    return (CGROUPS / "freezer" / node[1:] / "pod1" / "freezer.state").read_text().strip() == "FROZEN"


def test_what_is_frozen_goes_on_when_it_is_thawed(node: str):
    """Nothing in the pods runs in between."""
    process = _Process(node)
    assert process.says() == "entered"
    freeze_cgroup(node)
    assert _is_frozen(node)
    process.go_on()
    thaw_cgroup(node)
    assert process.says() == "forked"
    assert not _is_frozen(node)
    process.go_on()
    assert process.ended() == 0


def test_what_is_frozen_can_be_killed(node: str):
    """A machine that is paused can lose power, too."""
    process = _Process(node)
    assert process.says() == "entered"
    freeze_cgroup(node)
    assert kill_cgroup(node) >= 1
    assert process.ended() == -9


def test_nothing_begins_on_a_machine_that_is_off(node: str):
    """What the engine was asked for before the power went is refused by the kernel; after the next start it may."""
    assert kill_cgroup(node) == 0
    late = _Process(node)
    assert late.says() == "entered"
    late.go_on()
    assert late.says() == "refused"
    assert late.ended() == 0
    admit_cgroup(node)
    next_one = _Process(node)
    assert next_one.says() == "entered"
    next_one.go_on()
    assert next_one.says() == "forked"
    next_one.go_on()
    assert next_one.ended() == 0
