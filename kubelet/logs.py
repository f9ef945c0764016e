"""Reads, follows and rotates the log files of containers.

The runtime writes a container's file; the kubelet renames a full one and lets the runtime open a new one
(`LogRotation`). A reader that follows reads the renamed file to its end, then goes on with the new one.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from kubelet.containment import log_fault
from kubelet.core.log_lines import LoggedContainer, LogSelector, LogWishes
from kubelet.log_news import LogNews
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import SILENT, EventLog
from machinery.process.clock import WALL

CHUNK_BYTES: Final = 32 * 1024
MAX_BYTES: Final = 10 * 2**20
MAX_FILES: Final = 5
_ROTATION_PERIOD_S: Final = 10.0
_BLOCK: Final = 64 * 1024
_NO_SIGNS: Final = str.maketrans("", "", "-:TZ.")


class LogRuntime(Protocol):
    """What this needs of the CRI client."""

    async def reopen_container_log(self, container_id: str) -> None:
        """Make the runtime open a container's log file anew."""
        ...


@dataclass(frozen=True, slots=True)
class LogRange:
    """Which part of a log is read."""

    tail_lines: int | None = None
    limit_bytes: int | None = None
    follow: bool = False


async def read_log(
    path: Path, wishes: LogWishes, part: LogRange, is_running: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield what a reader is shown, in chunks. Following ends when the container has ended and all is read."""
    left = part.limit_bytes
    async for chunk in _chunks(path, LogSelector(wishes), part, is_running):
        if left is None:
            yield chunk
            continue
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


async def _chunks(
    path: Path, selector: LogSelector, part: LogRange, is_running: Callable[[], bool]
) -> AsyncIterator[bytes]:
    with LogNews(path.parent) if part.follow else nullcontext() as news:
        file = await _open(path, news, is_running)
        if file is None:
            return
        try:
            if part.tail_lines is not None:
                file.seek(tail_offset(file, part.tail_lines))
            while True:
                was_running = is_running()  # asked first: what was written before the end is read then
                for chunk in _shown(file, selector):
                    yield chunk
                    await WALL.sleep_wall(0)
                if news is None:
                    return
                if (newer := _newer(path, file)) is not None:
                    for chunk in _shown(file, selector):
                        yield chunk
                    file.close()
                    file = newer
                elif was_running:
                    await news.wait()
                else:
                    return
        finally:
            file.close()


async def _open(path: Path, news: LogNews | None, is_running: Callable[[], bool]) -> BinaryIO | None:
    """Open the file; a follower waits for it as long as the container runs."""
    while True:
        was_running = is_running()  # asked first, as before reading
        try:
            return path.open("rb")
        except FileNotFoundError:
            if news is None or not was_running:
                return None
        await news.wait()


def _shown(file: BinaryIO, selector: LogSelector) -> Iterable[bytes]:
    """Return the whole lines that there are now; a line that is still being written stays for later."""
    shown = bytearray()
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            break
        shown += selector.show(line)
        if len(shown) >= CHUNK_BYTES:
            yield bytes(shown)
            shown.clear()
    if shown:
        yield bytes(shown)


def _newer(path: Path, file: BinaryIO) -> BinaryIO | None:
    """Open the file again where another one has its name now."""
    try:
        if os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return None
        return path.open("rb")
    except FileNotFoundError:  # between the rename and the reopening
        return None


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Return where the last so many lines begin, reading the file backwards."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    missing, position = lines + 1, end
    while position > 0:
        begin = max(0, position - _BLOCK)
        file.seek(begin)
        block = file.read(position - begin)
        if position == end and not block.endswith(b"\n"):
            missing -= 1  # the last line is not whole yet
        cut = len(block)
        while missing and (cut := block.rfind(b"\n", 0, cut)) >= 0:
            missing -= 1
        if not missing:
            return begin + cut + 1
        position = begin
    return 0


@dataclass(frozen=True, slots=True)
class LogRotation:
    """Keeps log files small: at most 10 MiB, and five of them for a container."""

    runtime: LogRuntime
    clock: Clock
    log: EventLog = SILENT
    _: KW_ONLY
    running: Callable[[], Iterable[LoggedContainer]]
    max_bytes: int = MAX_BYTES
    max_files: int = MAX_FILES

    async def run(self) -> None:
        """Look at the running containers' logs now and then, until cancelled."""
        while True:
            await self.clock.sleep(
                self.clock.timescale.cluster(_ROTATION_PERIOD_S)
            )  # bytes come in wall time
            await self.rotate_all()

    async def rotate_all(self) -> None:
        """Rotate every log that is full."""
        for container in list(self.running()):
            try:
                await self._rotate(container)
            except (ApiError, OSError) as error:
                self.log.warning("log_not_rotated", container=container.id, error=error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this container's
                log_fault(self.log, "log_not_rotated", error, container=container.id)

    async def _rotate(self, container: LoggedContainer) -> None:
        path = Path(container.log_path)
        renamed = self._rename_if_full(path)
        if renamed is None:
            return
        try:
            await self.runtime.reopen_container_log(container.id)
        except ApiError:
            renamed.rename(path)  # the runtime still writes to it: readers have to find it
            raise

    def _rename_if_full(self, path: Path) -> Path | None:
        """Rename a full file, after taking the oldest of its predecessors away; None for one that is not full."""
        if not path.exists() or path.stat().st_size < self.max_bytes:
            return None
        old = sorted(path.parent.glob(f"{path.name}.*"))
        for surplus in old[: max(0, len(old) - (self.max_files - 2))]:
            surplus.unlink(missing_ok=True)
        stamp = self.clock.timescale.format_micro(self.clock.now()).translate(_NO_SIGNS)
        return path.rename(path.with_name(f"{path.name}.{stamp}"))
