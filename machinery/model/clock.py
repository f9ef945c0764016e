"""Time, as every component sees it.

Nobody reads the system's clock but `machinery.process.clock`; everyone else is handed a `Clock`. Two units
of time exist, and they differ by one factor, the time scale:

- *cluster seconds* (float): what Kubernetes' intervals are written in. A 40 s lease lasts 40 of them.
- *wall time*: what stands in objects (RFC 3339) and on the user's watch. With a scale of 20 one wall second
  is 20 cluster seconds, so that the 40 s lease is over after 2 wall seconds.

`Timescale` is the pure mapping between the two. It is linear, so differences of cluster seconds are right
whatever their origin, and the timestamps in objects stay real dates.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import floor
from typing import Any, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timescale:
    """The linear mapping between wall time and cluster seconds."""

    scale: float = 1.0  # cluster seconds in a wall second; > 0

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"the time scale has to be above 0, not {self.scale}")

    def parse(self, timestamp: str) -> float:
        """Return the cluster seconds of an RFC 3339 timestamp.

        Raises:
            ValueError: the text is not an RFC 3339 timestamp.
        """
        return (datetime.fromisoformat(timestamp) - _EPOCH).total_seconds() * self.scale

    def format(self, at_s: float) -> str:
        """Return cluster seconds as metav1.Time: RFC 3339, UTC, whole seconds (rounded down)."""
        return _text(floor(at_s / self.scale))

    def format_micro(self, at_s: float) -> str:
        """Return cluster seconds as metav1.MicroTime: RFC 3339, UTC, six decimals."""
        return self._moment(at_s).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def wall(self, duration_s: float) -> float:
        """Return the wall seconds that a duration in cluster seconds takes."""
        return duration_s / self.scale

    def cluster(self, wall_s: float) -> float:
        """Return the cluster seconds in a number of wall seconds (since the epoch, or a duration)."""
        return wall_s * self.scale

    def _moment(self, at_s: float) -> datetime:
        return _EPOCH + timedelta(seconds=at_s / self.scale)


@lru_cache(maxsize=16)
def _text(wall_s: int) -> str:
    """Return a whole second as metav1.Time; most of what is written now is written in the same one."""
    return (_EPOCH + timedelta(seconds=wall_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not make the call; after it was made, do nothing."""
        ...


class Deadline(Protocol):
    """What the block of a `timeout` gets."""

    def expired(self) -> bool:
        """Whether the block was ended by the timeout."""
        ...


class Clock(Protocol):
    """The only source of time. Real in a process (`machinery.process.clock`), virtual in a test.

    Durations are cluster seconds, except in the methods that say `wall`: those are for what the time scale does not
    touch, the engine's calls, sockets, back-off of reconnections. Implementations inherit from this class.
    """

    @property
    def timescale(self) -> Timescale:
        """The mapping to wall time, for reading and writing timestamps."""
        ...

    def now(self) -> float:
        """Return cluster seconds since the epoch, for what goes into objects or is compared with them."""
        ...

    def monotonic(self) -> float:
        """Return cluster seconds that never go back, for measuring durations."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many cluster seconds; return at once (after a yield) for 0 and below."""
        ...

    def timeout(self, within_s: float | None) -> AbstractAsyncContextManager[Deadline]:
        """Return an async context whose block may take so many cluster seconds (None: as long as it likes).

        Raises:
            TimeoutError: on the way out of the block, when it took longer; what it waited for is cancelled.
        """
        ...

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call a function in so many cluster seconds, from the event loop, unless it is cancelled before."""
        ...

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch, as a user's watch shows them."""
        return int(self.timescale.wall(self.now()) * 1e9)

    def monotonic_wall(self) -> float:
        """Return wall seconds that never go back."""
        return self.timescale.wall(self.monotonic())

    async def sleep_wall(self, wall_s: float) -> None:
        """Wait for so many wall seconds."""
        await self.sleep(self.timescale.cluster(wall_s))

    def timeout_wall(self, within_wall_s: float | None) -> AbstractAsyncContextManager[Deadline]:
        """Return what `timeout` does, for so many wall seconds."""
        return self.timeout(None if within_wall_s is None else self.timescale.cluster(within_wall_s))

    def call_later_wall(self, within_wall_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call a function in so many wall seconds."""
        return self.call_later(self.timescale.cluster(within_wall_s), callback, *args)
