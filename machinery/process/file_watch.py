"""News of a file, or of the files in a folder, from the kernel (inotify(7)).

News is a hint to look, never the truth: a network file system is silent about what other machines write, and a user
has only so many watches. So whoever waits for news also looks without them now and then.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_MODIFY: Final = 0x2
_CLOSE_WRITE: Final = 0x8
_MOVED_FROM: Final = 0x40
_MOVED_TO: Final = 0x80
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_HEAD: Final = struct.Struct("iIII")  # watch, what happened, cookie, length of the name that follows
_BLOCK: Final = 4096  # an event with the longest name fits


class FileWatch:
    """Tells that something happened to a file or the files of a folder: written, closed after it, new under a name, gone.

    `fileno()` is readable from then on until `take()`. What happens between two calls of `take()` is told once.
    """

    def __init__(self, path: Path, *, removals: bool = False) -> None:
        """Begin to watch; with `removals`, news is also what goes from a folder.

        Raises:
            OSError: nothing is there, the user has no watch left, or the kernel has none to give.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), path)
        self._wanted = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE
        if removals:
            self._wanted |= _MOVED_FROM | _DELETE
        try:
            self.add(path)
        except OSError:
            self.close()
            raise

    def add(self, path: Path) -> None:
        """Watch another path, too. Idempotent.

        Raises:
            OSError: nothing is there, or the user has no watch left.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        _checked(libc.inotify_add_watch(self._descriptor, os.fsencode(path), self._wanted), path)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._descriptor

    def take(self) -> bool:
        """Read the kernel's news; return whether a file was closed that somebody had written to."""
        was_closed = False
        with suppress(BlockingIOError):
            while data := os.read(self._descriptor, _BLOCK):
                was_closed |= _tells_of_closing(data)
        return was_closed

    def close(self) -> None:
        """Close the watch."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tells_of_closing(data: bytes) -> bool:
    at, seen = 0, 0
    while at < len(data):
        _, happened, _, name_bytes = _HEAD.unpack_from(data, at)
        seen |= happened
        at += _HEAD.size + name_bytes
    return bool(seen & _CLOSE_WRITE)


def _checked(answer: int, path: Path) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return answer
