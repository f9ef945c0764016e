"""How long a key rests whose plan goes through many objects, so that a stream of changes does not have it made for each.

A plan for an owner of 5,000 pods takes 5,000 times as long as one for a single pod, and 5,000 pods that start bring
thousands of changes. A rest that grows with the number of objects keeps the share of a core that such a key takes the same
for any number. The first change after a rest is acted on at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SMALL: Final = 100  # objects, up to which a key does not rest
PER_OBJECT_S: Final = 0.0002  # cluster seconds; a plan takes 10 to 30 microseconds for each
LONGEST_S: Final = 2.0


def rest_s(size: int) -> float:
    """Return how long a key rests after a plan that goes through so many objects."""
    return min(LONGEST_S, max(0, size - SMALL) * PER_OBJECT_S)


class Rests(Generic[K]):
    """The keys of one controller that rest."""

    def __init__(self) -> None:
        self._until_s: dict[K, float] = {}  # monotonic

    def begin(self, key: K, size: int, now_s: float) -> None:
        """Note that a plan for the key begins, which goes through so many objects."""
        rest = rest_s(size)
        if rest:
            self._until_s[key] = now_s + rest
        else:
            self._until_s.pop(key, None)

    def left_s(self, key: K, now_s: float) -> float:
        """Return how long the key rests yet: 0 or less where it does not."""
        return self._until_s.get(key, now_s) - now_s
