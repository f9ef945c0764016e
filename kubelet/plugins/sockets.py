"""The sockets in a folder, and news of them."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from kubelet.core.plugins import Identity
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.file_watch import FileWatch

_LOOK_S: Final = 60.0  # cluster seconds between two looks at most
_LOOK_UNWATCHED_S: Final = 10.0  # wall seconds of the same, where the kernel has no watch left


class Sockets:
    """The sockets in a folder and in those below it. What has a name with a leading dot is not looked at.

    A user has 128 watches by default: where there is none left, or `is_watched` asks for none, whoever waits looks without
    news now and then.
    """

    def __init__(self, folder: Path, clock: Clock, log: EventLog, *, is_watched: bool) -> None:
        """Begin to watch.

        Raises:
            OSError: the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._came = asyncio.Event()
        self._watch: FileWatch | None = None
        self._look_s = _LOOK_S
        if is_watched:
            try:
                self._watch = FileWatch(folder, removals=True)
            except OSError as error:
                self._look_s = clock.timescale.cluster(_LOOK_UNWATCHED_S)
                log.warning("plugins_not_watched", folder=folder, error=error, action="looks now and then")

    def look(self) -> dict[str, Identity]:
        """Return the sockets that are there now, by their paths."""
        return dict(self._below(str(self._folder)))

    async def wait(self) -> None:
        """Return when there may be something new. Whoever looks after this misses nothing."""
        with suppress(TimeoutError):
            async with self._clock.timeout(self._look_s):
                await self._came.wait()
        self._came.clear()
        if self._watch is not None:
            self._watch.take()

    def _below(self, folder: str) -> Iterator[tuple[str, Identity]]:
        with suppress(FileNotFoundError, NotADirectoryError):
            if self._watch is not None:  # before it is read, so that nothing is missed
                self._watch.add(Path(folder))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._below(entry.path)
                    elif (identity := _identity(entry)) is not None:
                        yield entry.path, identity

    def __enter__(self) -> Self:
        if self._watch is not None:
            asyncio.get_running_loop().add_reader(self._watch.fileno(), self._came.set)
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()


def _identity(entry: os.DirEntry[str]) -> Identity | None:
    """Return which socket an entry of a folder is; None where it is none (any more)."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return None
    return (
        Identity(status.st_dev, status.st_ino, status.st_ctime_ns) if stat.S_ISSOCK(status.st_mode) else None
    )
