"""exec and attach for one client, whichever transport it speaks (`websocket_client`, `spdy_client`).

A session carries what the client sends into the process and what the process writes to the client, and says in the end
how it went. A client that leaves leaves an attached container alone, and ends its command (`exec_process`).
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dockershim.core.log_lines import Frames
from dockershim.core.stream_protocols import STDERR, STDOUT, Size, exit_status
from dockershim.docker import Engine
from dockershim.engine_connection import Hijacked
from dockershim.exec_process import Command, Commands
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import EventLog

_LOOK_S: Final = 1.0  # wall seconds between two looks whether a client is still there
_SAID_BYTES: Final = 1024  # of a command's output, in which the engine says why it could not be started


class Process(Protocol):
    """What a client's input goes into."""

    async def write(self, data: bytes) -> None:
        """Write to its stdin; waits while it does not read."""
        ...

    def end_input(self) -> None:
        """End its stdin; its output goes on."""
        ...

    async def resize(self, size: Size) -> None:
        """Set the size of its terminal."""
        ...


class Client(Protocol):
    """Who has opened the URL of an exec or attach."""

    @property
    def socket(self) -> Any:
        """The socket of its connection, to look at."""
        ...

    async def feed(self, process: Process) -> None:
        """Carry what the client sends into a process until it leaves."""
        ...

    async def write(self, stream: int, data: bytes) -> None:
        """Send what a process has written to a stream (STDOUT or STDERR).

        Raises:
            ConnectionError: the client has left.
        """
        ...

    async def finish(self, status: Mapping[str, Any]) -> None:
        """Say by a Status how it ended.

        Raises:
            ConnectionError: the client has left.
        """
        ...


@dataclass(frozen=True, slots=True)
class CommandSessions:
    """What sessions work with."""

    engine: Engine
    commands: Commands
    clock: Clock
    log: EventLog

    async def exec(self, client: Client, container_id: str, body: dict[str, Any]) -> None:
        """Run a command, as the engine's request describes it, for a client.

        Raises:
            ApiError: the command could not be run.
        """
        tty = bool(body["Tty"])
        async with self.commands.started(container_id, body) as command:
            running = self._run(client, command, tty=tty)
            process = _EngineProcess(self, command.streams, f"exec/{command.id}")
            if not await self._while_there(client, process, running):
                await self.commands.leave(command, tty=tty)

    async def attach(self, client: Client, container_id: str, *, stdin: bool, tty: bool) -> None:
        """Show the streams of a container's own process to a client.

        Raises:
            ApiError: the container cannot be attached to.
        """
        streams = await self.engine.attach(container_id, stdin=stdin)
        try:
            process = _EngineProcess(self, streams, f"containers/{container_id}")
            await self._while_there(client, process, _show(client, streams, tty=tty))
        finally:
            streams.close()

    async def _run(self, client: Client, command: Command, *, tty: bool) -> None:
        """Carry a command's output, and then say how it ended."""
        said = await _deliver(client, command.streams, tty=tty)
        await client.finish(exit_status(await self.commands.exit_code(command, said)))

    async def _while_there(self, client: Client, process: Process, work: Coroutine[Any, Any, None]) -> bool:
        """Do some work for a client and carry its input meanwhile; return whether it stayed to the end."""
        working = asyncio.ensure_future(work)
        leaving = [
            asyncio.ensure_future(client.feed(process)),
            asyncio.ensure_future(self._hung_up(client)),  # input that nobody reads hides the end behind it
        ]
        try:
            await asyncio.wait({working, *leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            await working
        except ConnectionError:  # it left while something was sent to it
            return False
        finally:
            for task in (working, *leaving):
                task.cancel()
            await asyncio.gather(working, *leaving, return_exceptions=True)
        return True

    async def _hung_up(self, client: Client) -> None:
        """Return when the client has closed its end of the connection, whatever of it is unread."""
        look = select.poll()
        look.register(client.socket, select.POLLRDHUP)
        while not look.poll(0):
            await self.clock.sleep_wall(_LOOK_S)


@dataclass(frozen=True, slots=True)
class _EngineProcess:
    """The process behind a connection that the engine has handed over."""

    sessions: CommandSessions
    streams: Hijacked
    path: str  # of what can be resized: exec/<id> or containers/<id>

    async def write(self, data: bytes) -> None:
        await self.streams.write(data)

    def end_input(self) -> None:
        self.streams.end_input()

    async def resize(self, size: Size) -> None:
        try:
            await self.sessions.engine.resize(self.path, size.width, size.height)
        except ApiError as error:
            self.sessions.log.debug("resize_failed", path=self.path, error=error)


async def say_error(client: Client, error: ApiError) -> None:
    """Send a client, if it is there, the reason why there is no process."""
    with suppress(ConnectionError):
        await client.finish(error.to_status())


async def _show(client: Client, streams: Hijacked, *, tty: bool) -> None:
    """Carry the output of a container's own process to its end."""
    await _deliver(client, streams, tty=tty)
    await client.finish(exit_status(0))


async def _deliver(client: Client, streams: Hijacked, *, tty: bool) -> bytes:
    frames, beginning = Frames(), b""
    while data := await streams.read():
        for stream, payload in [(STDOUT, data)] if tty else frames.feed(data):
            await client.write(stream if stream == STDERR else STDOUT, payload)
            if len(beginning) < _SAID_BYTES:
                beginning += payload[:_SAID_BYTES]
    return beginning
