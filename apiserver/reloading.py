"""Configuration files that are read again when they change, as Kubernetes' apiserver does it.

What does not fit is told in the log, and what was used before stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from machinery.model.log import EventLog

LOOK_S: Final = 10.0  # wall seconds between two looks at a file


class ReloadedFile:
    """One file, and what is done with it; `use` raises ValueError or OSError where it does not fit."""

    def __init__(self, path: str, use: Callable[[str], None], log: EventLog) -> None:
        self._path = path
        self._use = use
        self._log = log
        self._seen = self._content()

    async def follow(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look at the file again and again, until cancelled."""
        while True:
            await sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Use the file, if it has changed since the last look."""
        content = self._content()
        if content is None or content == self._seen:
            return
        self._seen = content
        try:
            self._use(self._path)
        except (ValueError, OSError) as error:
            self._log.error("configuration_refused", file=self._path, error=str(error))
        else:
            self._log.info("configuration_reloaded", file=self._path)

    def _content(self) -> bytes | None:
        try:
            return Path(self._path).read_bytes()
        except OSError:  # it is being replaced, or will be back
            return None
