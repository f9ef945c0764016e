"""The deadlines of the calls on a connection, on one timer.

Nearly every call is over long before its deadline, so a call costs an entry in a heap, and no timer of its own. Entries of
calls that are over are dropped when their time comes, or when they are most of what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sized
from heapq import heapify, heappop, heappush
from typing import Any, Final, Protocol

from machinery.model.clock import Clock, Timer

_FEW: Final = 64  # entries that may stay, whatever they are


class Streams(Container[int], Sized, Protocol):
    """The calls that are under way."""


class Deadlines:
    """Tells of calls whose time is over: `expire(stream)`, of those that are in `streams` then."""

    def __init__(self, clock: Clock, streams: Any, expire: Callable[[int], object]) -> None:
        self._clock = clock
        self._streams: Streams = streams
        self._expire = expire
        self._due: list[tuple[float, int]] = []
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def add(self, stream: int, within_s: float) -> None:
        """Note that a call is over in so many wall seconds."""
        at = self._clock.monotonic_wall() + within_s
        due = self._due
        if len(due) > _FEW and len(due) > 2 * len(self._streams):
            due[:] = [entry for entry in due if entry[1] in self._streams]
            heapify(due)
        heappush(due, (at, stream))
        if self._timer is None or at < self._timer_at:
            self._arm(at, within_s)

    def close(self) -> None:
        """Stop: no call is told of any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()

    def _arm(self, at: float, within_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._clock.call_later_wall(within_s, self._look)

    def _look(self) -> None:
        self._timer = None
        now, due = self._clock.monotonic_wall(), self._due
        while due and (due[0][0] <= now or due[0][1] not in self._streams):
            _, stream = heappop(due)
            if stream in self._streams:
                self._expire(stream)
        if due and self._timer is None:
            self._arm(due[0][0], due[0][0] - now)
