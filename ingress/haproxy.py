"""The proxy's process: begun, checked, reloaded, told of endpoints, ended.

It is HAProxy in its master-worker mode. A reload begins a worker with the new configuration that inherits the listening
sockets; the old one goes on with the connections that it has, says to each after its answer that it is to be closed, and ends
(`hard-stop-after` at the latest). Which configuration is at work is what the worker that listens says itself.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingress.core.rendering import MAIN
from machinery.model.clock import Clock

_LOOK_S: Final = 0.05  # wall seconds between two looks at what is at work
_LOOKS_UNTIL_AGAIN: Final = 40  # a signal that comes while the proxy begins may be lost
_SIGNAL_S: Final = 0.5  # wall seconds until it is told again that it is to end
_ANSWER_S: Final = 5.0  # wall seconds for the answer to a command
_CHECK_S: Final = 30.0
_MOST_COMMANDS: Final = 64  # in one request, which has to fit into a buffer of the proxy
_VERSION: Final = re.compile(r"^description: *configuration-(\S+)", re.MULTILINE)
_REFUSAL: Final = re.compile(r"no such|not found|invalid|unknown|error|require|permission", re.IGNORECASE)


class ProxyError(Exception):
    """The proxy does not do what it is asked for; the text says why."""


class ConfigurationError(ProxyError):
    """The proxy cannot use a configuration; the text is what it says."""


class HAProxy:
    """One proxy. `folder` holds its configuration whenever it begins or is reloaded."""

    def __init__(self, program: str, folder: Path, socket: str, *, clock: Clock, reload_s: float) -> None:
        self._program = program
        self._folder = folder
        self._socket = socket
        self._clock = clock
        self._reload_s = reload_s  # wall seconds
        self._process: asyncio.subprocess.Process | None = None
        self._begun = asyncio.Event()
        self.is_ending = False

    async def check(self, folder: Path) -> None:
        """Check a configuration without using it.

        Raises:
            ConfigurationError: it cannot be used.
            ProxyError: the program cannot be run.
        """
        process = await self._spawn("-c", "-f", str(folder / MAIN), stderr=asyncio.subprocess.PIPE)
        try:
            async with self._clock.timeout_wall(_CHECK_S):
                _, said = await process.communicate()
        except TimeoutError:
            raise ProxyError(f"{self._program} -c has not ended within {_CHECK_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise ConfigurationError(_alerts(said.decode(errors="replace")))

    async def use(self, version: str) -> None:
        """Begin, or begin anew, with the configuration in the folder, and wait until it is at work.

        Raises:
            ProxyError: it is not; the one before is, if there was one.
        """
        if self._process is None:
            self._process = await self._spawn("-W", "-f", str(self._folder / MAIN))
            self._begun.set()
        else:
            self._process.send_signal(signal.SIGUSR2)
        try:
            async with self._clock.timeout_wall(self._reload_s):
                await self._await(self._process, version)
        except TimeoutError:
            text = f"{self._program} does not work with the new configuration after {self._reload_s:g} s"
            raise ProxyError(text) from None

    async def _await(self, process: asyncio.subprocess.Process, version: str) -> None:
        looks = 0
        while await self._version() != version:
            if process.returncode is not None:
                raise ProxyError(f"{self._program} has ended with {process.returncode}")
            await self._clock.sleep_wall(_LOOK_S)
            looks += 1
            if looks % _LOOKS_UNTIL_AGAIN == 0:
                process.send_signal(signal.SIGUSR2)

    async def tell(self, commands: Sequence[str]) -> None:
        """Send commands to the worker that listens, in order.

        Raises:
            ProxyError: it refused one, or does not answer. Some may have been followed.
        """
        for start in range(0, len(commands), _MOST_COMMANDS):
            said = await self._ask("; ".join(commands[start : start + _MOST_COMMANDS]))
            if refusal := next(filter(_REFUSAL.search, said.splitlines()), None):
                raise ProxyError(f"{self._program} refused a change of endpoints: {refusal.strip()}")

    async def ended(self) -> int:
        """Wait until the process has begun and has ended; return its exit code."""
        while self._process is None:
            await self._begun.wait()
        return await self._process.wait()

    async def end(self, patience_s: float) -> None:
        """End: take nothing new, finish what there is for so many wall seconds."""
        self.is_ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            async with self._clock.timeout_wall(patience_s):
                while not await self._has_ended(process, signal.SIGUSR1):
                    pass
        except TimeoutError:
            process.kill()  # with its workers
            await process.wait()

    async def _has_ended(self, process: asyncio.subprocess.Process, number: signal.Signals) -> bool:
        process.send_signal(number)
        try:
            async with self._clock.timeout_wall(_SIGNAL_S):
                await process.wait()
        except TimeoutError:
            return False
        return True

    async def _version(self) -> str:
        try:
            found = _VERSION.search(await self._ask("show info"))
        except ProxyError:  # it has not begun yet
            return ""
        return found[1] if found else ""

    async def _ask(self, line: str) -> str:
        try:
            async with self._clock.timeout_wall(_ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(line.encode() + b"\n")
                    return (await reader.read(-1)).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise ProxyError(f"{self._program} does not answer at {self._socket}: {error}") from error

    async def _spawn(self, *flags: str, stderr: int | None = None) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                self._program, *flags, stdin=asyncio.subprocess.DEVNULL, stderr=stderr
            )
        except OSError as error:
            raise ProxyError(f"{self._program} cannot be started: {error}") from error


def _alerts(said: str) -> str:
    """Return what was said of errors: the rest is about versions and warnings."""
    alerts = [line for line in said.splitlines() if "[ALERT]" in line]
    return "\n".join(alerts or said.splitlines())
