"""How long a failed pod is kept before it makes room for another.

A kubelet that refuses a pod would be sent the next one at once, and so on without end. So the pods that failed and were
deleted are counted, for each DaemonSet, generation of it, and node: the first one goes at once, the next after a
second, then after twice as long each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from machinery.model.backoff import Backoff

BACKOFF: Final = Backoff(initial_s=1.0, cap_s=900.0)
_FORGOTTEN_AFTER_S: Final = 2 * BACKOFF.cap_s

Place: TypeAlias = tuple[str, int, str]  # the DaemonSet's uid, its observed generation, the node


@dataclass(frozen=True, slots=True)
class _Noted:
    count: int
    last_s: float


class Failures:
    """The failed pods that were deleted lately. Times are monotonic cluster seconds."""

    def __init__(self) -> None:
        self._noted: dict[Place, _Noted] = {}  # the one that was noted longest ago first

    def note(self, place: Place, now_s: float) -> None:
        """Note that a failed pod is being deleted."""
        self._forget_old(now_s)
        before = self._noted.pop(place, None)
        self._noted[place] = _Noted(before.count + 1 if before else 1, now_s)

    def wait_s(self, place: Place, now_s: float) -> float:
        """Return how long the next failed pod is kept yet."""
        noted = self._noted.get(place)
        if noted is None or now_s - noted.last_s > _FORGOTTEN_AFTER_S:
            return 0.0
        return max(0.0, noted.last_s + BACKOFF.delay(noted.count) - now_s)

    def waits(self, uid: str, generation: int, nodes: Iterable[str], now_s: float) -> dict[str, float]:
        """Return the nodes, of some, whose failed pod is kept yet, and how long."""
        waiting = ((node, self.wait_s((uid, generation, node), now_s)) for node in nodes)
        return {node: wait_s for node, wait_s in waiting if wait_s}

    def __len__(self) -> int:
        return len(self._noted)

    def _forget_old(self, now_s: float) -> None:
        while self._noted:
            place, noted = next(iter(self._noted.items()))
            if now_s - noted.last_s <= _FORGOTTEN_AFTER_S:
                return
            del self._noted[place]
