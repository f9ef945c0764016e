"""`kubectl exec -it` from a real terminal: echo, size, signals and the exit code."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass
class Terminal:
    """A kubectl on a terminal of its own, and the one who sits there."""

    process: subprocess.Popen[bytes]
    master: int
    said: str = ""
    unread: str = field(default="")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Draw the window to another size, which the program is told by SIGWINCH."""
        _set_size(self.master, rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def until(self, words: str, timeout_s: float = 60) -> str:
        """Read until these words appear; give what came before them."""
        deadline = time.monotonic() + timeout_s
        while words not in self.unread:
            left = deadline - time.monotonic()
            assert left > 0, f"no {words!r} in {timeout_s:g} s; the terminal shows {self.said!r}"
            self._read(left)
        before, _, self.unread = self.unread.partition(words)
        return before

    def end(self, timeout_s: float = 60) -> int:
        """Read to the end; give the exit code."""
        deadline = time.monotonic() + timeout_s
        while self._read(0.2) and time.monotonic() < deadline:
            pass
        return self.process.wait(timeout_s)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.master, 65536).decode(errors="replace")
        except OSError as error:  # how Linux says that nobody has the other end open any more
            if error.errno != errno.EIO:
                raise
            return False
        self.said += data
        self.unread += data
        return bool(data)


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextlib.contextmanager
def terminal(command: list[str]) -> Iterator[Terminal]:
    """Run a program on a new terminal of 24 x 80, in a session of its own."""
    master, slave = pty.openpty()
    _set_size(slave, 24, 80)
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait(60)
        os.close(master)


@pytest.fixture
def pod(kubectl: Kubectl) -> Kubectl:
    """A Ready pod called `host`."""
    kubectl("run", "host", "--image=busybox:1.36", "--", "sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
    kubectl("wait", "pod/host", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    return kubectl


@contextlib.contextmanager
def session(kubectl: Kubectl, *command: str) -> Iterator[Terminal]:
    """Open `kubectl exec -it`, past its prompt where it is a shell."""
    with terminal(kubectl.command("exec", "-it", "host", "--", *(command or ("sh",)))) as opened:
        if not command:
            opened.until("# ")
        yield opened


def test_a_shell_echoes_and_its_exit_code_passes_through(pod: Kubectl):
    """It prompts, what is typed is shown once, what it prints follows; `exit 7` is kubectl's exit code."""
    with session(pod) as shell:
        shell.type("tty && echo $((6*7))-done\r")
        shown = shell.until("42-done")
        assert shown.count("echo $((6*7))-done") == 1
        assert "/dev/pts/" in shown
        shell.until("# ")
        shell.type("exit 7\r")
        assert shell.end() == 7


def test_the_window_has_a_size_and_may_be_resized(pod: Kubectl):
    """The first size is there from the start or soon after; later ones arrive."""
    with session(pod) as shell:
        for rows, columns in ((24, 80), (33, 101), (50, 200)):
            shell.resize(rows, columns)
            script = f'until [ "$(stty size)" = "{rows} {columns}" ]; do sleep 0.1; done; echo "now"-{rows}'
            shell.type(f"{script}\r")
            shell.until(f"now-{rows}")
            shell.until("# ")
        shell.type(CTRL_D)
        assert shell.end() == 0


def test_ctrl_c_reaches_the_process_and_not_the_session(pod: Kubectl):
    """What runs in the foreground gets SIGINT; the shell prompts again; kubectl stays."""
    with session(pod) as shell:
        shell.type("sleep 1000; echo after-$?\r")
        shell.until("after-$?")
        eventually(lambda: "sleep 1000" in pod("exec", "host", "--", "ps"), what="a sleep in the foreground")
        shell.type(CTRL_C)
        shell.until("# ")
        shell.type("echo still-$((1+1))\r")
        shell.until("still-2")
        shell.until("# ")
        shell.type(
            "sh -c 'trap \"echo caught; exit 3\" INT; echo ready-$((2+2)); while :; do sleep 0.1; done'\r"
        )
        shell.until("ready-4")
        shell.type(CTRL_C)
        shell.until("caught")
        shell.until("# ")
        shell.type("exit\r")
        assert shell.end() == 3  # of the last command


def test_ctrl_c_ends_a_command_that_is_no_shell(pod: Kubectl):
    """With the exit code of a process that SIGINT has ended."""
    with session(pod, "sh", "-c", "trap 'exit 9' INT; echo up-$((3+3)); while :; do sleep 0.1; done") as run:
        run.until("up-6")
        run.type(CTRL_C)
        assert run.end() == 9


def test_a_terminal_carries_much_and_every_byte(pod: Kubectl):
    """Many lines come in order, none is missing."""
    with session(pod, "seq", "1", "20000") as run:
        run.end(120)
        assert run.said.split() == [str(number) for number in range(1, 20001)]
    assert run.process.returncode == 0


@pytest.mark.parametrize("streams", [["-it"], ["-i"], []], ids=" ".join)
def test_a_command_ends_with_the_kubectl_that_has_started_it(pod: Kubectl, streams: list[str]):
    """With what it has started, whether it has a terminal or not; nobody else would end it."""
    script = "sleep 4711 & sleep 4712; true"

    def sleepers() -> set[str]:
        lines = pod("exec", "host", "--", "ps").splitlines()
        return {line.split()[-1] for line in lines if line.split()[-2:-1] == ["sleep"]} - {"3600"}

    with terminal(pod.command("exec", *streams, "host", "--", "sh", "-c", script)):
        eventually(lambda: sleepers() == {"4711", "4712"}, what="the command, and what it has started")
    eventually(lambda: not sleepers(), what="its end, after kubectl's")


def test_a_debugger_sees_the_processes_of_its_target(pod: Kubectl):
    """And has a status of its own; the pod goes on when it ends."""
    command = "ps -o args | grep 'sleep [3]600'; exit 3"
    pod(
        "debug",
        "host",
        "--image=busybox:1.36",
        "--target=host",
        "-c",
        "bug",
        "--profile=general",
        "--",
        "sh",
        "-c",
        command,
    )
    pod(
        "wait",
        "pod/host",
        "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=3",
        "--timeout=180s",
    )
    assert "sleep 3600" in pod("logs", "host", "-c", "bug")
    assert pod.get("pod", "host")["status"]["phase"] == "Running"


def test_a_port_is_forwarded_and_proxied(pod: Kubectl):
    """By port-forward to a local port, by `get --raw` through the apiserver."""
    serve = "mkdir /tmp/www && echo here I am > /tmp/www/index.html && httpd -p 8080 -h /tmp/www"
    pod("exec", "host", "--", "sh", "-c", serve)
    process = subprocess.Popen(
        pod.command("port-forward", "pod/host", ":8080"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        port = process.stdout.readline().partition("127.0.0.1:")[2].partition(" ")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert answer.read() == b"here I am\n"
    finally:
        process.kill()
        process.communicate()
    path = f"/api/v1/namespaces/{pod.namespace}/pods/host:8080/proxy/"
    assert pod("get", "--raw", path) == "here I am\n"
