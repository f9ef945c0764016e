"""When a follower of a log looks at it again.

The kernel tells what happens in the log's folder, so that a line is shown as it is written and a quiet log costs next
to nothing. Whatever it does not tell (the file system of another machine, a container that ended without a word) is
seen by looking each second, as the kubelet of Kubernetes does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Self

from machinery.process.clock import WALL
from machinery.process.file_watch import FileWatch

# All in seconds of the wall: bytes come in wall time.
_REST_S: Final = 0.05  # between two looks at least, so that a log that grows fast is read in large pieces
_LOOK_S: Final = 1.0  # between two looks at most
_ENDING_S: Final = 3.0  # how long the end of a container is expected after the runtime has closed its log


class LogNews:
    """Waits for news of the logs in one folder.

    Where it cannot be watched (a user has 128 watches by default, a follower takes one), it looks after every rest.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._watch: FileWatch | None = FileWatch(folder)
        except OSError:
            self._watch = None
        self._ending_until_s = 0.0  # monotonic wall seconds

    async def wait(self) -> None:
        """Return when there may be something new. Whoever reads after this misses nothing."""
        await WALL.sleep_wall(_REST_S)
        if self._watch is None:
            return
        if WALL.monotonic_wall() >= self._ending_until_s:
            await _readable(self._watch)
        if self._watch.take():
            self._ending_until_s = WALL.monotonic_wall() + _ENDING_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.close()


async def _readable(watch: FileWatch) -> None:
    """Wait until the watch has news, but not longer than until the next look."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(watch.fileno(), came.set)
    try:
        async with WALL.timeout_wall(_LOOK_S):
            await came.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(watch.fileno())
