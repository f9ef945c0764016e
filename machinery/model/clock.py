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

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timescale:
    """The linear mapping between wall time and cluster seconds."""

    scale: float = 1.0  # cluster seconds in a wall second; > 0

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"the time scale has to be above 0, not {self.scale}")

    def parse(self, timestamp: str) -> float:
        """Give the cluster seconds of an RFC 3339 timestamp.

        Raises:
            ValueError: the text is no RFC 3339 timestamp.
        """
        return (datetime.fromisoformat(timestamp) - _EPOCH).total_seconds() * self.scale

    def format(self, at_s: float) -> str:
        """Write cluster seconds as metav1.Time: RFC 3339, UTC, whole seconds (rounded down)."""
        return self._moment(at_s).strftime("%Y-%m-%dT%H:%M:%SZ")

    def format_micro(self, at_s: float) -> str:
        """Write cluster seconds as metav1.MicroTime: RFC 3339, UTC, six decimals."""
        return self._moment(at_s).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def wall(self, duration_s: float) -> float:
        """Give the wall seconds that a duration in cluster seconds takes."""
        return duration_s / self.scale

    def cluster(self, wall_s: float) -> float:
        """Give the cluster seconds in a number of wall seconds (since the epoch, or a duration)."""
        return wall_s * self.scale

    def _moment(self, at_s: float) -> datetime:
        return _EPOCH + timedelta(seconds=at_s / self.scale)


class Clock(Protocol):
    """The only source of time. Real in a process, virtual in a test; both in cluster seconds."""

    @property
    def timescale(self) -> Timescale:
        """The mapping to wall time, for reading and writing timestamps."""
        ...

    def now(self) -> float:
        """Give cluster seconds since the epoch, for what goes into objects or is compared with them."""
        ...

    def monotonic(self) -> float:
        """Give cluster seconds that never go back, for measuring durations."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for so many cluster seconds; returns at once (after a yield) for 0 and below."""
        ...
