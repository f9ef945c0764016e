"""The proxy's files, a folder for each configuration, and a link to the one that it is to begin with.

A configuration is written whole before anybody reads it; the one before stays until the next has begun.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_CURRENT: Final = "current"
_PREFIX: Final = "configuration-"


class Generations:
    """The folders of one proxy."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self.current = self._folder / _CURRENT

    def clear(self) -> None:
        """Remove what an earlier life has left.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self.current.unlink(missing_ok=True)
        for old in self._folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(old)

    def write(self, version: str, files: Mapping[str, bytes]) -> Path:
        """Write a configuration, for its user's eyes only; return its folder.

        Raises:
            OSError: it cannot be written.
        """
        folder = self._folder / f"{_PREFIX}{version}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        return folder

    def choose(self, folder: Path) -> None:
        """Choose the configuration that the proxy begins with from now on.

        Raises:
            OSError: the link cannot be made.
        """
        link = self._folder / f"{_CURRENT}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
        link.replace(self.current)

    def forget_others(self) -> None:
        """Remove all folders except for the chosen one."""
        chosen = self.current.resolve().name
        for folder in self._folder.glob(f"{_PREFIX}*"):
            if folder.name != chosen:
                shutil.rmtree(folder, ignore_errors=True)
