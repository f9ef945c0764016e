"""Reads and follows the log files of containers.

A file that is full is renamed and another one takes its name (`kubelet/log_rotation.py`). A reader that follows reads the
renamed file to its end, then goes on with the new one; any other one reads the newest file only, as in Kubernetes.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kubelet.core.log_files import COMPRESSED, DRAFT
from kubelet.core.log_lines import LogSelector, LogWishes
from kubelet.log_news import LogNews
from kubelet.log_rotation import rotated_files
from machinery.process.clock import WALL

CHUNK_BYTES: Final = 32 * 1024
LONGEST_LINE: Final = 2**20  # bytes; runtimes break lines at 16 KiB; of longer ones only this is shown
_BLOCK: Final = 64 * 1024


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
    while line := file.readline(LONGEST_LINE):
        if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
            file.seek(-len(line), os.SEEK_CUR)
            break
        shown += selector.show(line)
        if len(shown) >= CHUNK_BYTES:
            yield bytes(shown)
            shown.clear()
    if shown:
        yield bytes(shown)


def _newer(path: Path, file: BinaryIO) -> BinaryIO | None:
    """Open the log's file after this one, None where this one is the newest.

    A reader that is slow finds its file rotated twice, and compressed by then: the next one is the one before the newest.
    """
    own = os.fstat(file.fileno())
    try:
        if os.path.samestat(path.stat(), own):
            return None
        plain = [each for each in rotated_files(path) if each.suffix not in {COMPRESSED, DRAFT}]
        latest = max(plain, default=path)
        return (path if os.path.samestat(latest.stat(), own) else latest).open("rb")
    except (
        FileNotFoundError
    ):  # between the rename and the reopening, or while the oldest is compressed: at the next look
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
