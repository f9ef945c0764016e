"""What the handle waits for, with real processes, pipes, sockets and cgroups."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubarium import logs
from kubarium.core.layout import Layout
from kubarium.ending import end
from kubarium.errors import KubariumError
from kubarium.host.pidfd import wait_ended
from kubarium.logs import follow
from kubarium.starter import Starter
from kubarium.supervisor import machines
from kubarium.supervisor.__main__ import until_answering
from kubarium.supervisor.machines import CGROUPS, kill_cgroup
from kubarium.supervisor.protocol import call
from machinery.process import file_watch
from tests.support.requirements import need
from tests.support.stalls import taking

SUPERVISOR = """
import os, sys, time
from pathlib import Path
from kubarium.core.layout import Layout
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.operations import Operations
layout, spec = Layout(Path(sys.argv[1]), Path(sys.argv[1])), ClusterSpec(name="t", runtime="hollow")
daemon = Daemon("t", layout)
Operations(daemon, spec, layout, lambda now: LocalPlaces(now, layout))
os.write(int(sys.argv[2]), b"\\n")
daemon.run()
time.sleep(0.5)  # whatever the end of the loop takes
daemon.close()
"""


@pytest.fixture
def layout() -> Iterator[Layout]:
    """Folders whose paths are short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        yield Layout(Path(folder), Path(folder))


def _running(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", *command])


def _later(action: Callable[[], object], delay_s: float = 0.2) -> threading.Timer:
    timer = threading.Timer(delay_s, action)
    timer.start()
    return timer


def test_the_end_of_a_process_is_waited_for_as_long_as_patience_lasts():
    """And no longer; a process that has ended but is not reaped has ended, and so has one that is not there."""
    child = _running("import time; time.sleep(60)")
    try:
        assert not wait_ended(child.pid, 0.1)
        assert not wait_ended(child.pid, -1)
        timer = _later(child.kill)
        assert wait_ended(child.pid, 30)
        timer.join()
        assert wait_ended(child.pid, 0)
    finally:
        child.kill()
        child.wait()
    assert wait_ended(child.pid, 0)


def test_the_end_of_somebody_elses_process_is_told_too():
    """The supervisor is nobody's child."""
    parent = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as said:
        pid = int(said.readline())
    parent.kill()
    parent.wait()
    assert not wait_ended(pid, 0.1)
    os.kill(pid, signal.SIGTERM)
    assert wait_ended(pid, 60)


def test_a_number_that_a_thread_has_by_now_is_no_process():
    """The kernel has a word of its own for that, which differs from version to version."""
    told, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (told.set(), over.wait()))
    thread.start()
    try:
        assert told.wait(60)
        assert thread.native_id not in {None, os.getpid()}
        assert wait_ended(thread.native_id or 0, 60)
    finally:
        over.set()
        thread.join()


def test_nobody_waits_for_the_end_of_who_refused_to_end(layout: Layout):
    """What it could not do is told at once, and not when the patience for its end is over."""
    layout.run.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(layout.control))
        listener.listen(1)
        answering = threading.Thread(target=_refuse_one, args=(listener,), daemon=True)
        answering.start()
        with taking(less_than_s=60), pytest.raises(KubariumError, match="the disk is full"):
            call(layout.control, "down", timeout_s=300, until_ended=True)  # it is this process that answers
        answering.join()


def _refuse_one(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.makefile("rb").readline()
        connection.sendall(b'{"error": "the disk is full"}\n')


def test_a_supervisor_that_ends_at_once_is_told_with_its_last_words(layout: Layout):
    """Here its spec is missing."""
    layout.logs.mkdir()
    with Starter(layout) as starter:
        starter.begin()
        with pytest.raises(KubariumError, match=r"ended at once:\n.*spec\.json"):
            starter.wait(30)


def test_a_supervisor_that_is_not_told_to_begin_ends_having_done_nothing(layout: Layout):
    """No log, no socket."""
    with Starter(layout):
        pass
    assert list(layout.home.iterdir()) == []


def test_patience_with_a_supervisor_ends(layout: Layout):
    """It is told where to look; whoever waits for the word does not hold the handle."""
    with Starter(layout) as starter, pytest.raises(KubariumError, match="does not answer; its log is"):
        starter.wait(0.1)


def _started(script: str, layout: Layout, *more: str) -> tuple[subprocess.Popen[bytes], int]:
    listening, telling = os.pipe()
    command = [sys.executable, "-c", script, str(layout.run), str(telling), *more]
    child = subprocess.Popen(command, pass_fds=[telling])
    os.close(telling)
    return child, listening


def test_a_supervisor_that_goes_down_answers_when_it_has_left(layout: Layout):
    """So that nobody takes its folder away while it is still there."""
    child, listening = _started(SUPERVISOR, layout)
    try:
        assert until_answering(layout, child.pid, listening) == 0
        assert call(layout.control, "ps") == []
        assert child.poll() is None
        assert call(layout.control, "down") is True
        assert not layout.control.exists()
    finally:
        child.kill()
        child.wait()
        os.close(listening)


def test_down_waits_for_the_end_of_a_supervisor_that_has_left(layout: Layout):
    """It closes its sockets a moment before it ends, and is not taken for one that nobody had stopped."""
    flags = ["kubarium.supervisor", "--home", str(layout.home), "--run", str(layout.run)]
    child, listening = _started(f"{SUPERVISOR}time.sleep(0.5)  # whatever Python's end takes", layout, *flags)
    said: list[str] = []
    try:
        assert os.read(listening, 1)
        assert end(f"kb-{uuid.uuid4().hex[:8]}", layout, progress=said.append)
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait()
        os.close(listening)
    assert said == ["stopping the components"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import os; os._exit(7)", 7),
        ("import os, sys; os.write(int(sys.argv[2]), b'x'); os._exit(7)", 7),
        ("", 1),
    ],
    ids=["before it listens", "before it answers", "with success, which is none"],
)
def test_a_supervisor_that_ends_before_it_answers_gives_its_code(layout: Layout, script: str, code: int):
    """Whatever it had said."""
    child, listening = _started(script, layout)
    try:
        assert until_answering(layout, child.pid, listening) == code
    finally:
        os.close(listening)
        child.wait()


@pytest.fixture
def cgroup() -> Iterator[str]:
    """A cgroup of the test's own."""
    need("cgroups")
    tops = [CGROUPS] if (CGROUPS / "cgroup.controllers").exists() else [CGROUPS / "pids", CGROUPS / "memory"]
    name = f"kubarium-test-{uuid.uuid4().hex[:8]}"
    for top in tops:
        (top / name / "pod").mkdir(parents=True)
    yield f"/{name}"
    for top in tops:
        for folder in (top / name / "pod", top / name):
            folder.rmdir()


MACHINE = """
import os, sys
for file in sys.argv[1:]:
    open(file, "w").write(str(os.getpid()))
memory = bytearray(200_000_000)
os.fork()
os.fork()
os.write(1, b"x")
os.read(0, 1)
"""


def test_a_machine_is_off_when_all_that_ran_on_it_has_ended(cgroup: str, monkeypatch: pytest.MonkeyPatch):
    """One round is enough, although who holds much memory ends slowly; who is not reaped does not hold it up."""
    monkeypatch.setattr(machines, "_ROUNDS", 1)
    monkeypatch.setattr(machines, "_PATIENCE_S", 60.0)  # a loaded machine ends them slowly
    pods = (
        top / cgroup[1:] / "pod" / "cgroup.procs" for top in (CGROUPS, CGROUPS / "pids", CGROUPS / "memory")
    )
    command = [sys.executable, "-c", MACHINE, *(str(file) for file in pods if file.exists())]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(4):
        child.stdout.read(1)
    assert kill_cgroup(cgroup) >= 4
    left = [path.read_text() for path in CGROUPS.glob(f"**/{cgroup[1:]}/**/cgroup.procs")]
    assert set(left) == {""}
    assert wait_ended(child.pid, 0)
    child.communicate()
    with taking(less_than_s=30):
        assert kill_cgroup(cgroup) == 0


def _no_watch_left(_path: Path) -> file_watch.FileWatch:
    raise OSError(24, "Too many open files")


@pytest.fixture(params=["told by the kernel", "a silent file system", "no watch left"])
def _news(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tells a follower that there is something new: each way alone, the others too slow to help."""
    elsewhere, real = tmp_path / "elsewhere", file_watch.FileWatch
    elsewhere.touch()
    look_s, watch = {
        "told by the kernel": (60.0, real),
        "a silent file system": (0.05, lambda _: real(elsewhere)),
        "no watch left": (60.0, _no_watch_left),
    }[request.param]
    monkeypatch.setattr(logs, "_LOOK_S", look_s)
    monkeypatch.setattr(file_watch, "FileWatch", watch)


@pytest.mark.usefixtures("_news")
def test_a_components_log_is_followed(tmp_path: Path):
    """What is there comes first, then what is added, each line at once."""
    path = tmp_path / "scheduler.log"
    path.write_text("one\ntwo\n")
    lines = follow(path)
    assert [next(lines), next(lines)] == ["one\n", "two\n"]
    with path.open("a", buffering=1) as log:
        for number in range(3):
            with taking(less_than_s=30):
                timer = _later(lambda number=number: log.write(f"{number}\n"))
                assert next(lines) == f"{number}\n"
                timer.join()
    lines.close()  # type: ignore[attr-defined]  # a generator


def test_a_quiet_log_of_a_component_costs_next_to_nothing(tmp_path: Path):
    """It is looked at once a second."""
    path = tmp_path / "scheduler.log"
    path.write_text("one\n")
    lines = follow(path)
    next(lines)
    rests: list[float] = []
    real = logs.WALL.block
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs.WALL, "block", lambda s: (rests.append(s), real(s)))
        timer = _later(lambda: path.write_text("one\ntwo\n"), delay_s=2.5)
        assert next(lines) == "two\n"
        timer.join()
    assert len(rests) <= 4
    lines.close()  # type: ignore[attr-defined]  # a generator
