"""The supervisor's loop: descriptors become events, events change the table, the table starts processes."""

from __future__ import annotations

import json
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubarium.core.layout import Layout
from kubarium.core.supervision import next_due_s
from kubarium.errors import KubariumError
from kubarium.supervisor.processes import Processes
from kubarium.supervisor.protocol import LINE_LIMIT
from machinery.process.clock import WALL

_IDLE_S = 3600.0
_REQUEST_TIMEOUT_S = 2.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of unix(7)

Operation = Callable[[dict[str, Any]], Any]


class Daemon:
    """The sockets and the loop. What is asked for is carried out by `operations`."""

    def __init__(self, cluster: str, layout: Layout[Path]) -> None:
        layout.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._selector = selectors.DefaultSelector()
        self._notify = _bound(socket.SOCK_DGRAM, layout.run / "notify")
        self._notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._control = _bound(socket.SOCK_STREAM, layout.control)
        self._control.listen(16)
        self._wake, self._woken = socket.socketpair()
        self.processes = Processes(
            cluster,
            layout,
            self._selector,
            notify_socket=layout.run / "notify",
            inherited=self._descriptors,
        )
        self.operations: dict[str, Operation] = {}
        self.on_terminate: Callable[[], None] = self.leave
        self.stopping = False
        self._last_answer: socket.socket | None = None
        for source, event in ((self._notify, "notify"), (self._control, "control"), (self._woken, "signal")):
            source.settimeout(0)
            self._selector.register(source, selectors.EVENT_READ, (event, ""))

    def run(self) -> None:
        """Serve until told to leave."""
        self._wake.settimeout(0)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        while not self.stopping:
            self.processes.start_due()
            self.step(self._patience())

    def step(self, timeout_s: float) -> None:
        """Wait for events, at most so long, and handle them."""
        for key, _ in self._selector.select(timeout_s):
            event, name = key.data
            if event == "exit":
                self.processes.note_exit(name)
            elif event == "notify":
                self._read_notify()
            elif event == "control":
                self._answer()
            else:
                self._read_signals()

    def step_exits(self, timeout_s: float) -> None:
        """Wait for exits, at most so long; other events stay where they are until the loop goes on."""
        for key, _ in self._exits(timeout_s):
            self.processes.note_exit(key.data[1])

    def leave(self) -> None:
        """End the loop after the present event."""
        self.stopping = True

    def close(self) -> None:
        """Close the sockets and remove their names; then answer whoever waits for our end."""
        for listener in (self._notify, self._control):
            Path(listener.getsockname()).unlink(missing_ok=True)
            listener.close()
        if self._last_answer is not None:
            self._last_answer.close()

    def _exits(self, timeout_s: float) -> list[tuple[selectors.SelectorKey, int]]:
        others = [key for key in self._selector.get_map().values() if key.data[0] != "exit"]
        for key in others:
            self._selector.unregister(key.fileobj)
        try:
            return self._selector.select(timeout_s)
        finally:
            for key in others:
                self._selector.register(key.fileobj, key.events, key.data)

    def _patience(self) -> float:
        due_s = next_due_s(self.processes.table)
        return _IDLE_S if due_s is None else max(0.0, due_s - WALL.monotonic_wall())

    def _descriptors(self) -> list[int]:
        files = (self._notify, self._control, self._wake, self._woken)
        return [file.fileno() for file in files] + [self._selector.fileno()]

    def _read_notify(self) -> None:
        data, ancillary, _, _ = self._notify.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and b"READY=1" in data:
                self.processes.note_ready(_CREDENTIALS.unpack(content)[0])

    def _read_signals(self) -> None:
        numbers = set(self._woken.recv(4096))
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self.on_terminate()

    def _answer(self) -> None:
        connection, _ = self._control.accept()
        with connection:
            connection.settimeout(_REQUEST_TIMEOUT_S)
            try:
                with connection.makefile("rb") as reader:
                    request = json.loads(reader.readline(LINE_LIMIT))
                answer = {"ok": self.operations[request["op"]](request)}
            except KubariumError as error:
                answer = {"error": str(error)}
            except KeyError as error:
                answer = {"error": f"the supervisor's request lacks or does not know {error}"}
            except (OSError, ValueError) as error:
                answer = {"error": f"the supervisor could not do it: {error}"}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError as error:  # the handle did not wait for the answer
                print(f"supervisor_answer_lost error={error}", file=sys.stderr)
            if self.stopping:
                self._last_answer = connection.dup()  # whoever told us to leave waits for its end


def _bound(kind: socket.SocketKind, path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener
