"""The one module that reads the system's clock.

A component hands `Process.clock` to whatever follows the cluster's time. `WALL` is for what waits for this machine and for
nothing of the cluster: the kernel, a socket, the engine, a program that was started, the user's terminal. It has the time
scale 1, and no test needs it virtual.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from machinery.model.clock import Clock, Timer, Timescale

if TYPE_CHECKING:
    import asyncio  # which programs without an event loop do without


class SystemClock(Clock):
    """Real time, `scale` times as fast. What waits needs a running event loop, except `block`."""

    def __init__(self, scale: float = 1.0) -> None:
        self._timescale = Timescale(scale)
        self.ahead_s = 0.0  # wall seconds that this clock shows too many: a fault; what measures durations is not touched

    @property
    def timescale(self) -> Timescale:
        """The mapping between wall time and cluster seconds."""
        return self._timescale

    def now(self) -> float:
        """Return cluster seconds since the epoch."""
        return self._timescale.cluster(time.time() + self.ahead_s)

    def monotonic(self) -> float:
        """Return cluster seconds that never go back; they go on while the process is stopped."""
        return self._timescale.cluster(time.monotonic())

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return time.time_ns() + int(self.ahead_s * 1e9)

    def monotonic_wall(self) -> float:
        """Return wall seconds that never go back; they go on while the process is stopped."""
        return time.monotonic()

    def block(self, wall_s: float) -> None:
        """Stop this thread for so many wall seconds: for programs that have no event loop."""
        time.sleep(wall_s)

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many cluster seconds."""
        import asyncio

        await asyncio.sleep(max(0.0, self._timescale.wall(duration_s)))

    def timeout(self, within_s: float | None) -> asyncio.Timeout:
        """Return an async context whose block may take so many cluster seconds."""
        return _timeout()(None if within_s is None else self._timescale.wall(within_s))

    def timeout_wall(self, within_wall_s: float | None) -> asyncio.Timeout:
        """Return an async context whose block may take so many wall seconds."""
        return _timeout()(within_wall_s)

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call a function in so many cluster seconds."""
        return _running_loop()().call_later(self._timescale.wall(within_s), callback, *args)

    def call_later_wall(self, within_wall_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call a function in so many wall seconds."""
        return _running_loop()().call_later(within_wall_s, callback, *args)


@functools.cache  # an import, also of what is there already, costs as much as what is done with it here
def _running_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    from asyncio import get_running_loop

    return get_running_loop


@functools.cache
def _timeout() -> Callable[[float | None], asyncio.Timeout]:
    from asyncio import timeout

    return timeout


WALL: Final = SystemClock()
