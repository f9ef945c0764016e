"""Which machines of a cluster are on, so that the last one that is switched off can clear up after all of them.

A machine that was killed keeps its disk, the stopped containers, for its next start. Once all machines are off nobody
would be left to remove them, if it does not start again.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self


class RollCall:
    """One machine's presence: a shared lock (flock(2)), which the kernel gives back however the machine ends."""

    def __init__(self, file: Path) -> None:
        """Be present. Waits while a last one clears up."""
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Be no longer present; True where nobody else is, and then nobody comes until `close`.

        Of several that leave at the same time at least one is told True.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let others come."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # children may have the descriptor, too
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
