"""Folders that others have filled: walked, measured and removed without recursion, by descriptors instead of paths.

What a pod leaves behind may be nested deeper than any stack and have paths longer than the kernel takes. Symbolic links are
never followed; a way back up is checked, so that a folder that is moved meanwhile leads nowhere else. Where the kernel can
say so (openat2(2), Linux 5.6), nothing that is mounted in a folder is entered: what it shows belongs to somebody else.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2: Final = 437  # the number of the call on every architecture that Python runs on here
_RESOLVE_NO_XDEV: Final = (
    1  # fails with EXDEV at any mount point, a bind mount of the same file system as well
)
_OPEN_HOW: Final = struct.pack("QQQ", _FOLDER, 0, _RESOLVE_NO_XDEV)
_BLOCK: Final = 512  # bytes, of which stat(2) counts
_WITHOUT_IT: Final = (errno.ENOSYS, errno.EPERM)  # an older kernel, a seccomp profile without the call


def remove_tree(root: Path) -> None:
    """Remove a folder and everything below it; nothing where there is none.

    Raises:
        OSError: something in it cannot be removed (EBUSY or EXDEV: something is mounted there), or is being changed; what
            is left stays where it is.
    """
    try:
        place = _Place(root)
    except FileNotFoundError:
        return
    with place.closing():
        while True:
            if (name := _remove_entries(place.descriptor)) is not None:
                place.enter(name)
            elif place.depth == 0:
                break
            else:
                os.rmdir(place.leave(), dir_fd=place.descriptor)
    root.rmdir()


@cache
def keeps_out_of_mounts() -> bool:
    """Whether `remove_tree` stops at what is mounted in a folder; if not, one has to unmount it first."""
    root = os.open("/", _FOLDER)
    try:
        os.close(_open_unmounted(".", root))
    except OSError as error:
        if error.errno in _WITHOUT_IT:
            return False
        raise
    finally:
        os.close(root)
    return True


def walk_tree(root: Path) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below a folder, a folder before what is in it. Links are entries, and not followed.

    Raises:
        OSError: a folder cannot be read.
    """
    waiting = [str(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


class TreeSize(NamedTuple):
    """What a folder takes on its disk, with all that is in it."""

    used_bytes: int
    inodes: int
    is_whole: bool = True  # False: it is at least so much, the rest was not looked at


def measure_tree(root: Path, most_entries: int) -> TreeSize:
    """Return what a folder takes: the blocks that are used, a file with several names once; nothing where there is none.

    Stops after so many entries. What is moved or removed meanwhile is counted or not.

    Raises:
        OSError: the folder itself cannot be read.
    """
    try:
        place = _Place(root)
    except FileNotFoundError:
        return TreeSize(0, 0)
    tally = _Tally(most_entries)
    with place.closing():
        tally.add(os.fstat(place.descriptor))
        waiting = [tally.add_entries(place.descriptor)]
        while waiting and not tally.is_full:
            try:
                if waiting[-1]:
                    place.enter(waiting[-1].pop())
                    waiting.append(tally.add_entries(place.descriptor))
                else:
                    waiting.pop()
                    if waiting:
                        place.leave()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.EXDEV:  # not a mount, which belongs to somebody else
                    return tally.size(is_whole=False)
    return tally.size(is_whole=not tally.is_full)


class _Tally:
    """Adds up what entries of folders take."""

    def __init__(self, most_entries: int) -> None:
        self._most = most_entries
        self._blocks = 0
        self._inodes = 0
        self._entries = 0
        self._named: set[tuple[int, int]] = set()  # files that may be met by another name

    @property
    def is_full(self) -> bool:
        return self._entries > self._most

    def add(self, stat: os.stat_result) -> None:
        self._blocks += stat.st_blocks
        self._inodes += 1

    def add_entries(self, descriptor: int) -> list[str]:
        """Add what is in an open folder; return the names of the folders in it."""
        folders = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                self._entries += 1
                if self.is_full:
                    break
                if self._add_entry(entry):
                    folders.append(entry.name)
        return folders

    def _add_entry(self, entry: os.DirEntry[str]) -> bool:
        """Add an entry; return whether it is a folder."""
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and stat.st_nlink > 1:
            if (key := (stat.st_dev, stat.st_ino)) in self._named:
                return False
            self._named.add(key)
        self.add(stat)
        return is_folder

    def size(self, *, is_whole: bool) -> TreeSize:
        return TreeSize(self._blocks * _BLOCK, self._inodes, is_whole)


def make_folders(root: Path, relative: Path) -> Path:
    """Make the folders that lead from an existing folder down to another; return that one. Idempotent.

    Raises:
        OSError: one of them cannot be made.
    """
    folder = root
    for part in relative.parts:
        folder /= part
        folder.mkdir(exist_ok=True)
    return folder


class _Place:
    """An open folder somewhere below a root, and the way back."""

    def __init__(self, root: Path) -> None:
        self.descriptor = os.open(root, _FOLDER)
        self._way: list[tuple[str, os.stat_result]] = []

    @property
    def depth(self) -> int:
        return len(self._way)

    @contextmanager
    def closing(self) -> Iterator[None]:
        try:
            yield
        finally:
            os.close(self.descriptor)

    def enter(self, name: str) -> None:
        inner = _open_inner(name, self.descriptor)
        self._way.append((name, os.fstat(self.descriptor)))
        self._move(inner)

    def leave(self) -> str:
        """Go up; return the name of the folder that was left."""
        name, wanted = self._way.pop()
        outer = os.open("..", _FOLDER, dir_fd=self.descriptor)
        self._move(outer)
        if not os.path.samestat(os.fstat(outer), wanted):
            raise OSError(f"{name} was moved while it was being removed")
        return name

    def _move(self, descriptor: int) -> None:
        os.close(self.descriptor)
        self.descriptor = descriptor


def _remove_entries(descriptor: int) -> str | None:
    """Remove what is no folder, and empty folders; return the name of the first folder that has something in it."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=descriptor)
            elif not _removed(entry.name, descriptor):
                return entry.name
    return None


def _removed(name: str, descriptor: int) -> bool:
    try:
        os.rmdir(name, dir_fd=descriptor)
    except OSError:
        return False  # what keeps it is met when it is entered
    return True


def _open_inner(name: str, folder: int) -> int:
    if keeps_out_of_mounts():
        return _open_unmounted(name, folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _open_unmounted(name: str, folder: int) -> int:
    """Open a folder in another one; EXDEV where something is mounted on it."""
    import ctypes

    opened: int = _libc().syscall(_OPENAT2, folder, os.fsencode(name), _OPEN_HOW, len(_OPEN_HOW))
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return opened


@cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)
