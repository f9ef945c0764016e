"""Mounts: tmpfs for what must not touch a disk, bind mounts for paths that must not move.

A mount only helps where the container runtime sees it: in the machine's own mount namespace, or below a mount that
propagates to it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_MS_BIND: Final = 4096
_MS_NOSUID_NODEV: Final = 2 | 4
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_ESCAPES: Final = (
    (" ", "\\040"),
    ("\t", "\\011"),
    ("\n", "\\012"),
    ("\\", "\\134"),
)  # of a path in mountinfo


def mounts_are_seen(folder: Path) -> bool:
    """Whether a mount below a folder reaches the container runtime, as far as one can know; needs root."""
    if os.geteuid() != 0:
        return False
    try:
        return _is_machines_namespace() or _is_shared(folder)
    except OSError:
        return False


def mount_tmpfs(folder: Path, *, size_bytes: int = 0, mode: int = 0o755) -> None:
    """Mount a tmpfs; idempotent.

    Raises:
        OSError: the kernel refuses.
    """
    if not folder.is_mount():
        options = f"mode={mode:o}" + (f",size={size_bytes}" if size_bytes else "")
        _mount("tmpfs", str(folder), "tmpfs", _MS_NOSUID_NODEV, options)


def bind(descriptor: int, target: Path) -> None:
    """Mount what an open descriptor stands for at an existing path.

    Raises:
        OSError: the kernel refuses.
    """
    _mount(f"/proc/self/fd/{descriptor}", str(target), "", _MS_BIND, "")


def unmount_below(folder: Path) -> None:
    """Detach every mount at or below a folder, the innermost first. Idempotent.

    Raises:
        OSError: a mount cannot be detached.
    """
    for point in sorted(_mount_points(folder), key=len, reverse=True):
        _unmount(point)


def unmount_at(point: Path) -> None:
    """Detach all that is mounted on each other at a path. Idempotent.

    Raises:
        OSError: a mount cannot be detached.
    """
    while _libc().umount2(str(point).encode(), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        pass
    if _errno() != errno.EINVAL:  # it is no mount (any more)
        _fail(str(point))


def _is_machines_namespace() -> bool:
    """Whether our mounts are the machine's: a mount's number is unique, so equal ones are the same mount.

    (Comparing /proc/*/ns/mnt would need the right to trace process 1.)
    """
    own, first = (Path(f"/proc/{pid}/mountinfo").read_text().splitlines() for pid in ("self", "1"))
    numbers = {line.split(" ", 1)[0] for line in own}
    return os.getpid() != 1 and any(line.split(" ", 1)[0] in numbers for line in first)


def _mount_points(folder: Path) -> list[str]:
    return points_below(Path("/proc/self/mountinfo").read_text(), os.path.realpath(folder))


def points_below(mountinfo: str, base: str) -> list[str]:
    """Return the mount points at or below a path. Lines without its last name are not looked at: there is one for each pod."""
    lines = _lines_with(_escaped(base.rpartition("/")[2]), mountinfo)
    points = [_unescaped(line.split(" ")[4]) for line in lines]
    return [point for point in points if point == base or point.startswith(base + "/")]


def _lines_with(part: str, text: str) -> Iterator[str]:
    at = text.find(part)
    while at >= 0:
        end = text.index("\n", at)
        yield text[text.rfind("\n", 0, at) + 1 : end]
        at = text.find(part, end + 1)


def _is_shared(folder: Path) -> bool:
    """Whether the mount that a folder lies on propagates to its peers."""
    base, best, shared = os.path.realpath(folder), "", False
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        point = _unescaped(fields[4])
        if (base + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, shared = point, any(tag.startswith("shared:") for tag in fields[6 : fields.index("-")])
    return shared


def _escaped(text: str) -> str:
    for sign, code in reversed(_ESCAPES):  # the backslash first, which the others are written with
        text = text.replace(sign, code)
    return text


def _unescaped(text: str) -> str:
    for sign, code in _ESCAPES:
        text = text.replace(code, sign)
    return text


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    libc = _libc()
    done = libc.mount(
        source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None
    )
    if done != 0:
        _fail(target)


def _unmount(target: str) -> None:
    if _libc().umount2(target.encode(), _MNT_DETACH) != 0:
        _fail(target)


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _errno() -> int:
    import ctypes

    return ctypes.get_errno()


def _fail(target: str) -> None:
    number = _errno()
    raise OSError(number, os.strerror(number), target)
