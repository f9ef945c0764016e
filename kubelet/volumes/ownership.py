"""fsGroup on volumes that have content already: every file is the group's, as often as a pod begins that wants it.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#configure-volume-permission-and-ownership-change-policy-for-pods
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from kubelet.core.volumes import ownership_mode

ON_ROOT_MISMATCH: Final = "OnRootMismatch"


def give_volume_to_group(folder: str, group: int, policy: str) -> None:
    """Change the group and the rights of a volume and of all in it; links stay as they are, what vanishes meanwhile is left.

    With the policy OnRootMismatch nothing is done where the folder itself is right.

    Raises:
        OSError: something cannot be changed.
    """
    if policy == ON_ROOT_MISMATCH and _is_right(Path(folder).stat(), group):
        return
    waiting = [folder]
    while waiting:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                _give(entry.path, group)
    _give(folder, group)  # the last: a walk that was cut off begins again


def _is_right(status: os.stat_result, group: int) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    return status.st_gid == group and _wanted(status) == mode


def _wanted(status: os.stat_result) -> int:
    is_folder = stat.S_ISDIR(status.st_mode)
    return ownership_mode(stat.S_IMODE(status.st_mode), directory=is_folder, read_only=False)


def _give(path: str, group: int) -> None:
    """Change one file by a descriptor: a link that takes its place meanwhile is not followed."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        status = os.fstat(descriptor)
        if stat.S_ISLNK(status.st_mode) or _is_right(status, group):
            return
        itself = Path(f"/proc/self/fd/{descriptor}")
        if status.st_gid != group:
            os.chown(itself, -1, group)
        itself.chmod(_wanted(status))
    finally:
        os.close(descriptor)
