"""The time of a decision: cluster seconds, and how timestamps are read and written (see machinery.model.clock)."""

from __future__ import annotations

from dataclasses import dataclass, field

from machinery.model.clock import Timescale


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, as an argument."""

    now_s: float  # since the epoch
    timescale: Timescale = field(default_factory=Timescale)
    monotonic_s: float = 0.0  # since no known moment: for what was seen, never for what objects say

    @property
    def text(self) -> str:
        """The moment as metav1.Time."""
        return self.timescale.format(self.now_s)

    def since(self, timestamp: str | None) -> float:
        """Return the cluster seconds since a timestamp; 0 where there is none or it lies ahead."""
        return max(0.0, self.now_s - self.timescale.parse(timestamp)) if timestamp else 0.0

    def at(self, timestamp: str | None) -> float | None:
        """Read a timestamp as cluster seconds; None where there is none."""
        return self.timescale.parse(timestamp) if timestamp else None
