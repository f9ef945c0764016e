"""The supervisor at its socket: whatever comes in, it goes on, and nobody keeps it waiting."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubarium.core.components import Component
from kubarium.core.layout import Layout
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubarium.core.supervision import Phase
from kubarium.errors import KubariumError
from kubarium.supervisor import processes
from kubarium.supervisor.clients import MOST_CLIENTS, PATIENCE_S
from kubarium.supervisor.daemon import Daemon
from kubarium.supervisor.operations import Operations
from kubarium.supervisor.protocol import LINE_LIMIT
from machinery.process.clock import WALL
from tests.support.examples import examples
from tests.support.yardstick import times_slower

_PIECE = 1 << 15


class Supervisor:
    """A daemon whose loop is turned by the test, so that its clients and it take turns in one thread."""

    def __init__(self, layout: Layout[Path]) -> None:
        self.layout = layout
        self.longest_turn_s = 0.0  # of CPU
        self.daemon = Daemon("t", layout)
        spec = ClusterSpec(name="t", runtime="hollow").with_node()
        Operations(self.daemon, spec, layout, lambda now: LocalPlaces(now, layout))

    def connect(self) -> socket.socket:
        """Connect a client."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(self.layout.control))
        client.settimeout(10)
        self.turn()
        return client

    def turn(self) -> None:
        """Handle what there is to be handled now."""
        began = time.thread_time()
        self.daemon.step(0)
        self.longest_turn_s = max(self.longest_turn_s, time.thread_time() - began)

    def answer(self, client: socket.socket) -> dict[str, Any]:
        """Return the answer to a client that has sent its request."""
        self.turn()
        self.daemon.stopping = False  # `down` is one of the requests that are tried
        with client, client.makefile("rb") as reader:
            return json.loads(reader.readline())

    def ask(self, request: bytes) -> dict[str, Any]:
        """Send a request and return the answer."""
        client = self.connect()
        whole = request + b"\n"
        for start in range(
            0, len(whole), _PIECE
        ):  # no more than a socket holds, since nobody reads meanwhile
            client.sendall(whole[start : start + _PIECE])
            self.turn()
        return self.answer(client)

    def answers(self) -> bool:
        """Whether it still knows its processes."""
        return "ok" in self.ask(b'{"op": "ps"}')


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    """A supervisor of one node, none of whose processes is started."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        home = Path(folder) / "t"
        home.mkdir()
        supervisor = Supervisor(Layout(home, Path(folder) / "run"))
        yield supervisor
        supervisor.daemon.close()


OPERATIONS = [
    "ps",
    "kill",
    "pause",
    "resume",
    "restart",
    "stop",
    "node_rm",
    "down",
    "spec",
    "close",
    "__init__",
]
NAMES = st.sampled_from(["node-1", "kubelet@node-1", "", "t", "../..", "a\0b"]) | st.text(max_size=5)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
REQUESTS = st.fixed_dictionaries(
    {"op": st.sampled_from(OPERATIONS) | ANYTHING},
    optional={"component": NAMES | ANYTHING, "restart": st.booleans() | ANYTHING, "name": NAMES | ANYTHING, "home": ANYTHING},
)  # fmt: skip


@examples(300)
@given(request=REQUESTS | ANYTHING)
def test_no_json_ends_it(supervisor: Supervisor, request: Any):
    """Requests that nearly fit, and values that are none: each has an answer."""
    assert set(supervisor.ask(json.dumps(request).encode())) <= {"ok", "error"}
    assert supervisor.answers()


@examples(300)
@given(request=st.binary(max_size=200).filter(lambda data: b"\n" not in data))
def test_no_bytes_end_it(supervisor: Supervisor, request: bytes):
    """Bytes that are no JSON have an error that says so."""
    assert set(supervisor.ask(request)) <= {"ok", "error"}
    assert supervisor.answers()


@pytest.mark.parametrize(
    "request_",
    [b"[]", b"5", b"null", b"", b'"ps"', b"[" * 500_000, b'{"op":' * 100_000, b'{"op": ["ps"]}', b'{"op": "kill", "component": {}}',
     b'{"op": "node_rm", "name": []}', b"\xff\xfe", b'{"op": "ps"} trailing', b'{"op": "kill", "component": "\\ud800"}'],
)  # fmt: skip
def test_what_is_no_request_is_refused(supervisor: Supervisor, request_: bytes):
    """With an error for who asked, and no harm for the others."""
    assert "error" in supervisor.ask(request_)
    assert supervisor.answers()


MANY = range(30_000)


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "node_add", "labels": {f"-{number}": "" for number in MANY}},
        {"op": "node_add", "taints": [f"-{number}" for number in MANY]},
        {"op": "node_add", "kubelet_args": {f"-{number}": "" for number in MANY}},
        {"op": "node_add", "cpu": "9" * 500_000, "memory": "1" * 400_000},
        {"op": "kill", "component": "x" * 1_000_000},
        {"op": "ps", "home": "/" * 1_000_000},
        {"op": "ps", **{f"k{number}": 1 for number in MANY}},
        [[]] * 200_000,
        [1e300] * 50_000,
    ],
    ids=lambda request: str(request)[:40],
)
def test_a_large_request_keeps_nobody_waiting(supervisor: Supervisor, request_: Any):
    """No turn takes a tenth of a second of CPU, and the answer to what makes no sense is short."""
    supervisor.longest_turn_s = 0.0
    assert len(supervisor.ask(json.dumps(request_).encode())["error"]) < 2_000
    assert supervisor.longest_turn_s < 0.1 * times_slower()


def test_a_request_that_comes_byte_by_byte_keeps_nobody_waiting(supervisor: Supervisor):
    """However long it has become."""
    client = supervisor.connect()
    for _ in range(16):
        client.sendall(b" " * 60_000)
        supervisor.turn()
    supervisor.longest_turn_s = 0.0
    for _ in range(200):
        client.sendall(b" ")
        supervisor.turn()
    client.sendall(b"5\n")
    assert "error" in supervisor.answer(client)
    assert supervisor.longest_turn_s < 0.1 * times_slower()


def test_a_fault_of_its_own_in_one_request_does_not_end_it(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
):
    """Whatever an operation throws: the client is told, the log has the trace."""

    def broken(_: object) -> None:
        raise RuntimeError("out of order")

    supervisor.daemon.operations["ls"] = broken
    assert "out of order" in supervisor.ask(b'{"op": "ls"}')["error"]
    assert "Traceback" in capsys.readouterr().err
    assert supervisor.answers()


def test_a_slow_client_keeps_nobody_waiting(supervisor: Supervisor):
    """Half a request waits, and others are answered meanwhile; what comes late is still taken."""
    slow, silent = supervisor.connect(), supervisor.connect()
    for byte in b'{"op": "ps"':
        slow.send(bytes([byte]))
        assert supervisor.answers()
    slow.sendall(b"}\n")
    assert "ok" in supervisor.answer(slow)
    silent.close()
    assert supervisor.answers()


def test_a_client_that_does_not_read_keeps_nobody_waiting(supervisor: Supervisor):
    """An answer of megabytes goes as it is read."""
    supervisor.daemon.operations["ls"] = lambda _: "x" * 4_000_000
    client = supervisor.connect()
    client.sendall(b'{"op": "ls"}\n')
    supervisor.turn()
    assert supervisor.answers()
    received = 0
    while piece := client.recv(1 << 20):
        received += len(piece)
        supervisor.turn()
    client.close()
    assert received > 4_000_000


def test_a_client_that_is_late_is_given_up(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch):
    """After its patience, so that nobody holds a descriptor for ever."""
    client = supervisor.connect()
    late_s = WALL.monotonic_wall() + PATIENCE_S + 1
    monkeypatch.setattr(type(WALL), "monotonic_wall", lambda _: late_s)
    supervisor.turn()
    assert client.recv(1) == b""
    client.close()


def test_clients_and_requests_are_bounded(supervisor: Supervisor):
    """One too many is closed; a request that does not end is refused."""
    many = [supervisor.connect() for _ in range(MOST_CLIENTS)]
    with supervisor.connect() as refused:
        assert refused.recv(1) == b""
    for client in many:
        client.close()
        supervisor.turn()
    endless = supervisor.connect()
    endless.settimeout(0)
    sent = 0
    while sent <= LINE_LIMIT:
        sent += endless.send(b"x" * 65536)
        supervisor.turn()
    endless.settimeout(10)
    assert "at most" in supervisor.answer(endless)["error"]


def test_another_folders_handle_is_told_whose_it_is(supervisor: Supervisor):
    """The name is the same, the cluster is not."""
    refused = supervisor.ask(b'{"op": "ps", "home": "/elsewhere/t"}')["error"]
    assert str(supervisor.layout.home) in refused
    assert "ok" in supervisor.ask(json.dumps({"op": "ps", "home": str(supervisor.layout.home)}).encode())


def test_a_second_supervisor_of_a_cluster_ends_at_once(supervisor: Supervisor):
    """It says so, and leaves the first one's sockets alone."""
    with pytest.raises(KubariumError, match='another supervisor runs cluster "t"'):
        Daemon("t", supervisor.layout)
    assert supervisor.answers()


SLEEPER = Component("sleeper", "sleep", {}, external=True)


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_does_not_end_it(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch):
    """A process that cannot be started is tried again, and its end is noted, though nothing can be recorded."""
    table, daemon = supervisor.daemon.processes.table, supervisor.daemon
    monkeypatch.setattr(Path, "write_text", _full)
    monkeypatch.setattr(Path, "mkdir", _full)
    daemon.processes.add([SLEEPER])
    daemon.processes.start_due()
    assert table["sleeper"].phase is Phase.BACKOFF
    assert os.strerror(errno.ENOSPC) in table["sleeper"].last_exit
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    monkeypatch.setattr(
        processes, "launch", lambda *_, **__: os.posix_spawnp("sleep", ["sleep", "60"], os.environ)
    )
    daemon.processes.want("sleeper")
    daemon.processes.start_due()
    os.kill(table["sleeper"].pid, signal.SIGKILL)
    daemon.step(10)
    assert table["sleeper"].last_exit == "killed by SIGKILL"
    assert supervisor.answers()
    daemon.processes.table.pop("sleeper")


def test_who_asks_while_components_are_started_is_answered_in_between(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
):
    """After the first of them, not after the last; each is started once, and each record has all."""
    daemon, started = supervisor.daemon, []
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def launch(component: Component, **_: Any) -> int:
        if not started:
            client.connect(str(supervisor.layout.control))
            client.sendall(b'{"op": "ps"}\n')
        else:
            client.settimeout(0)
            assert json.loads(client.recv(1 << 16))["ok"]
        started.append(component.name)
        return os.posix_spawnp("sleep", ["sleep", "60"], os.environ)

    monkeypatch.setattr(processes, "launch", launch)
    names = ["first", "second"]
    daemon.processes.add([replace(SLEEPER, name=name) for name in names])
    daemon.start_all_due()
    client.close()
    assert started == names
    recorded = json.loads(supervisor.layout.pids.read_text())
    for name in names:
        assert recorded[name][0] == daemon.processes.table[name].pid
        os.kill(daemon.processes.table[name].pid, signal.SIGKILL)
    while any(daemon.processes.table[name].pid for name in names):
        daemon.step(10)
    for name in names:
        daemon.processes.table.pop(name)
