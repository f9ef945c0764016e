"""Commands in containers: each has a client, and does not outlive it.

The client of a probe or hook is a call, that of `kubectl exec` a connection. When it leaves, a terminal hangs up (SIGHUP, which
`nohup` is there for) and a command without one is asked to end (SIGTERM), with all that it has started; after `GRACE_S` it
is killed. A call whose time is over has waited long enough: its command is killed at once. Both go through this
process, so each command is noted, and the next dockershim kills those of one that was killed.

Kubernetes does not say what becomes of such a command; containerd and cri-dockerd leave those of `kubectl exec` behind.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from dockershim.core.log_lines import Frames
from dockershim.docker import Engine
from dockershim.engine_connection import Hijacked
from dockershim.exec_session import is_alive, signal_session
from dockershim.notes import Notes
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import BadRequest, Conflict, DeadlineExceeded, InternalError, NotFound

OUTPUT_LIMIT: Final = 16 * 1024 * 1024  # bytes of each stream; what comes after is dropped
ALL_OUTPUT_LIMIT: Final = (
    64 * 1024 * 1024
)  # of all calls together: probes of many containers may be as talkative at once
GRACE_S: Final = 10.0  # wall seconds, as the engine has it for a client of its own that leaves
_STARTING_LOOKS: Final = 40
_STARTING: Final = Backoff(
    initial_s=0.01, cap_s=0.25
)  # wall seconds; some 9 s are longer than the engine takes
_NOT_STARTED: Final = (126, 127)
_LOOK_S: Final = 0.005
_LONGEST_LOOK_S: Final = 0.25


def exec_body(
    command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> dict[str, Any]:
    """Write the engine's request for a command.

    Raises:
        BadRequest: there is no command.
    """
    if not command:
        raise BadRequest("there is no command to run")
    return {
        "Cmd": list(command),
        "AttachStdin": stdin,
        "AttachStdout": stdout,
        "AttachStderr": stderr and not tty,
        "Tty": tty,
    }


@dataclass(frozen=True, slots=True)
class Command:
    """A command that has been started."""

    id: str  # the engine's
    container_id: str
    streams: Hijacked


@dataclass(slots=True)
class OutputRoom:
    """How much output may still be kept for the calls that run."""

    left: int = ALL_OUTPUT_LIMIT

    def take(self, wanted: int) -> int:
        """Return how many of so many bytes may be kept."""
        taken = max(0, min(wanted, self.left))
        self.left -= taken
        return taken


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands that run for somebody."""

    engine: Engine
    clock: Clock
    notes: Notes  # per command: its container
    room: OutputRoom = field(default_factory=OutputRoom)

    @asynccontextmanager
    async def started(self, container_id: str, body: dict[str, Any]) -> AsyncIterator[Command]:
        """Run a command while inside. Who leaves with an error, or is cancelled, leaves a command that is killed.

        Raises:
            Conflict: the container does not run.
            NotFound: it is gone.
        """
        exec_id = await self.engine.exec_create(container_id, body)
        self.notes.put(exec_id, {"container": container_id})
        try:
            streams = await self.engine.exec_start(exec_id, tty=body["Tty"])
        except (BadRequest, Conflict, InternalError, NotFound):  # the engine has not started it
            self.notes.remove(exec_id)
            raise
        except BaseException:
            await asyncio.shield(self._kill(exec_id, container_id))
            raise
        try:
            yield Command(exec_id, container_id, streams)
        except BaseException:
            await asyncio.shield(self._kill(exec_id, container_id))
            raise
        finally:
            streams.close()
        self.notes.remove(exec_id)

    async def run(self, container_id: str, command: Sequence[str], timeout_s: float) -> Any:
        """Run a command without input; return its output streams and its exit code. `timeout_s`: 0 is none.

        Raises:
            DeadlineExceeded: it ran too long, and was killed.
            InternalError: it could not be started.
            Conflict: the container does not run.
        """
        body = exec_body(command, stdin=False, stdout=True, stderr=True, tty=False)
        output = {1: bytearray(), 2: bytearray()}
        try:
            async with (
                self.started(container_id, body) as started,
                self.clock.timeout_wall(timeout_s or None),
            ):
                await collect(started.streams, output, self.room)
                code = await self.exit_code(started, bytes(output[1][:1024]))
        except TimeoutError as error:
            text = f"command {' '.join(command)!r} timed out: timeout {timeout_s:g}s exceeded"
            raise DeadlineExceeded(text) from error
        finally:
            self.room.left += sum(map(len, output.values()))
        return output[1], output[2], code

    async def exit_code(self, command: Command, said: bytes = b"") -> int:
        """Return the exit code of a command whose streams have ended; `said` is what the engine put into them.

        Raises:
            InternalError: it was never started.
            NotFound: its container is gone.
        """
        pause_s = _LOOK_S
        while True:
            state = await self.engine.exec_inspect(command.id)
            if not state.get("Running") and state.get("ExitCode") is not None:
                code = int(state["ExitCode"])
                if code in _NOT_STARTED and not state.get("Pid"):
                    raise InternalError(
                        f"failed to start the command: {said.decode(errors='replace').strip()}"
                    )
                return code
            # It has closed its streams and goes on running, or the engine lags behind.
            await self.clock.sleep_wall(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_LOOK_S)

    async def leave(self, command: Command, *, tty: bool) -> None:
        """End a command whose client has left; return when it has ended, or was killed."""
        command.streams.close()
        polite = signal.SIGHUP if tty else signal.SIGTERM
        if not (pid := await self._signal(command.id, command.container_id, polite)):
            return
        try:
            async with self.clock.timeout_wall(GRACE_S):
                while is_alive(pid, command.container_id):
                    await self.clock.sleep_wall(_LONGEST_LOOK_S)
        except TimeoutError:
            signal_session(pid, command.container_id, signal.SIGKILL)

    async def sweep(self) -> list[str]:
        """Kill, once, what an earlier life of this process has left, whose clients are gone; return the commands' ids.

        Raises:
            Unavailable: the engine does not answer; the rest is left for the next time.
        """
        left = self.notes.names()
        for exec_id in left:
            await self._kill(exec_id, str(self.notes.get(exec_id)["container"]))
        return left

    async def _kill(self, exec_id: str, container_id: str) -> None:
        await self._signal(exec_id, container_id, signal.SIGKILL)
        self.notes.remove(exec_id)

    async def _signal(self, exec_id: str, container_id: str, number: signal.Signals) -> int:
        """Send a signal to a command's processes; return the first one's pid, 0 where it never had one."""
        if pid := await self._pid(exec_id):
            signal_session(pid, container_id, number)
        return pid

    async def _pid(self, exec_id: str) -> int:
        """Return the pid of a command's first process, which may have ended; 0 where it does not come to have one."""
        for looks in range(_STARTING_LOOKS):
            try:
                state = await self.engine.exec_inspect(exec_id)
            except NotFound:  # with its container
                return 0
            if state.get("Pid") or state.get("ExitCode") is not None:
                return int(state.get("Pid") or 0)
            await self.clock.sleep_wall(_STARTING.delay(looks + 1))  # the engine may be just starting it
        return 0


async def collect(streams: Hijacked, output: dict[int, bytearray], room: OutputRoom) -> None:
    """Read what a command writes to its end, and keep the beginning of each stream as far as there is room."""
    frames = Frames()
    while data := await streams.read():
        for stream, payload in frames.feed(data):
            buffer = output.get(stream, output[1])
            buffer += payload[: room.take(min(len(payload), OUTPUT_LIMIT - len(buffer)))]
