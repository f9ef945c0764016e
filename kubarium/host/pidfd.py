"""Waiting for processes to end, also those that are not ours: with descriptors for them (pidfd_open(2))."""

from __future__ import annotations

import errno
import os
import select
from typing import Final

# Nobody has the number, or a thread of some process, which Linux calls EINVAL or, since 6.15, ENOENT.
_NO_PROCESS: Final = frozenset({errno.ESRCH, errno.EINVAL, errno.ENOENT})


def wait_ended(pid: int, patience_s: float) -> bool:
    """Return when a process has ended (True), reaped or not, or when patience is over (False).

    A number that a thread has by now was that of a process that has ended.

    Raises:
        OSError: there are no descriptors left.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        if error.errno not in _NO_PROCESS:
            raise
        return True
    try:
        poll = select.poll()  # which takes descriptors of any number, unlike select()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, patience_s) * 1000))
    finally:
        os.close(descriptor)
