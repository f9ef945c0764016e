"""Exponential backoff as arithmetic: who counts failures and who waits is somebody else's business."""

from __future__ import annotations

from dataclasses import dataclass

_LARGEST_EXPONENT = 1_000.0  # above it the power would overflow; any cap is reached long before


@dataclass(frozen=True, slots=True)
class Backoff:
    """`initial_s` after the first failure, `factor` times more after each further one, never above `cap_s`."""

    initial_s: float
    cap_s: float
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not (self.initial_s >= 0 and self.cap_s >= self.initial_s and self.factor >= 1):
            raise ValueError(f"a backoff grows from its start to its cap: {self}")

    def delay(self, failures: int, *, jitter: float = 0.0) -> float:
        """Return the seconds to wait after so many failures in a row; 0 after none.

        `jitter`, a random number in [0, 1) that the caller draws, takes that share of half the delay away, so
        the result lies between half the delay and the delay, and never above the cap.
        """
        if failures <= 0:
            return 0.0
        exponent = min(failures - 1.0, _LARGEST_EXPONENT)
        try:
            full = min(self.cap_s, self.initial_s * float(self.factor**exponent))
        except OverflowError:
            full = self.cap_s
        return full * (1 - jitter / 2)
