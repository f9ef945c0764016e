"""Virtual time for whole control loops, on the event loop that the test runs on anyway.

Time stands still while anything can run, and jumps to the next sleeper when nothing can: ten cluster minutes take
as long as the work in them. Sleepers, timeouts and calls that are due together come in the order in which they were
asked for, so a run is the same every time. Only what is asked of the clock is virtual; real I/O, threads and
`asyncio.sleep` are not waited for: keep them out of such tests.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

from machinery.model.clock import Clock, Timescale

START_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class VirtualTimer:
    """A call that is due in virtual time."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not make the call."""
        self.callback = None

    def fire(self) -> None:
        """Make the call, unless it was made or cancelled."""
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class TimerClock(Clock):
    """A clock that does all its waiting by `call_later`: who overrides that one decides when anybody wakes."""

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many virtual seconds."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(duration_s, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, within_s: float | None) -> AsyncIterator[asyncio.Timeout]:
        """Run a block that may take so many virtual seconds; none of the waiting is real."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            if within_s is None:
                yield limit
                return
            if within_s <= 0:
                limit.reschedule(loop.time())
            timer = self.call_later(within_s, lambda: limit.reschedule(loop.time()))
            try:
                yield limit
            finally:
                timer.cancel()


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class HeapClock(TimerClock):
    """A clock whose timers are in order; who advances the time is a subclass's own."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now = start_s
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._numbers = count()

    @property
    def timescale(self) -> Timescale:
        """One to one."""
        return Timescale()

    def now(self) -> float:
        """Return cluster seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return cluster seconds that never go back."""
        return self._now

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> VirtualTimer:
        """Call a function in so many virtual seconds."""
        timer = VirtualTimer(partial(callback, *args))
        heapq.heappush(self._timers, (self._now + max(0.0, within_s), next(self._numbers), timer))
        return timer


class VirtualClock(HeapClock):
    """A `Clock` that advances when the event loop is idle. One for each test."""

    def __init__(self, start_s: float = START_S, *, limit_s: float = 1_000_000.0) -> None:
        super().__init__(start_s)
        self._end = start_s + limit_s  # a test that gets there waits for something that never happens
        self._ticking = False

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> VirtualTimer:
        """Call a function in so many virtual seconds."""
        timer = super().call_later(within_s, callback, *args)
        self._tick_soon()
        return timer

    async def advance(self, duration_s: float) -> None:
        """Advance the time, with all that happens in it; another name for `sleep`, for a test's own steps."""
        await self.sleep(duration_s)

    async def settle(self) -> None:
        """Run everything that can run now, without time passing."""
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
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return
        loop: Any = asyncio.get_running_loop()
        if not loop._ready:
            self._wake_next()
        self._tick_soon()

    def _wake_next(self) -> None:
        due_s, _, timer = heapq.heappop(self._timers)
        if due_s > self._end:
            raise AssertionError(
                f"the virtual clock ran to its end, {self._end}: what does the test wait for?"
            )
        self._now = max(self._now, due_s)
        timer.fire()

    def _is_own(self, handle: Any) -> bool:
        return getattr(handle._callback, "__self__", None) is self
