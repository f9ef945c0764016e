"""Machines in compose: who clears up after those that were killed, with real locks of real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubarium import machine
from kubarium.core.compose import compose_spec
from kubarium.core.layout import Layout
from kubarium.core.places import ComposePlaces
from kubarium.host.machine_lock import MachineLock, hold_power

OTHER = """
import os, sys
from pathlib import Path
from kubarium.host.machine_lock import MachineLock
print("coming", flush=True)
call = MachineLock(Path(sys.argv[1]))
print("present", flush=True)
sys.stdin.readline()
print(call.leave(), flush=True)
sys.stdin.readline()
"""


class _Other:
    """Another machine, in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert self.says() == "coming"

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def speaks_within(self, patience_s: float) -> bool:
        return bool(select.select([self._process.stdout], [], [], patience_s)[0])

    def leaves(self) -> bool:
        """Switch it off in good order; tell whether it was the last one. It has not gone yet."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return self.says() == "True"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def other(file: Path) -> Iterator[_Other]:
    """Start another machine."""
    command = [sys.executable, "-c", OTHER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield _Other(process)
        finally:
            process.kill()


def test_the_last_one_that_leaves_is_told(tmp_path: Path):
    """Nobody before it."""
    file = tmp_path / "machines"
    with MachineLock(file) as held, other(file) as one:
        assert one.says() == "present"
        assert not held.leave()
        assert one.leaves()


def test_one_that_was_killed_is_not_waited_for(tmp_path: Path):
    """The kernel takes its place away."""
    file = tmp_path / "machines"
    with MachineLock(file) as held, other(file) as one:
        assert one.says() == "present"
        one.kill()
        assert held.leave()


def test_whoever_comes_while_the_last_one_clears_up_waits(tmp_path: Path):
    """Else what it just made would be cleared up, too."""
    file = tmp_path / "machines"
    with other(file) as last:
        assert last.says() == "present"
        assert last.leaves()
        with other(file) as next_one:
            assert not next_one.speaks_within(0.3)
            last.kill()
            assert next_one.says() == "present"


def test_a_machine_waits_until_its_last_life_is_over(tmp_path: Path):
    """Its reaper has inherited the power: it kills what the dead machine has started, and nothing of the next life."""
    held = hold_power(tmp_path / "power")
    goes_on, told = os.pipe()
    reaper = os.fork()
    if not reaper:
        os.close(told)
        os.read(goes_on, 1)
        os._exit(0)
    os.close(held)  # the machine's first process has ended
    power = "import sys; from pathlib import Path; from kubarium.host.machine_lock import hold_power; "
    command = [sys.executable, "-c", f"{power}hold_power(Path(sys.argv[1])); print('on')", tmp_path / "power"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as next_life:
        assert next_life.stdout is not None
        assert not select.select([next_life.stdout], [], [], 0.5)[0]
        os.close(told)
        assert next_life.stdout.readline() == b"on\n"
    os.close(goes_on)
    os.waitpid(reaper, 0)


@pytest.fixture
def switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run a node's service until it is switched off; give whose containers it removed, "" for all nodes'."""
    spec = compose_spec()
    places = ComposePlaces(spec, Layout(tmp_path, tmp_path / "run"))
    reaper = SimpleNamespace(remove=lambda: None)

    def run(error: Exception | None = None) -> list[str]:
        purged: list[str] = []

        def parts(*_: object) -> None:
            if error:
                raise error

        monkeypatch.setattr(machine, "start_reaper", lambda _cgroup: reaper)
        monkeypatch.setattr(machine, "kill_cgroup", lambda _cgroup: 0)
        monkeypatch.setattr(machine, "admit_cgroup", lambda _cgroup: None)
        monkeypatch.setattr(machine, "run_parts", parts)
        monkeypatch.setattr(machine, "_remove_containers", lambda _places, node="": purged.append(node))
        try:
            machine.run_node(places, "node-1")
        except RuntimeError:
            purged.append("failed")
        return purged

    return run


def test_the_last_machine_removes_what_dead_ones_have_left(
    tmp_path: Path, switched_off: Callable[..., list[str]]
):
    """node-2 was killed, and nobody else is on."""
    with other(tmp_path / "machines") as node_2:
        assert node_2.says() == "present"
        node_2.kill()
        assert switched_off() == ["node-1", ""]


def test_a_machine_that_is_not_the_last_one_removes_its_own(
    tmp_path: Path, switched_off: Callable[..., list[str]]
):
    """What a dead one has left is taken over by its next start."""
    with other(tmp_path / "machines") as node_3:
        assert node_3.says() == "present"
        assert switched_off() == ["node-1"]


def test_each_start_of_a_machine_has_a_boot_id_of_its_own(
    tmp_path: Path, switched_off: Callable[..., list[str]]
):
    """Its kubelet reads it from the node's disk."""
    boots = []
    for _ in range(2):
        switched_off()
        boots.append((tmp_path / "nodes" / "node-1" / "identity" / "boot-id").read_text())
    assert boots[0] != boots[1]


def test_a_machine_that_failed_removes_nothing_of_others(switched_off: Callable[..., list[str]]):
    """The others may be about to start."""
    assert switched_off(RuntimeError("no image")) == ["node-1", "failed"]


PARENT = """
import sys
from pathlib import Path
from kubarium.core.components import Component
from kubarium.supervisor.child import launch
part = Component("kubelet@node-1", sys.argv[1], {}, external=True)
print(launch(part, cluster="c", log=Path(sys.argv[2]), inherited=[], falls_with_us=sys.argv[3] == "falls"), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("falls", [True, False])
def test_the_parts_of_a_machine_fall_with_it(tmp_path: Path, falls: bool):
    """The kernel kills them when the machine's first process ends: a kubelet would start its pods again."""
    program = tmp_path / "part"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    arguments = [program, tmp_path / "log", "falls" if falls else "stays"]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        part = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([part], [], [], 60 if falls else 0.3)
            assert bool(ended) is falls
        finally:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(part, signal.SIGKILL)
            os.close(part)
