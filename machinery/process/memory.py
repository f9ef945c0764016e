"""The most memory that a process may have, so that what goes wrong in it does not take the whole machine's.

RLIMIT_DATA of setrlimit(2): what the process could write to, its threads' stacks and what it has from the process that it
was forked from included. It needs no right and no cgroup, and what is asked for beyond it fails in the process itself: as a
MemoryError, which is contained to the work that caused it, or as its end, after which it is started again. ADR 0029.
"""

from __future__ import annotations

import resource

from machinery.model import quantity


def limit_memory(text: str) -> None:
    """Bound this process, and what it starts from now on, to a quantity (1Gi); "" changes nothing.

    A lower bound that somebody has set before stays.
    """
    if not text:
        return
    limit = quantity.memory_bytes(text)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
