"""What a work queue counts of itself: plain numbers, which cost next to nothing; whoever has metrics renders them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

BUCKETS_S: Final = tuple(10.0**power for power in range(-6, 4))


@dataclass(slots=True)
class Durations:
    """How often something took how long, in wall seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0

    def add(self, took_s: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS_S, took_s)] += 1
        self.total_s += took_s


@dataclass(slots=True)
class QueueTally:
    """The numbers of one queue since it was made."""

    adds: int = 0  # without those of keys that stood in the queue already
    retries: int = 0  # of them, those that were added rate limited
    waited: Durations = field(default_factory=Durations)  # from being added to being got
    worked: Durations = field(default_factory=Durations)  # from being got to `done`
