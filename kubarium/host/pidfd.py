"""Waiting for processes to end, also those that are not ours: with descriptors for them (pidfd_open(2))."""

from __future__ import annotations

import os
import select


def wait_ended(pid: int, patience_s: float) -> bool:
    """Return when a process has ended (True), reaped or not, or when patience is over (False).

    Raises:
        OSError: there are no descriptors left.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()  # which takes descriptors of any number, unlike select()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, patience_s) * 1000))
    finally:
        os.close(descriptor)
