"""Variables from files in a pod's emptyDir volumes, which its containers write: read when a container is created.

What stands there is the pod's doing. So no symbolic link is followed, nothing but a regular file is read, and of that no
more than a process could be started with. Fed by `kubelet.environment`; the language is `kubelet.core.env_file`.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from kubelet.core.env_file import parse_env_file
from kubelet.core.environment import MAX_TOTAL_BYTES
from machinery.model.k8s.core_v1 import FileKeySelector

_FOLDER: Final = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe keeps nobody waiting


class EnvFiles:
    """The files of one container's variables; the latest one is kept, since most variables come from one file."""

    def __init__(self, volumes: Mapping[str, str]) -> None:
        self._volumes = volumes  # host paths, by the names of the pod's volumes
        self._latest: tuple[str, str] | None = None
        self._variables: dict[str, str] = {}

    async def value(self, source: FileKeySelector) -> str | None:
        """Return a variable; None where there is none, or no such file, and it is optional.

        Raises:
            ValueError: it is not there, or the file cannot be used.
        """
        where = f"file {source.path} of volume {source.volumeName}"
        if source.volumeName not in self._volumes:
            raise ValueError(f"cannot find the volume {source.volumeName!r} of fileKeyRef")
        try:
            found = (await self._read(source.volumeName, source.path)).get(source.key)
        except FileNotFoundError:
            found = None
        except (OSError, ValueError) as error:
            raise ValueError(f"{where} cannot be used: {error}") from error
        if found is None and not source.optional:
            raise ValueError(f"couldn't find key {source.key} in {where}")
        return found

    async def _read(self, volume: str, path: str) -> dict[str, str]:
        if self._latest != (volume, path):
            self._variables = await asyncio.to_thread(_variables, self._volumes[volume], path)
            self._latest = volume, path
        return self._variables


def _variables(volume: str, path: str) -> dict[str, str]:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/"):
        raise ValueError("it is not within the volume")
    folder = os.open(volume, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        data = file.read(MAX_TOTAL_BYTES + 1)
    if len(data) > MAX_TOTAL_BYTES:
        raise ValueError(f"it has more than {MAX_TOTAL_BYTES} bytes")
    return parse_env_file(data.decode())
