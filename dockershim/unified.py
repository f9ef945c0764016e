"""Settings of cgroup v2 that the engine does not know: they are written into the cgroup of a container that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dockershim.core.cgroup_files import UNIFIED, cgroup_paths

_ROOT: Final = Path("/sys/fs/cgroup")


def write_unified(pid: int, settings: Mapping[str, str], root: Path = _ROOT) -> None:
    """Write settings, a file each, into the cgroup of a process; do nothing where it has ended.

    Raises:
        OSError: the kernel does not have a setting, or refuses its value; the file is named.
    """
    try:
        paths = cgroup_paths(Path(f"/proc/{pid}/cgroup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return
    folder = root / paths.get(UNIFIED, "").lstrip("/")
    for name, value in settings.items():
        _write(folder / name, value)


def _write(path: Path, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # never makes a file
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)
