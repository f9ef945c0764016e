"""Looks at what containers use when somebody asks, and at no other time: a node that nobody asks does nothing for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from kubelet.core.usage import Counter, Look, Windows, base_of, read_look, windows
from machinery.model.clock import Clock

_LEAST_S: Final = 5.0  # cluster seconds that a window has, where there were looks in time
_MOST_S: Final = 60.0  # ... and at most: what was long ago says nothing about now
_FIRST_S: Final = 1.0  # wall seconds between the two looks of whoever has not asked for long
_SHORT_S: Final = 0.5  # wall seconds: in less, whatever the time scale, a few turns of the scheduler decide


class StatsRuntime(Protocol):
    """What this needs of the CRI client."""

    async def sandbox_stats(self) -> Iterable[Any]:
        """Return what each pod of the node uses, as CRI's PodSandboxStats."""
        ...


class UsageWindows:
    """Answers for one node; several who ask at once get the same answer.

    `node` reads what the node uses in all; None where its pods are all that there is, as where they are simulated.
    """

    def __init__(self, runtime: StatsRuntime, node: Callable[[], Counter | None], clock: Clock) -> None:
        self._runtime = runtime
        self._node = node
        self._clock = clock
        self._looks: deque[Look] = deque(maxlen=16)
        self._asking = asyncio.Lock()
        self._answer: Windows | None = None

    async def read(self) -> Windows:
        """Return what was used lately; takes as long as the shortest window where nobody has asked for a while.

        Raises:
            ApiError: the runtime does not answer.
        """
        asked_ns = self._clock.wall_ns()
        async with self._asking:
            if self._looks and self._looks[-1].at_ns >= asked_ns and self._answer is not None:
                return self._answer  # somebody has asked meanwhile
            self._answer = await self._read()
            return self._answer

    async def _read(self) -> Windows:
        now = await self._look()
        most_ns = self._ns(_MOST_S, 4 * _FIRST_S)
        base = base_of(self._looks, now, self._ns(_LEAST_S, _SHORT_S), most_ns)
        if base is not None:
            self._looks.append(now)
            return windows((base,), now)
        earlier = [each for each in self._looks if now.at_ns - each.at_ns <= most_ns]
        await self._clock.sleep_wall(_FIRST_S)
        last = await self._look()
        self._looks.append(last)
        return windows((*earlier[-1:], now), last)

    async def _look(self) -> Look:
        stats = await self._runtime.sandbox_stats()
        return read_look(self._clock.wall_ns(), self._node(), stats)

    def _ns(self, cluster_s: float, least_wall_s: float) -> int:
        return int(max(self._clock.timescale.wall(cluster_s), least_wall_s) * 1e9)
