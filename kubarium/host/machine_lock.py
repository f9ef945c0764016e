"""Which machines of a cluster are on, so that the last one that is switched off can clear up after all of them.

A machine that was killed keeps its disk, the stopped containers, for its next start. Once all machines are off nobody
would be left to remove them, if it does not start again.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self


def hold_power(file: Path) -> int:
    """Return a descriptor that holds a machine's power until it is closed here and in every process that inherits it.

    Waits while an earlier life of the machine is being killed: its reaper must not find the pods of the next one.

    Raises:
        OSError: the file cannot be opened.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


class MachineLock:
    """A lock that every machine that is on holds, shared (flock(2)): the kernel releases it however one ends."""

    def __init__(self, file: Path) -> None:
        """Acquire the lock; wait while the last machine clears up.

        Raises:
            OSError: the file cannot be opened.
        """
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Release the lock. Return whether no other machine is on; then none can start until `close`.

        Of several that leave at the same time at least one gets True.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Release the lock, so that other machines can start."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # children may have the descriptor, too
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
