"""The supervisor's loop: descriptors become events, events change the table, the table starts processes."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from kubarium.core.layout import Layout
from kubarium.core.supervision import next_due_s
from kubarium.errors import KubariumError
from kubarium.supervisor.clients import MOST_CLIENTS, PATIENCE_S, Client
from kubarium.supervisor.processes import Processes
from kubarium.supervisor.protocol import Request, read_request
from machinery.process.clock import WALL

_IDLE_S = 3600.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of unix(7)

Operation = Callable[[Request], Any]


class Daemon:
    """The sockets and the loop. What is asked for is carried out by `operations`."""

    def __init__(self, cluster: str, layout: Layout[Path]) -> None:
        """Open the sockets.

        Raises:
            KubariumError: another supervisor runs this cluster.
            OSError: the folder for sockets cannot be had.
        """
        layout.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cluster, self._home = cluster, str(layout.home)
        self._lock = _locked(layout.run / "lock", cluster)
        self._selector = selectors.DefaultSelector()
        self._notify = _bound(socket.SOCK_DGRAM, layout.run / "notify")
        self._notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._control = _bound(socket.SOCK_STREAM, layout.control)
        self._control.listen(16)
        self._wake, self._woken = socket.socketpair()
        self._clients: dict[int, Client] = {}  # by descriptor
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

    def attend(self) -> None:
        """Handle what has happened, without waiting for more."""
        while self.step(0):
            pass

    def start_all_due(self) -> None:
        """Start what is to be started now, one after the other, and handle what happens in between."""
        self.attend()
        while not self.stopping and self.processes.start_due(most=1):
            self.attend()

    def step(self, timeout_s: float) -> bool:
        """Wait for events, at most so long, and handle them; return whether there were any."""
        happened = self._selector.select(timeout_s)
        for key, _ in happened:
            event, name = key.data
            if event == "exit":
                self.processes.note_exit(name)
            elif event == "notify":
                self._read_notify()
            elif event == "control":
                self._accept()
            elif event == "client":
                self._attend(key.fd)
            else:
                self._read_signals()
        self._give_up_late()
        return bool(happened)

    def step_exits(self, timeout_s: float) -> None:
        """Wait for exits, at most so long; other events stay where they are until the loop goes on."""
        for key, _ in self._exits(timeout_s):
            self.processes.note_exit(key.data[1])

    def leave(self) -> None:
        """End the loop after the present event."""
        self.stopping = True

    def close(self) -> None:
        """Close the sockets and remove their names; then close on those who wait for our end."""
        for listener in (self._notify, self._control):
            Path(listener.getsockname()).unlink(missing_ok=True)
            listener.close()
        for source in (self._wake, self._woken):
            source.close()
        for client in self._clients.values():
            client.connection.close()
        self._selector.close()
        os.close(self._lock)

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
        times = [client.deadline_s for client in self._clients.values()] + ([] if due_s is None else [due_s])
        return max(0.0, min(times) - WALL.monotonic_wall()) if times else _IDLE_S

    def _descriptors(self) -> list[int]:
        """List what a child closes: a client would wait for the end of whoever has its connection."""
        files = (self._notify, self._control, self._wake, self._woken)
        return [file.fileno() for file in files] + [self._selector.fileno(), self._lock, *self._clients]

    def _read_notify(self) -> None:
        data, ancillary, _, _ = self._notify.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and b"READY=1" in data:
                self.processes.note_ready(_CREDENTIALS.unpack(content)[0])

    def _read_signals(self) -> None:
        numbers = set(self._woken.recv(4096))
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self.on_terminate()

    def _accept(self) -> None:
        with suppress(OSError):  # it has gone, or there are no descriptors left
            connection, _ = self._control.accept()
            if len(self._clients) >= MOST_CLIENTS:
                connection.close()
                return
            client = Client(connection, WALL.monotonic_wall() + PATIENCE_S)
            self._clients[connection.fileno()] = client
            self._selector.register(connection, client.waits_for, ("client", ""))

    def _attend(self, descriptor: int) -> None:
        """Do for a client what can be done without waiting for it."""
        client = self._clients[descriptor]
        try:
            if client.waits_for == selectors.EVENT_READ:
                self._read(client)
            elif client.write():
                self._finish(descriptor)
        except OSError:
            self._drop(descriptor)  # it did not wait for its answer

    def _read(self, client: Client) -> None:
        try:
            line = client.read()
            answer = None if line is None else {"ok": self._carry_out(line)}
        except KubariumError as error:
            answer = {"error": str(error)}
        except ConnectionError:
            raise
        except (OSError, ValueError) as error:
            answer = {"error": f"the supervisor could not do it: {error}"}
        except Exception as error:  # noqa: BLE001 - one request, whatever it does, does not end a cluster
            _say(traceback.format_exc())
            answer = {"error": f"the supervisor failed at it ({error!r}); its log tells more"}
        if answer is None:
            return
        client.answer(json.dumps(answer).encode() + b"\n")
        client.deadline_s = WALL.monotonic_wall() + PATIENCE_S
        if client.write():
            self._finish(client.connection.fileno())
        else:
            self._selector.modify(client.connection, client.waits_for, ("client", ""))

    def _carry_out(self, line: bytes) -> Any:
        request = read_request(line)
        if request.home not in {"", self._home}:
            raise KubariumError(
                f'a cluster "{self._cluster}" of another folder is on this machine, {self._home}: '
                f"choose another --name, or reach that one with its own HOME or KUBARIUM_HOME"
            )
        if request.op not in self.operations:
            raise KubariumError(f'the supervisor knows no "{request.op}"')
        return self.operations[request.op](request)

    def _finish(self, descriptor: int) -> None:
        """Part with a client that has its answer; one that told us to leave waits for our end."""
        if not self.stopping:
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        client = self._clients.pop(descriptor)
        self._selector.unregister(client.connection)
        client.connection.close()

    def _give_up_late(self) -> None:
        now_s = WALL.monotonic_wall()
        for descriptor in [number for number, each in self._clients.items() if each.deadline_s <= now_s]:
            self._drop(descriptor)


def _locked(path: Path, cluster: str) -> int:
    """Lock a file for as long as this process lives; what it forks closes the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise KubariumError(
            f'another supervisor runs cluster "{cluster}" ({path} is locked): '
            f"`kubarium down --name {cluster}` ends it"
        ) from error
    return descriptor


def _bound(kind: socket.SocketKind, path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


def _say(text: str) -> None:
    with suppress(OSError):  # the log's disk may be full
        print(text, file=sys.stderr, flush=True)
