"""How many files the process may have open: each node that is served has a listener of its own."""

from __future__ import annotations

import resource
from typing import Final

_OTHERS: Final = 512  # connections, logs that are written


def has_descriptors(listeners: int) -> bool:
    """Raise the limit as far as it may be; return whether there is room for so many listeners."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = listeners + _OTHERS
    if soft < needed and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft == resource.RLIM_INFINITY or soft >= needed
