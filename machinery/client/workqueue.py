"""The queue between watch events and workers.

For every key:

- it stands in the queue at most once, however often it is added;
- no two workers have it at the same time;
- added while a worker has it, it comes again after `done`: no change is missed;
- keys come out in the order in which they were first added.

So a worker reads the state of the world when it gets a key; what happened in between is not told. A key carries
the causes it was added with (the object revisions), for the requests that its worker will make.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable
from itertools import count
from typing import Final, Generic, TypeVar

from machinery.client.queue_tally import QueueTally
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.wire.cause_headers import LIMIT

K = TypeVar("K", bound=Hashable)

DEFAULT_BACKOFF: Final = Backoff(initial_s=0.005, cap_s=1000.0)  # client-go's per-item limiter


class WorkQueue(Generic[K]):
    """A queue of keys. All methods belong to one event loop; only `get` waits."""

    def __init__(
        self, clock: Clock, backoff: Backoff = DEFAULT_BACKOFF, *, jitter: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._jitter = jitter
        self.tally = QueueTally()
        self._order: deque[K] = deque()
        self._dirty: dict[K, float] = {}  # to be worked on, and since when: monotonic wall seconds
        self._processing: dict[K, float] = {}  # the same of those that a worker has
        self._timers: list[tuple[float, int, K]] = []
        self._numbers = count()
        self._failures: dict[K, int] = {}
        self._causes: dict[K, dict[CauseRef, None]] = {}  # of keys to be worked on; newest last
        self._acting: dict[K, tuple[CauseRef, ...]] = {}  # of keys that a worker has
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of keys that wait for a worker."""
        return len(self._order)

    def add(self, key: K, cause: CauseRef | None = None) -> None:
        """Add a key to be worked on."""
        self.note_cause(key, cause)
        if key in self._dirty:
            return
        self._dirty[key] = self._clock.monotonic_wall()
        self.tally.adds += 1
        if key not in self._processing:
            self._order.append(key)
            self._changed.set()

    def add_after(self, key: K, delay_s: float, cause: CauseRef | None = None) -> None:
        """Add a key to be worked on so many cluster seconds from now."""
        if delay_s <= 0:
            self.add(key, cause)
            return
        self.note_cause(key, cause)
        heapq.heappush(self._timers, (self._clock.monotonic() + delay_s, next(self._numbers), key))
        self._changed.set()

    def add_rate_limited(self, key: K) -> None:
        """Add a key to be worked on after its backoff, which grows with each call until `forget`.

        Called by the key's worker, it keeps the causes that the worker acted on.
        """
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        self.tally.retries += 1
        for cause in self._acting.get(key, ()):
            self.note_cause(key, cause)
        self.add_after(key, self._backoff.delay(failures, jitter=self._jitter()))

    def forget(self, key: K) -> None:
        """Start the key's backoff anew."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Return how often the key was added rate limited since it was last forgotten."""
        return self._failures.get(key, 0)

    def causes(self, key: K) -> tuple[CauseRef, ...]:
        """Return the causes of a key that a worker has."""
        return self._acting.get(key, ())

    def unfinished_s(self) -> list[float]:
        """Return how long each key has been with its worker, in wall seconds."""
        now_s = self._clock.monotonic_wall()
        return [now_s - got_s for got_s in self._processing.values()]

    async def get(self) -> K:
        """Return the next key; the worker calls `done` with it, whatever happens."""
        while True:
            self._fire_timers()
            if self._order:
                return self._take()
            self._changed.clear()
            await event_within(self._changed, self._clock, self._until_next_timer())

    def done(self, key: K) -> None:
        """Finish with a key; it comes again if it was added meanwhile."""
        got_s = self._processing.pop(key)
        self.tally.worked.add(self._clock.monotonic_wall() - got_s)
        self._acting.pop(key, None)
        if key in self._dirty:
            self._order.append(key)
            self._changed.set()

    def _take(self) -> K:
        key = self._order.popleft()
        now_s = self._clock.monotonic_wall()
        self.tally.waited.add(now_s - self._dirty.pop(key))
        self._processing[key] = now_s
        self._acting[key] = tuple(self._causes.pop(key, {}))
        return key

    def _fire_timers(self) -> None:
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self.add(heapq.heappop(self._timers)[2])

    def _until_next_timer(self) -> float | None:
        return max(0.0, self._timers[0][0] - self._clock.monotonic()) if self._timers else None

    def note_cause(self, key: K, cause: CauseRef | None) -> None:
        """Note one more cause of a key that is to come, sooner or later."""
        if cause is None:
            return
        causes = self._causes.setdefault(key, {})
        causes.pop(cause, None)
        causes[cause] = None
        while len(causes) > LIMIT:
            del causes[next(iter(causes))]
