"""Who is at a cluster or a slot right now: locks that the kernel releases however their holder ends.

A cluster is locked by a file in its user's own folder. A slot (ports and a subnet of the whole machine) is claimed by
a name that only one process can have, so that users who share no folder do not choose the same one; what others hold
is passed over, never waited for.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from kubarium.errors import KubariumError
from machinery.process.clock import WALL

_LOOK_S = 0.05
_PATIENCE_S = 180.0  # another command may be so long at a cluster that starts or ends


@contextmanager
def cluster_locked(
    name: str, home: Path, *, patience_s: float = _PATIENCE_S, told: Callable[[str], None] = lambda _: None
) -> Iterator[bool]:
    """Keep other commands from starting or ending the same cluster; yield whether it had to wait for one.

    Raises:
        KubariumError: another one is still at it when patience is over; the message names its process.
    """
    folder = home / ".locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / name).open("a+") as file:
        waited = not _try_lock(file.fileno())
        if waited:
            told(f'waiting for process {_holder(file.name)}, which is at cluster "{name}"')
            _lock(file.fileno(), name, file.name, patience_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield waited


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(descriptor: int, name: str, file: str, patience_s: float) -> None:
    over_s = WALL.monotonic_wall() + patience_s
    while not _try_lock(descriptor):
        if WALL.monotonic_wall() > over_s:
            raise KubariumError(
                f'process {_holder(file)} is still at cluster "{name}" after {patience_s:g} s: '
                f"try again when it is done, or end it"
            )
        WALL.block(_LOOK_S)  # flock(2) itself has no deadline


def _holder(file: str) -> str:
    return Path(file).read_text().strip() or "unknown"


class SlotClaims:
    """The slots that this process has claimed."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def claim(self, slot: int) -> bool:
        """Claim a slot; return False where another process has."""
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0kubarium-slot-{slot}")  # unix(7), abstract: gone with its holder
        except OSError:
            name.close()
            return False
        self._held.enter_context(name)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
