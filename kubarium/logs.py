"""Reading and following the logs of components."""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from machinery.process.clock import WALL

if TYPE_CHECKING:
    from machinery.process.file_watch import FileWatch

_REST_S = 0.1  # between two looks at a log at least, so that one that grows fast is read in large pieces
_LOOK_S = 1.0  # between two looks at most: not every file system tells what others write


def follow(path: Path) -> Iterator[str]:
    """Yield the lines of a log and go on with those that are added, as long as somebody asks.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open(errors="replace"):
        pass
    return (line for _, line in follow_all({"": path}))


def follow_all(paths: Mapping[str, Path], skip: Mapping[str, int] | None = None) -> Iterator[tuple[str, str]]:
    """Yield (name, line) of several logs and go on with what is added; a log may begin to exist meanwhile.

    The first `skip[name]` lines of a log are passed over.
    """
    skip = skip or {}
    files: dict[str, TextIO] = {}
    with ExitStack() as opened:
        watches = _watches(paths, opened)
        while True:
            for name, path in paths.items():
                if name not in files and path.exists():
                    files[name] = opened.enter_context(path.open(errors="replace"))
                    for _ in range(skip.get(name, 0)):
                        files[name].readline()
                while name in files and (line := files[name].readline()):
                    yield name, line
            WALL.block(_REST_S)
            ready, _, _ = select.select(watches, [], [], _LOOK_S if len(watches) == len(paths) else 0)
            for watch in ready:
                watch.take()


def _watches(paths: Mapping[str, Path], opened: ExitStack) -> list[FileWatch]:
    """Watch the logs that are there, as far as the user has watches left."""
    from machinery.process.file_watch import FileWatch  # ctypes, which most commands do without

    watches = []
    for path in paths.values():
        try:
            watches.append(opened.enter_context(FileWatch(path)))
        except OSError:
            continue
    return watches
