"""Where a node is cut off: what it sends and hears passes here, and waits here while it may not."""

from __future__ import annotations

import asyncio

from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded, Unavailable


class Link:
    """One side of a conversation. While it is held nothing passes, and nothing is lost: as with packets that are sent again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._up = asyncio.Event()
        self._up.set()
        self._is_dead = False

    def hold(self) -> None:
        """Hold back everything until `release`. Idempotent."""
        self._up.clear()

    def release(self) -> None:
        """Pass on everything. Idempotent."""
        self._up.set()

    def die(self) -> None:
        """Refuse everything from now on: whoever is at this end has ended."""
        self._is_dead = True
        self._up.set()

    async def passed(self, timeout_s: float | None = None) -> None:
        """Return when something may pass, at most after so many wall seconds.

        Raises:
            DeadlineExceeded: it may not in time.
            Unavailable: this end has died.
        """
        if not self._up.is_set():
            limit_s = None if timeout_s is None else self._clock.timescale.cluster(timeout_s)
            if not await event_within(self._up, self._clock, limit_s):
                raise DeadlineExceeded("no answer in time: the node is cut off")
        if self._is_dead:
            raise Unavailable("the node has no power")
