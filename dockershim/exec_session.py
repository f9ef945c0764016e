"""The processes of a command in a container: it and what it has started, as /proc has them.

The engine's runtime makes a session for each command, so all of its processes are found by their session, also after the
first one has ended. What makes a session of its own (setsid, a daemon) has left the command, as it leaves a shell.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from dockershim.core.process_stat import ENDED, read_stat

_PROC: Final = Path("/proc")
_ROUNDS: Final = 10  # of killing: a fork bomb is the limit of processes' to stop


def is_alive(pid: int, container_id: str) -> bool:
    """Whether a process of that container has that pid and has not ended."""
    return _session(pid, container_id) is not None


def signal_session(pid: int, container_id: str, number: signal.Signals) -> None:
    """Send a signal to all processes of the session that a command's first process has made.

    Where they are killed, what one of them has forked meanwhile is, too.
    """
    for _ in range(_ROUNDS if number is signal.SIGKILL else 1):
        members = list(_members(pid, container_id))
        if not members:
            return
        for member in members:
            with suppress(OSError):  # it has ended
                os.kill(member, number)


def _members(session: int, container_id: str) -> Iterator[int]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and _session(int(entry.name), container_id) == session:
            yield int(entry.name)


def _session(pid: int, container_id: str) -> int | None:
    """Return a process's session; None where it has ended, or is another container's."""
    folder = _PROC / str(pid)
    try:
        stat = read_stat((folder / "stat").read_text(errors="replace"))
        if stat.state in ENDED or container_id not in (folder / "cgroup").read_text():
            return None
    except OSError:
        return None
    return stat.session
