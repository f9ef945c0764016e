"""How many containers are put together at the same time.

What one is made of may be megabytes, and a pod may have any number of containers: so few of one pod are made at once,
and not many of all pods. Who waits does so in turn, and a pod with many containers waits on itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

OF_POD: Final = 4
OF_ALL: Final = 32


@dataclass(slots=True)
class _Queue:
    semaphore: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OF_POD))
    users: int = 0  # whose turn it is, or who wait for it


class Turns:
    """Who makes a container now, and who waits for it."""

    def __init__(self) -> None:
        self._of_all = asyncio.Semaphore(OF_ALL)
        self._of_pod: dict[str, _Queue] = {}

    @asynccontextmanager
    async def taken(self, pod_uid: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it while inside."""
        queue = self._of_pod.setdefault(pod_uid, _Queue())
        queue.users += 1
        try:
            async with queue.semaphore, self._of_all:
                yield
        finally:
            queue.users -= 1
            if not queue.users:
                del self._of_pod[pod_uid]
