"""Who watches one selection, and when they are told: in rounds, so that what comes close together goes together.

Telling somebody costs the same for one event as for ten: the encryption of a record, a call of the kernel, about 20 µs
in all. So a round that told many is followed by a rest, twice as long as it took. A lone event is told at once; where
events come faster than they can be told one by one, the next round has several of them for everybody, and the loop has
time for requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import Final

from apiserver.request import SharedBatch, SharedEvent
from apiserver.watch_cache_watcher import BATCH_LIMIT, Watcher
from machinery.process.clock import WALL

AT_ONCE: Final = 100  # watchers that are told in one turn of the loop: about 2 ms
BYTES_AT_ONCE: Final = 8 * 1024 * 1024  # of objects, after which the others wait for the next turn
REST_S: Final = (
    40e-6  # wall seconds for each watcher told: by their number, so that no run depends on a clock
)
SHORTEST_REST_S: Final = 1e-3  # wall seconds; after fewer watchers there is none
LONGEST_REST_S: Final = 5e-3  # wall seconds: as long as an event may wait for others


class Rounds:
    """Tells the audiences of one resource what is new."""

    def __init__(self) -> None:
        self._due: dict[Audience, None] = {}  # a set in order
        self._active = False  # in a round, or resting

    def add(self, audience: Audience) -> None:
        """Queue an audience for the next round."""
        self._due[audience] = None
        if not self._active:
            self._active = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        due, self._due = self._due, {}
        self._go_on(chain.from_iterable(audience.round() for audience in due), 0)

    def _go_on(self, telling: Iterator[int], told_before: int) -> None:
        told, size_bytes = 0, 0
        for each in telling:
            told, size_bytes = told + 1, size_bytes + each
            if told == AT_ONCE or size_bytes > BYTES_AT_ONCE:
                break
        else:
            self._rest(told_before + told)
            return
        asyncio.get_running_loop().call_soon(self._go_on, telling, told_before + told)

    def _rest(self, told: int) -> None:
        rest_s = min(REST_S * told, LONGEST_REST_S)
        if rest_s >= SHORTEST_REST_S:
            WALL.call_later_wall(rest_s, self._rested)
        else:
            self._rested()

    def _rested(self) -> None:
        self._active = bool(self._due)
        if self._due:
            asyncio.get_running_loop().call_soon(self._begin)


class Audience:
    """The watchers of one selection, and what some of them have not been told yet."""

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._news: list[SharedEvent] = []  # at most BATCH_LIMIT
        self._end = 0  # events there were in all, those of `_news` last
        self._told: dict[Watcher, int] = {}  # how many of all each watcher has; who came first is told first
        self._latest = (0, SharedBatch(()))  # the batch made last, and how many events came before it

    def __bool__(self) -> bool:
        return bool(self._told)

    def __iter__(self) -> Iterator[Watcher]:
        return iter(list(self._told))

    def join(self, watcher: Watcher) -> None:
        """Add a watcher: it is sent what comes from now on."""
        self._told[watcher] = self._end

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher, after it is sent what is left. Idempotent."""
        self.tell(watcher)
        self._told.pop(watcher, None)

    def add(self, event: SharedEvent) -> None:
        """Queue an event for the next round; called in order of revision.

        Who iterates is told now: that is no more than a note, and its task takes whatever there is when it wakes.
        """
        self._news.append(event)
        self._end += 1
        waiting = False
        for watcher in self:
            if watcher.is_delivered:
                waiting = True
            else:
                self.tell(watcher)
        if waiting and len(self._news) < BATCH_LIMIT:
            self._rounds.add(self)
            return
        for _ in self.round():
            pass

    def round(self) -> Iterator[int]:
        """Send everybody what they have not been sent; yields its bytes after each of them, events may come between."""
        for watcher in self:
            if self._told.get(watcher, self._end) < self._end:
                yield self.tell(watcher)
        told = min(self._told.values(), default=self._end)
        del self._news[: len(self._news) - (self._end - told)]

    def tell(self, watcher: Watcher) -> int:
        """Send a watcher what it has not been sent, before the next round; returns how many bytes that are."""
        told = self._told.get(watcher, self._end)
        if told == self._end:
            return 0
        self._told[watcher] = self._end
        batch = self._after(told)
        watcher.offer(batch)
        return batch.size_bytes

    def _after(self, told: int) -> SharedBatch:
        """Return the events after the first so many; the same batch to all that are in the same place."""
        before, batch = self._latest
        if before != told or before + len(batch) != self._end:
            batch = SharedBatch(self._news[len(self._news) - (self._end - told) :])
            self._latest = (told, batch)
        return batch
