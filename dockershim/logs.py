"""Container output, from the engine into the CRI log files that the kubelet reads.

One task for each container that has a log. It can be killed at any instruction: where to go on is read from the file
itself (or from the one that it was rotated to), a torn last line is dropped. A container counts as drained when all
that it wrote is in its file; only then it is reported as exited, so that its log is whole by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dockershim.catalogue import Catalogue
from dockershim.core.log_lines import FramedMessages, Position, RawMessages, format_message, read_position
from dockershim.core.states import Details, log_path
from dockershim.core.times import format_since
from dockershim.docker import Engine
from dockershim.notes import Notes
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, NotFound
from machinery.model.log import EventLog

RETRY_S: Final = 0.5  # wall seconds until a broken stream is opened again
DRAIN_S: Final = 5.0  # wall seconds that a report of an exit waits for the log at most
_BLOCK: Final = 64 * 1024


class Logs:
    """The log files of all containers."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        tasks: asyncio.TaskGroup,
        notes: Notes,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._tasks = tasks
        self._notes = notes  # per container, whether its log is complete
        self._clock = clock
        self._log = log
        self._copies: dict[str, asyncio.Task[None]] = {}
        self._files: dict[str, LogFile] = {}
        self._hopeless: set[str] = set()  # logs that were waited for in vain

    def follow(self, container_id: str) -> None:
        """Copy a container's output until it has ended and all is copied. Idempotent."""
        if container_id not in self._copies and not self._notes.get(container_id).get("drained"):
            task = self._tasks.create_task(self._copy(container_id), name=f"log-{container_id[:12]}")
            self._copies[container_id] = task
            task.add_done_callback(lambda _: self._copies.pop(container_id, None))

    async def drained(self, container_id: str) -> None:
        """Wait until the log of a container that has ended is complete, but not longer than `DRAIN_S`."""
        self.follow(container_id)
        task = self._copies.get(container_id)
        if task and container_id not in self._hopeless:
            try:
                async with self._clock.timeout_wall(DRAIN_S):
                    await asyncio.wait([task])
            except TimeoutError:
                self._hopeless.add(container_id)

    def reopen(self, container_id: str) -> None:
        """Go on in a new file under the old name: the kubelet has renamed the old one.

        Raises:
            Conflict: nothing is written, since the container does not run or has no log.
        """
        if container_id not in self._files:
            raise Conflict(f"container {container_id} does not run or has no log: there is nothing to reopen")
        self._files[container_id].reopen()

    async def forget(self, container_id: str) -> None:
        """Stop copying for a container that is removed."""
        if task := self._copies.get(container_id):
            task.cancel()
            await asyncio.wait([task])
        self._hopeless.discard(container_id)
        self._notes.remove(container_id)

    async def path_of(self, details: Details) -> str:
        """Return the path of a container's log; "" if it has none.

        Raises:
            NotFound: its sandbox is gone.
        """
        config = details.container_config()
        if not config.log_path:
            return ""
        sandbox = await self._catalogue.sandbox(details.sandbox_id)
        return log_path(sandbox.sandbox_config().log_directory, config.log_path)

    async def _copy(self, container_id: str) -> None:
        while True:
            try:
                if await self._copy_once(container_id):
                    self._notes.put(container_id, {**self._notes.get(container_id), "drained": True})
                    return
            except NotFound:
                return
            except (ApiError, OSError) as error:
                self._log.warning("log_copy_failed", container=container_id, error=error, retry_s=RETRY_S)
            await self._clock.sleep_wall(RETRY_S)

    async def _copy_once(self, container_id: str) -> bool:
        """Copy until the engine's stream ends; return whether the log is complete."""
        details = await self._catalogue.fresh(container_id)
        path = await self.path_of(details)
        if not path or details.start_error:
            return True
        file = self._files[container_id] = LogFile(path)
        try:
            if details.is_running:
                await self._stream(details, file, follow=True)
                await self._settle(container_id)
                details = await self._catalogue.fresh(container_id)
            if details.is_running or details.status == "created":
                return False
            await self._stream(details, file, follow=False)  # a following stream may end a line too early
            return True
        finally:
            self._files.pop(container_id, None)
            file.close()

    async def _settle(self, container_id: str) -> None:
        """Wait a moment for the engine to say that a container has ended: it closes the log a little earlier."""
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout_wall(RETRY_S):
                await self._engine.wait(container_id)

    async def _stream(self, details: Details, file: LogFile, *, follow: bool) -> None:
        position = file.position()
        messages = RawMessages() if details.has_tty else FramedMessages()
        since = format_since(position.since_ns) if position.since_ns else ""
        async with self._engine.logs(details.id, since, follow=follow) as pieces:
            async for piece in pieces:
                file.append(
                    b"".join(format_message(item) for item in messages.feed(piece) if position.is_new(item))
                )


class LogFile:
    """One file that only grows, with whole lines."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(self._path)
        self._descriptor = self._open()

    def append(self, lines: bytes) -> None:
        """Write some lines.

        Raises:
            OSError: the disk is full or broken.
        """
        while lines:
            lines = lines[os.write(self._descriptor, lines) :]

    def position(self) -> Position:
        """Read where the log ends, if need be in the file that it was rotated to."""
        return read_position(_lines_backwards([self._path, *_rotated(self._path)[:1]]))

    def reopen(self) -> None:
        """Close the file and open the one that bears its name now."""
        old, self._descriptor = self._descriptor, self._open()
        os.close(old)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def _rotated(path: Path) -> list[Path]:
    """List the files that a log was rotated to, the newest first; compressed ones are older than one that is not."""
    names = (found for found in path.parent.glob(f"{path.name}.*") if found.suffix not in {".gz", ".tmp"})
    return sorted(names, reverse=True)


def _lines_backwards(paths: list[Path]) -> Iterator[bytes]:
    """Return the lines of some files from the last one on, reading block by block."""
    for path in paths:
        try:
            with path.open("rb") as file:
                end, rest = file.seek(0, os.SEEK_END), b""
                while end:
                    begin = max(0, end - _BLOCK)
                    file.seek(begin)
                    first, *lines = (file.read(end - begin) + rest).split(b"\n")
                    yield from reversed(lines)
                    rest, end = first, begin
                yield rest
        except FileNotFoundError:
            continue


def _drop_torn_line(path: Path) -> None:
    """Cut off what a writer that was killed left without a line break."""
    try:
        with path.open("r+b") as file:
            end = size = file.seek(0, os.SEEK_END)
            while end:
                begin = max(0, end - _BLOCK)
                file.seek(begin)
                at = file.read(end - begin).rfind(b"\n")
                if at >= 0:
                    end = begin + at + 1
                    break
                end = begin
            if end != size:
                file.truncate(end)
    except FileNotFoundError:
        return
