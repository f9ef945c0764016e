"""Nodes that look alike to all scores except the absolute one, and in them the nodes by that score.

Scores that are normalized over all candidates (taints, preferences, spreading) depend on few facts of a node; nodes
that share these facts form one LikeNodes. Inside it the absolute score decides, so the best nodes of a cluster are the
best nodes of one or more classes: nobody has to look at each node again for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scheduler.core.framework import Fact
from scheduler.core.node import NodeInfo

NOWHERE: Final = -1


class LikeNodes:
    """Candidates with the same raw scores, of those that are normalized, and the same fact for each relation.

    A node that relations look at by itself, for it is kept for other pods, is in a class of its own: `held` is the node with them.
    """

    __slots__ = ("_buckets", "facts", "held", "raw", "size", "top")

    def __init__(self, raw: tuple[int, ...], facts: tuple[Fact, ...], held: NodeInfo | None = None) -> None:
        self.raw = raw
        self.facts = facts
        self.held = held
        self.size = 0
        self.top = NOWHERE  # the highest absolute score
        self._buckets: dict[int, list[int]] = {}

    def best(self) -> list[int]:
        """Return the indexes of the nodes with the highest score."""
        return self._buckets[self.top]

    def scored(self) -> Iterator[tuple[int, int]]:
        """Yield the index of each node with its absolute score."""
        return ((index, score) for score, indexes in self._buckets.items() for index in indexes)

    def add(self, index: int, score: int) -> int:
        """Put a node in; return its position among those with its score."""
        bucket = self._buckets.setdefault(score, [])
        bucket.append(index)
        self.size += 1
        self.top = max(self.top, score)
        return len(bucket) - 1

    def remove(self, score: int, position: int) -> tuple[int, int]:
        """Remove a node; return the node that now has its position (itself, if it was the last), and that."""
        bucket = self._buckets[score]
        last = bucket.pop()
        if position < len(bucket):
            bucket[position] = last
        self.size -= 1
        if not bucket:
            del self._buckets[score]
            if score == self.top:
                self.top = max(self._buckets, default=NOWHERE)
        return last, position
