"""How many pairs of a pod and a cluster were judged by the scheduler's core and by the reference alike.

The properties note each comparison that held; `tests/property/scheduler/conftest.py` prints the sums at the end of a run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class JudgedPairs:
    """Sums, by what was compared."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._known: set[bytes] = set()

    def note(
        self,
        suite: str,
        *parts: Iterable[Any],
        fits: bool,
        has_scores: bool = False,
        has_victims: bool = False,
    ) -> None:
        """Note a pair that both judged alike; `parts` are the objects of which it consists, which tell whether it is a new one.

        `has_scores`: the score of each node that fits was compared; `has_victims`: pods of lower priority would have to go.
        """
        self.counts["compared"] += 1
        digest = hashlib.blake2b(_encode((suite, [list(each) for each in parts])), digest_size=12).digest()
        if digest in self._known:
            return
        self._known.add(digest)
        self.counts["distinct"] += 1
        self.counts["fits" if fits else "fits nowhere"] += 1
        self.counts["scores"] += has_scores
        self.counts["victims"] += has_victims

    def add(self, counts: Mapping[str, int]) -> None:
        """Add what another process has counted: each property runs in one process."""
        self.counts.update(counts)

    def report(self) -> str:
        """Return the sums as a line."""
        return (
            "pairs of a pod and a cluster judged as the reference does: {distinct:,} different ones, of {compared:,} compared: "
            "{fits:,} with nodes that fit, {scores:,} of these by the score of each; "
            "{fits nowhere:,} without, by reasons, {victims:,} of these with victims"
        ).format_map(self.counts)


JUDGED: Final = JudgedPairs()
