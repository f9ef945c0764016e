"""How long plugins take, counted: they are on the way of every write, so that this costs a fraction of a microsecond."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

BOUNDS_S: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)  # of the ranges, as in Kubernetes
_FAST_S: Final = BOUNDS_S[0]

Counted: TypeAlias = list[float]
"""How many durations were in each range, in the last one those above all bounds; then their sum."""


def _nothing() -> Counted:
    return [0] * (len(BOUNDS_S) + 2)


class Tally:
    """The durations of one part of admission, by the verb of the request: of what it has let through, and refused."""

    __slots__ = ("done", "refused")

    def __init__(self) -> None:
        self.done: defaultdict[str, Counted] = defaultdict(_nothing)
        self.refused: defaultdict[str, Counted] = defaultdict(_nothing)


def count(counted: Counted, took_s: float) -> None:
    """Count a duration."""
    counted[0 if took_s <= _FAST_S else bisect_left(BOUNDS_S, took_s)] += 1
    counted[-1] += took_s


class Meter(Protocol):
    """Who wants to know how long plugins take."""

    @property
    def now(self) -> Callable[[], float]:
        """What returns the time, in seconds."""
        ...

    def tally(self, plugin: str, stage: str) -> Tally:
        """Return where the durations of a plugin in a stage (admit, validate) are counted."""
        ...
