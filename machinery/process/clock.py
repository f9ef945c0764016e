"""The one module that reads the system's clock."""

from __future__ import annotations

import asyncio
import time

from machinery.model.clock import Timescale


class SystemClock:
    """Real time, `scale` times as fast: implements `machinery.model.clock.Clock`."""

    def __init__(self, scale: float = 1.0) -> None:
        self._timescale = Timescale(scale)

    @property
    def timescale(self) -> Timescale:
        """The mapping between wall time and cluster seconds."""
        return self._timescale

    def now(self) -> float:
        """Give cluster seconds since the epoch."""
        return self._timescale.cluster(time.time())

    def monotonic(self) -> float:
        """Give cluster seconds that never go back; they go on while the process is stopped."""
        return self._timescale.cluster(time.monotonic())

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many cluster seconds."""
        await asyncio.sleep(max(0.0, self._timescale.wall(duration_s)))
