"""Replaces the files of a volume in one step, so that a reader never sees a half of two versions.

The files lie in a folder `..<time>.<random>`; `..data` is a symbolic link to it, and what the user sees are links
through `..data`. A new version is a new folder and one rename of the link. A writer that was killed in the middle
leaves a folder that the next write takes away.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from kubelet.core.volumes import File, Payload, ownership_mode
from machinery.process.trees import make_folders, remove_tree, walk_tree

_DATA: Final = "..data"
_NEW_LINK: Final = "..data_tmp"


def write_atomically(volume: Path, payload: Payload, *, stamp: str, group: int | None = None) -> bool:
    """Make a volume hold exactly these files (paths are checked already); return whether anything changed."""
    current = _current(volume)
    if current is not None and _holds(current, payload, group):
        _show(volume, payload)
        return False
    fresh = Path(tempfile.mkdtemp(prefix=f"..{stamp}.", dir=volume))
    fresh.chmod(0o755)
    for path, file in payload.items():
        _write(make_folders(fresh, Path(path).parent) / Path(path).name, file)
    if group is not None:
        give_to_group(fresh, group, read_only=True)
    new_link = volume / _NEW_LINK
    new_link.unlink(missing_ok=True)
    new_link.symlink_to(fresh.name)
    new_link.rename(volume / _DATA)
    _show(volume, payload)
    _sweep(volume, keep=fresh.name)
    return True


def give_to_group(folder: Path, group: int, *, read_only: bool) -> None:
    """Change the group of a folder and all in it (fsGroup); symbolic links stay as they are."""
    for path in (folder, *(Path(entry.path) for entry in walk_tree(folder) if not entry.is_symlink())):
        status = path.stat()
        wanted = ownership_mode(status.st_mode & 0o7777, directory=path.is_dir(), read_only=read_only)
        if status.st_gid != group:
            os.chown(path, -1, group)
        path.chmod(wanted)


def _current(volume: Path) -> Path | None:
    link = volume / _DATA
    return volume / link.readlink() if link.is_symlink() and link.is_dir() else None


def _holds(current: Path, payload: Payload, group: int | None) -> bool:
    present = {os.path.relpath(entry.path, current) for entry in walk_tree(current) if entry.is_file()}
    return present == set(payload) and all(
        _is_same(current / path, file, group) for path, file in payload.items()
    )


def _is_same(path: Path, file: File, group: int | None) -> bool:
    status = path.stat()
    mode = file.mode if group is None else ownership_mode(file.mode, directory=False, read_only=True)
    return (
        status.st_mode & 0o777 == mode & 0o777
        and (file.uid is None or status.st_uid == file.uid)
        and (group is None or status.st_gid == group)
        and path.read_bytes() == file.data
    )


def _write(path: Path, file: File) -> None:
    path.write_bytes(file.data)
    path.chmod(file.mode)
    if file.uid is not None:
        os.chown(path, file.uid, -1)


def _show(volume: Path, payload: Iterable[str]) -> None:
    """Make the links that the user sees, and remove those to what is no more."""
    wanted = {path.split("/", 1)[0] for path in payload}
    for name in wanted:
        link = volume / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
    for entry in volume.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink(missing_ok=True)


def _sweep(volume: Path, *, keep: str) -> None:
    for entry in volume.iterdir():
        if entry.name.startswith("..") and entry.name not in {keep, _DATA}:
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink(missing_ok=True)
            else:
                with suppress(OSError):  # the next version's writer comes back to it
                    remove_tree(entry)
