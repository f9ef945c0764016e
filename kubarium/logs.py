"""Following a component's log."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from pathlib import Path

from machinery.process.clock import WALL

_REST_S = 0.1  # between two looks at a log at least, so that one that grows fast is read in large pieces
_LOOK_S = 1.0  # between two looks at most: not every file system tells what others write


def follow(path: Path) -> Iterator[str]:
    """Yield the lines of a log and go on with those that are added, as long as somebody asks.

    Raises:
        OSError: the file cannot be read.
    """
    from machinery.process.file_watch import FileWatch  # ctypes, which most commands do without

    try:
        watch: FileWatch | None = FileWatch(path)
    except OSError:  # the user has no watch left
        watch = None
    with path.open(errors="replace") as file, watch or contextlib.nullcontext():
        while True:
            while line := file.readline():
                yield line
            WALL.block(_REST_S)
            if watch is not None:
                select.select([watch], [], [], _LOOK_S)
                watch.take()
