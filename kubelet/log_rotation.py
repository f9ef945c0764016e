"""Rotates the log files of running containers, and removes them with their container.

The runtime writes a container's file; the kubelet renames a full one and lets the runtime open a new one. The kubelet can be
killed at any instruction: a log without a file of its own name is opened anew by the next one, and what was being
compressed is compressed again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Final, Protocol

from kubelet.containment import contained
from kubelet.core.log_files import COMPRESSED, DRAFT, LogLimits, plan_tidying, rotated_name
from kubelet.core.log_lines import LoggedContainer
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import SILENT, EventLog

_PERIOD_S: Final = 10.0  # cluster seconds


class LogRuntime(Protocol):
    """What this needs of the CRI client."""

    async def reopen_container_log(self, container_id: str) -> None:
        """Make the runtime open a container's log file anew."""
        ...


@dataclass(frozen=True, slots=True)
class LogRotation:
    """Keeps the logs of a node's containers within their limits."""

    runtime: LogRuntime
    clock: Clock
    log: EventLog = SILENT
    _: KW_ONLY
    running: Callable[[], Iterable[LoggedContainer]]
    limits: LogLimits

    async def run(self) -> None:
        """Look at the running containers' logs now and then, until cancelled."""
        while True:
            await self.clock.sleep(self.clock.timescale.cluster(_PERIOD_S))  # bytes come in wall time
            await self.rotate_all()

    async def rotate_all(self) -> None:
        """Rotate every log that is full."""
        if self.limits.max_bytes < 0:
            return
        for container in [each for each in self.running() if each.log_path]:
            with contained(self.log, "log_not_rotated", container=container.id):
                try:
                    await self._look_at(container.id, Path(container.log_path))
                except (ApiError, OSError) as error:  # foreseen: no trace of it is needed
                    self.log.warning("log_not_rotated", container=container.id, error=error)

    async def _look_at(self, container_id: str, path: Path) -> None:
        size = _size_bytes(path)
        if size is None:  # somebody was killed between renaming and reopening, or has removed it
            await self.runtime.reopen_container_log(container_id)
        elif size >= self.limits.max_bytes:
            await self._tidy(path)
            await self._rotate(container_id, path)

    async def _tidy(self, path: Path) -> None:
        plan = plan_tidying((each.name for each in rotated_files(path)), self.limits)
        for name in plan.remove:
            path.with_name(name).unlink(missing_ok=True)
        for name in plan.compress:
            await asyncio.to_thread(_compress, path.with_name(name))

    async def _rotate(self, container_id: str, path: Path) -> None:
        renamed = _rename(path, self.clock.timescale.format(self.clock.now()))
        if renamed is None:
            return
        try:
            await self.runtime.reopen_container_log(container_id)
        except ApiError:
            _rename_back(renamed, path)
            raise


def rotated_files(path: Path) -> list[Path]:
    """List the files that a log was rotated to, in no order."""
    return [each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.")]


def remove_log(path: Path) -> None:
    """Remove a container's log with all that it was rotated to. Idempotent.

    Raises:
        OSError: the disk is broken.
    """
    with suppress(FileNotFoundError):  # its pod's folder went before it
        for each in (path, *rotated_files(path)):
            each.unlink(missing_ok=True)


def _size_bytes(path: Path) -> int | None:
    """Return a file's size; None where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _rename(path: Path, moment: str) -> Path | None:
    """Rename a full log; None where it was renamed in the same second already: the next look comes."""
    renamed = path.with_name(rotated_name(path.name, moment))
    if renamed.exists() or renamed.with_name(renamed.name + COMPRESSED).exists():
        return None
    return path.rename(renamed)


def _rename_back(renamed: Path, path: Path) -> None:
    """Rename a log back, since the runtime still writes to it; one that it has opened meanwhile stays."""
    with suppress(FileExistsError):
        os.link(renamed, path)
        renamed.unlink()


def _compress(path: Path) -> None:
    import gzip  # most kubelets never rotate a log

    draft = path.with_name(path.name + DRAFT)
    with path.open("rb") as plain, gzip.open(draft, "wb") as packed:
        shutil.copyfileobj(plain, packed, 64 * 1024)
    draft.chmod(path.stat().st_mode & 0o777)
    draft.rename(path.with_name(path.name + COMPRESSED))
    path.unlink()
