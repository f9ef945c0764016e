"""Whether the apiserver serves yet: not before its caches are filled and the cluster's own objects are there."""

from __future__ import annotations

import asyncio

from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.errors import Unavailable


class Opening:
    """Closed at first; opened once and for all."""

    def __init__(self, feed: Feed, clock: Clock, *, is_open: bool = False) -> None:
        self._feed = feed
        self._clock = clock
        self._opened = asyncio.Event()
        if is_open:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._opened.is_set()

    def open(self) -> None:
        """Open, so that those who wait go on."""
        self._opened.set()

    async def wait(self, within_s: float | None = 5.0) -> None:
        """Wait until the apiserver serves; doors do, before anything else.

        Raises:
            Unavailable: it takes longer than `within_s` wall seconds.
        """
        if self._opened.is_set():
            return
        try:
            async with self._clock.timeout_wall(within_s):
                await self._opened.wait()
        except TimeoutError:
            raise self._not_ready() from None

    def check(self) -> None:
        """Refuse to conclude anything from the absence of objects that are still to be written.

        Raises:
            Unavailable: the apiserver does not serve yet.
        """
        if not self._opened.is_set():
            raise self._not_ready()

    def _not_ready(self) -> Unavailable:
        problem = self._feed.problem or "it is still reading its state"
        return Unavailable(f"the apiserver is not ready: {problem}", retry_after_s=1)
