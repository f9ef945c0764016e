"""One command in a container: run it, read its streams, learn how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dockershim.core.log_lines import Frames
from dockershim.docker import Engine
from dockershim.engine_connection import Hijacked
from machinery.model.clock import Clock
from machinery.model.errors import BadRequest, DeadlineExceeded, InternalError

OUTPUT_LIMIT: Final = 16 * 1024 * 1024  # bytes of each stream; what comes after is dropped
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


async def run_command(
    engine: Engine, clock: Clock, container_id: str, command: Sequence[str], timeout_s: float
) -> Any:
    """Run a command without input; return its output streams and its exit code. `timeout_s`: 0 is none.

    Raises:
        DeadlineExceeded: it ran too long, and was killed.
        InternalError: it could not be started.
        Conflict: the container does not run.
    """
    body = exec_body(command, stdin=False, stdout=True, stderr=True, tty=False)
    exec_id = await engine.exec_create(container_id, body)
    streams = await engine.exec_start(exec_id, tty=False)
    try:
        async with clock.timeout_wall(timeout_s or None):
            output = await _collect(streams)
            code = await exit_code(engine, clock, exec_id, bytes(output[1][:1024]))
    except TimeoutError as error:
        await kill_command(engine, exec_id, container_id)
        raise DeadlineExceeded(
            f"command {' '.join(command)!r} timed out: timeout {timeout_s:g}s exceeded"
        ) from error
    except asyncio.CancelledError:
        await asyncio.shield(kill_command(engine, exec_id, container_id))
        raise
    finally:
        streams.close()
    return output[1], output[2], code


async def exit_code(engine: Engine, clock: Clock, exec_id: str, said: bytes = b"") -> int:
    """Return the exit code of a command whose streams have ended; `said` is what the engine put into them.

    Raises:
        InternalError: it was never started.
    """
    pause_s = _LOOK_S
    while True:
        state = await engine.exec_inspect(exec_id)
        if not state.get("Running") and state.get("ExitCode") is not None:
            code = int(state["ExitCode"])
            if code in _NOT_STARTED and not state.get("Pid"):
                raise InternalError(f"failed to start the command: {said.decode(errors='replace').strip()}")
            return code
        # It has closed its streams and goes on running, or the engine lags behind.
        await clock.sleep_wall(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_LOOK_S)


async def kill_command(engine: Engine, exec_id: str, container_id: str) -> None:
    """Kill a command, if it still runs as a process of that container.

    Raises:
        NotFound: the container is gone, and its processes with it.
    """
    pid = int((await engine.exec_inspect(exec_id)).get("Pid") or 0)
    try:
        if pid and container_id in _cgroup(pid):
            os.kill(pid, signal.SIGKILL)
    except OSError:  # it has ended
        return


def _cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


async def _collect(streams: Hijacked) -> dict[int, bytearray]:
    output = {1: bytearray(), 2: bytearray()}
    frames = Frames()
    while data := await streams.read():
        for stream, payload in frames.feed(data):
            buffer = output.get(stream, output[1])
            buffer += payload[: OUTPUT_LIMIT - len(buffer)]
    return output
