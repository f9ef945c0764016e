"""subPath: a part of a volume, found without being led out of it by symbolic links.

The part is bound to a place that only the kubelet writes, so that a link which a container puts there later leads
nowhere. Where mounts do not reach the runtime, it is given the resolved path.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from kubelet.volumes.mounting import bind, unmount_at
from kubelet.volumes.problem import VolumeProblem

_LONGEST: Final = 4096  # PATH_MAX of Linux
_SHOWN: Final = 256  # characters of a path in a message


def resolve(volume: str, sub_path: str, *, place: Path | None) -> str:
    """Return the host path of a part of a volume; what is missing is made as folders.

    `place` is where to bind it, None where binding does not help.

    Raises:
        VolumeProblem: the part lies outside, or cannot be opened.
    """
    try:
        return _resolved(volume, sub_path, place)
    except (OSError, ValueError) as error:  # a NUL byte is a ValueError
        text = str(error)[:_SHOWN]
        raise VolumeProblem(f'subPath "{sub_path[:_SHOWN]}" cannot be opened: {text}') from error


def _resolved(volume: str, sub_path: str, place: Path | None) -> str:
    if len(sub_path) > _LONGEST:  # before anything walks along it
        raise VolumeProblem(f'subPath "{sub_path[:_SHOWN]}…" is longer than {_LONGEST} characters')
    base = os.path.realpath(volume)
    target = os.path.realpath(Path(base, sub_path))
    if ".." in Path(sub_path).parts or sub_path.startswith("/") or not _is_within(base, target):
        raise VolumeProblem(f'subPath "{sub_path[:_SHOWN]}" is not within the volume')
    descriptor = _open_within(base, os.path.relpath(target, base))
    try:
        return target if place is None else _bound(descriptor, place)
    finally:
        os.close(descriptor)


def _is_within(base: str, target: str) -> bool:
    return target == base or target.startswith(base.rstrip("/") + "/")


def _open_within(base: str, relative: str) -> int:
    """Open a path component by component, following no link; make the folders that are missing."""
    descriptor = os.open(base, os.O_PATH | os.O_NOFOLLOW)
    for part in Path(relative).parts:
        if part == ".":
            continue
        try:
            inner = _open_or_make(part, descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _open_or_make(name: str, parent: int) -> int:
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another container of the pod is as fast
            os.mkdir(name, 0o755, dir_fd=parent)
        os.chmod(name, stat.S_IMODE(os.stat(parent).st_mode), dir_fd=parent)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} has become a symbolic link")
    return descriptor


def _bound(descriptor: int, place: Path) -> str:
    status = os.fstat(descriptor)
    if place.exists() and os.path.samestat(place.stat(), status):
        return str(place)  # the container is made again
    if place.exists():
        unmount_at(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(status.st_mode):
        place.mkdir(exist_ok=True)
    else:
        place.touch(exist_ok=True)
    try:
        bind(descriptor, place)
    except OSError as error:
        raise VolumeProblem(f"bind mount of a subPath failed: {error}") from error
    return str(place)
