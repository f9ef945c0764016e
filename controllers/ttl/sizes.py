"""How long a kubelet may keep something, by how many nodes there are: the more, the longer."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """A size of cluster. Steps overlap, so that a node that comes and goes does not have all others rewritten each time."""

    least: int  # nodes; with fewer, it is the step before
    most: float  # nodes; with more, it is the step after
    ttl_s: int


STEPS: Final = (
    Step(0, 100, 0),
    Step(90, 500, 15),
    Step(450, 1000, 30),
    Step(900, 2000, 60),
    Step(1800, inf, 300),
)


class Size:
    """How many nodes there are, and which step that is."""

    def __init__(self) -> None:
        self._nodes = 0
        self._step = 0

    @property
    def ttl_s(self) -> int:
        """How long a kubelet may keep something."""
        return STEPS[self._step].ttl_s

    def one_more(self) -> None:
        """Count a node that comes."""
        self._nodes += 1
        self._step += self._nodes > STEPS[self._step].most

    def one_less(self) -> None:
        """Count a node that goes."""
        self._nodes -= 1
        self._step -= self._nodes < STEPS[self._step].least
