"""What the controller remembers of each autoscaler while it leads; a new process begins with what it finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from machinery.model.k8s.autoscaling_v2 import HorizontalPodAutoscalerSpec

_LONGEST_WINDOW_S: Final = 3600  # that a stabilization may look back
_LONGEST_PERIOD_S: Final = 1800  # of a scaling policy


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How many pods its metrics asked for, before that was stabilized and limited; when is monotonic."""

    replicas: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """By how many pods it has scaled, up (above 0) or down."""

    change: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered of one."""

    synced_s: float | None = None  # when it was its turn, monotonic
    spec: HorizontalPodAutoscalerSpec | None = None  # and what it said then
    selector: str | None = None  # of the pods that it scales, as its target's Scale says
    recommendations: tuple[Recommendation, ...] = ()
    scaled: tuple[Scaled, ...] = ()

    def recommended(self, replicas: int, now_s: float) -> Memory:
        """Return it with one more recommendation."""
        recent = (each for each in self.recommendations if now_s - each.at_s <= _LONGEST_WINDOW_S)
        return replace(self, recommendations=(*recent, Recommendation(replicas, now_s)))

    def scaled_by(self, change: int, now_s: float) -> Memory:
        """Return it with one more change of size."""
        recent = (each for each in self.scaled if now_s - each.at_s <= _LONGEST_PERIOD_S)
        return replace(self, scaled=(*recent, Scaled(change, now_s)))

    def change_within(self, period_s: float, now_s: float) -> int:
        """Return by how many pods it has grown in the last seconds, all in all."""
        return sum(each.change for each in self.scaled if each.at_s > now_s - period_s)


EMPTY: Final = Memory()
