"""Virtual time for whole control loops, on the event loop that the test runs on anyway.

Time stands still while anything can run, and jumps to the next sleeper when nothing can: ten cluster minutes take
as long as the work in them. Sleepers that are due together wake in the order in which they went to sleep, so a
run is the same every time. Only `clock.sleep` is virtual; real I/O, threads and `asyncio.sleep` are not waited
for: keep them out of such tests.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Any

from machinery.model.clock import Timescale

START_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class VirtualClock:
    """A `Clock` that advances when the event loop is idle. One for each test."""

    def __init__(self, start_s: float = START_S, *, limit_s: float = 1_000_000.0) -> None:
        self._now = start_s
        self._end = start_s + limit_s  # a test that gets there waits for something that never happens
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._ticking = False

    @property
    def timescale(self) -> Timescale:
        """One to one."""
        return Timescale()

    def now(self) -> float:
        """Give cluster seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Give cluster seconds that never go back."""
        return self._now

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many virtual seconds."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + duration_s, next(self._numbers), woken))
        self._tick_soon()
        await woken

    async def advance(self, duration_s: float) -> None:
        """Let so much time pass, and all that happens in it; another name for `sleep`, for a test's own steps."""
        await self.sleep(duration_s)

    async def settle(self) -> None:
        """Let everything run that can run now, without time passing."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if not [handle for handle in loop._ready if not self._is_own(handle)]:
                return

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        """Advance, if nothing else can run now; else look again after that has run."""
        self._ticking = False
        while self._sleepers and self._sleepers[0][2].done():  # its sleeper was cancelled
            heapq.heappop(self._sleepers)
        if not self._sleepers:
            return
        loop: Any = asyncio.get_running_loop()
        if not loop._ready:
            self._wake_next()
        self._tick_soon()

    def _wake_next(self) -> None:
        due_s, _, woken = heapq.heappop(self._sleepers)
        if due_s > self._end:
            raise AssertionError(
                f"the virtual clock ran to its end, {self._end}: what does the test wait for?"
            )
        self._now = max(self._now, due_s)
        woken.set_result(None)

    def _is_own(self, handle: Any) -> bool:
        return getattr(handle._callback, "__self__", None) is self
