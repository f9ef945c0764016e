"""A dockershim in the test's process that dies of a chosen call: of the engine, or of a CNI plugin.

Each has the plugins CHECK the networks that it finds, as one that is started anew does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from dockershim.app import assemble, sweep
from dockershim.config import DockershimConfig
from dockershim.docker import Engine
from dockershim.engine_connection import Connection, EngineCall, Hijacked
from dockershim.network_checks import NetworkChecks
from dockershim.rpc import RUNTIME
from dockershim.seam_plugins import RunPlugin
from dockershim.shim import Shim
from machinery.process.logging import Log
from machinery.process.run import Process

T = TypeVar("T")


class Mortality:
    """Counts calls; after the one with the number `fatal` has been carried out, nothing is heard or done any more."""

    def __init__(self, fatal: int | None) -> None:
        self.made: list[str] = []
        self.dead = asyncio.Event()
        self._fatal = fatal

    async def survive(self, name: str, work: Awaitable[T]) -> T:
        """Carry a call out; whoever made it may be dead when it is answered."""
        await self.breathe(work)
        answer = await work
        await self.breathe()
        self.made.append(name)
        if self._fatal is not None and len(self.made) > self._fatal:
            self.dead.set()
            await self.breathe()
        return answer

    async def breathe(self, undone: Awaitable[Any] | None = None) -> None:
        """Go no further when dead."""
        if self.dead.is_set():
            if asyncio.iscoroutine(undone):
                undone.close()
            await asyncio.get_running_loop().create_future()


class MortalConnection:
    """A connection to the engine whose calls are counted."""

    def __init__(self, connection: Connection, mortality: Mortality) -> None:
        self._connection = connection
        self._mortality = mortality

    async def call(self, call: EngineCall, timeout_s: float | None) -> bytes:
        """Make a call."""
        return await self._mortality.survive(call.operation, self._connection.call(call, timeout_s))

    def stream(
        self, call: EngineCall, timeout_s: float | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a stream, which dies with its reader."""
        return self._connection.stream(call, timeout_s)

    async def hijack(self, call: EngineCall) -> Hijacked:
        """Adopt a connection."""
        return await self._mortality.survive(call.operation, self._connection.hijack(call))

    async def aclose(self) -> None:
        """Close nothing: the connection outlives its users."""


class MortalDockershim:
    """Dockershims, one after the other, over one engine, one set of plugins and one state folder."""

    def __init__(self, folder: Path, cluster: str, connection: Connection, plugins: RunPlugin) -> None:
        self.folder = folder
        self.mortality = Mortality(None)
        self.deaths = 0
        self._config = DockershimConfig(
            socket=f"{folder}/cri.sock",
            cluster=cluster,
            node="node-1",
            state_dir=str(folder / "state"),
            cni_bin_dirs=(str(folder / "bin"),),
        )
        self._connection = connection
        self._plugins = plugins
        self._life: asyncio.Task[None] | None = None
        self._shim: Shim | None = None
        _install_plugins(folder / "bin")

    async def start(self, fatal: int | None = None) -> None:
        """Start one that dies of the call with this number."""
        mortality = self.mortality = Mortality(fatal)
        born: asyncio.Future[Shim] = asyncio.get_running_loop().create_future()

        async def run_plugin(program: str, stdin: bytes, environment: dict[str, str]) -> tuple[int, bytes]:
            name = f"{environment['CNI_COMMAND']} {Path(program).name}"
            return await mortality.survive(name, self._plugins(program, stdin, environment))

        async def live() -> None:
            async with asyncio.TaskGroup() as tasks:
                process = Process("dockershim", self._config, Log("dockershim", "error"), tasks)
                engine = Engine(MortalConnection(self._connection, mortality))
                shim = assemble(self._config, process, engine, run_plugin)
                tasks.create_task(shim.events.run())
                tasks.create_task(shim.events.announce())
                await sweep(shim)
                born.set_result(shim)
                await NetworkChecks(shim.network, shim.catalogue, shim.locks, shim.clock, shim.log, 0).run()

        self._life = asyncio.create_task(live())
        died = asyncio.create_task(mortality.dead.wait())
        await asyncio.wait([self._life, born, died], return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if not born.done():
            born.cancel()
            await self._rise_again()
            return
        self._shim = born.result()

    async def kill(self) -> None:
        """End the one that runs as SIGKILL would: what is under way is broken off, nothing is tidied up."""
        self.mortality.dead.set()
        assert self._life is not None
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)

    async def ask(self, rpc: str, request: Any) -> Any:
        """Make a call of the CRI, and again while the server dies of it, as a kubelet does."""
        while True:
            assert self._shim is not None
            answer = asyncio.ensure_future(RUNTIME[rpc](self._shim, request))
            died = asyncio.create_task(self.mortality.dead.wait())
            await asyncio.wait([answer, died], return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            if not self.mortality.dead.is_set():
                return answer.result()
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            await self._rise_again()

    async def revive(self) -> None:
        """Start another where one has died of what nobody asked it for."""
        if self.mortality.dead.is_set():
            await self._rise_again()

    async def _rise_again(self) -> None:
        if self._life is not None and self._life.done():
            self._life.result()
        self.deaths += 1
        await self.kill()
        await self.start()


def _install_plugins(folder: Path) -> None:
    """Put programs of the plugins' names where they are looked for; they are never run."""
    folder.mkdir(exist_ok=True)
    for name in ("bridge", "host-local", "portmap", "loopback"):
        program = folder / name
        program.touch()
        program.chmod(0o755)


@asynccontextmanager
async def mortal_dockershim(
    folder: Path, cluster: str, connection: Connection, plugins: RunPlugin
) -> AsyncIterator[MortalDockershim]:
    """Have dockershims that die; in the end none runs."""
    shim = MortalDockershim(folder, cluster, connection, plugins)
    try:
        yield shim
    finally:
        await shim.kill()
