"""Running nft, ip and conntrack: with a deadline, and killed with whoever waits for them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model.clock import Clock

SYSTEM_PATH: Final = "/usr/sbin:/sbin"  # where these programs are on systems whose PATH is for users


class CommandError(Exception):
    """A command could not be run, or said that it failed; what it said is the message."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left behind."""

    code: int
    text: str
    errors: str


class Commands:
    """Runs commands. None may take longer than `timeout_s` wall seconds."""

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s

    async def run(self, argv: Sequence[str], text: str = "") -> Output:
        """Run a command with a text on its standard input; the exit code is the caller's to judge.

        Raises:
            CommandError: it is not installed, or takes too long.
        """
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        program = _find(argv[0])
        stdin = pipe if text else nothing  # a pipe that nobody reads breaks under the writer's hand
        try:
            process = await asyncio.create_subprocess_exec(
                program, *argv[1:], stdin=stdin, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise CommandError(f"{program} cannot be started: {error}") from error
        try:
            async with self._clock.timeout_wall(self._timeout_s):
                out, err = await process.communicate(text.encode() if text else None)
        except TimeoutError:
            raise CommandError(f"{' '.join(argv)} has not ended within {self._timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Output(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))

    async def succeed(self, argv: Sequence[str], text: str = "") -> str:
        """Run a command that has to end with 0, and return what it printed.

        Raises:
            CommandError: it did not.
        """
        output = await self.run(argv, text)
        if output.code:
            raise CommandError(f"{' '.join(argv)} ended with {output.code}: {output.errors.strip()}")
        return output.text


def _find(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path=SYSTEM_PATH)
    if not found:
        raise CommandError(f"there is no {program} on this node: install it")
    return found
