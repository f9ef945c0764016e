"""Events into a file, a line of JSON each; a file that has become large is left, and old ones are deleted.

Lines are written in order by a thread beside the loop, many at a time. Where the disk does not keep up, requests wait for it:
nothing is left out. What the disk refuses is counted and told.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from apiserver.core.audit.files import expired, left_name
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics

_MOST_WAITING: Final = 16 * 1024 * 1024  # bytes of lines that are not written yet
_STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is left, and how long old ones are kept; 0: never, or for ever."""

    largest_bytes: int = 100 * 1024 * 1024
    most: int = 0  # old files
    age_days: int = 0
    compresses: bool = False


class AuditLogFile:
    """One log (`apiserver.audit.trail.Sink`)."""

    def __init__(self, path: str, rotation: Rotation, clock: Clock, metrics: Metrics, log: EventLog) -> None:
        self._file = _RotatedFile(path, rotation)
        self._clock = clock
        self._log = log
        self._lines: list[bytes] = []
        self._size = 0
        self._has_lines = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._errors = metrics.counter(
            "apiserver_audit_error_total", "Events that could not be written", ("plugin",)
        )

    def put(self, event: bytes) -> None:
        """Accept an event."""
        self._lines.append(event)
        self._size += len(event) + 1
        self._has_lines.set()
        if self._size > _MOST_WAITING:
            self._has_room.clear()

    async def room(self) -> None:
        """Return when the disk has kept up."""
        if not self._has_room.is_set():
            await self._has_room.wait()

    async def run(self) -> None:
        """Write lines as they come, until cancelled."""
        while True:
            await self._has_lines.wait()
            await self._flush()

    async def aclose(self) -> None:
        """Write what is left."""
        await self._flush()
        self._file.close()

    async def _flush(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        self._has_lines.clear()
        if not lines:
            return
        now_s = self._clock.wall_ns() / 1e9
        writing = asyncio.get_running_loop().run_in_executor(None, self._file.write, lines, now_s)
        try:
            await asyncio.shield(writing)
        except OSError as error:
            self._errors.add(len(lines), "log")
            self._log.error("audit_log_failed", file=self._file.path, lost=len(lines), error=str(error))
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # the order of lines is that of the events
            raise
        finally:
            self._has_room.set()


class _RotatedFile:
    """The file, in the thread that writes it."""

    def __init__(self, path: str, rotation: Rotation) -> None:
        self.path = path
        self._rotation = rotation
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, lines: list[bytes], now_s: float) -> None:
        """Append lines; where one does not fit into the file any more, it is left first."""
        if self.path == _STDOUT:
            sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
            sys.stdout.buffer.flush()
            return
        pending: list[bytes] = []
        size = self._opened()
        for line in lines:
            largest = self._rotation.largest_bytes
            if largest and size and size + len(line) + 1 > largest:
                self._append(pending)
                pending = []
                self._leave(now_s)
                size = self._opened()
            pending.append(line + b"\n")
            size += len(line) + 1
        self._append(pending)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            folder = Path(self.path).parent
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
            self._size = os.fstat(descriptor).st_size
        return self._size

    def _append(self, lines: list[bytes]) -> None:
        if lines and self._file is not None:
            data = memoryview(b"".join(lines))
            while data:
                written = self._file.write(data)
                self._size += written or 0
                data = data[written or 0 :]

    def _leave(self, now_s: float) -> None:
        self.close()
        path = Path(self.path)
        left = path.with_name(left_name(path.name, now_s))
        path.rename(left)
        if self._rotation.compresses:
            _compress(left)
        names = [each.name for each in path.parent.iterdir()]
        for name in expired(
            names, path.name, now_s, most=self._rotation.most, age_days=self._rotation.age_days
        ):
            (path.parent / name).unlink(missing_ok=True)


def _compress(path: Path) -> None:
    target = path.with_name(f"{path.name}.gz")
    with path.open("rb") as source, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(source, packed)
    target.chmod(0o600)
    path.unlink()
