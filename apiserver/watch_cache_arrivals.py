"""A kind that was added while the feed runs: its objects are read while the store's watch goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from apiserver.storage.interface import StorageEvent, Stored
from apiserver.watch_cache import WatchCache


class Arrival:
    """Takes the events of a kind in the place of its cache, until that is filled."""

    def __init__(self, cache: WatchCache) -> None:
        self.cache = cache
        self.done = asyncio.Event()  # the cache is filled, or the kind is gone again
        self._events: list[StorageEvent] = []
        self._has_gap = False

    @property
    def has_gap(self) -> bool:
        """Whether events may be missing since `begin`: the objects have to be read again."""
        return self._has_gap

    def apply(self, event: StorageEvent) -> None:
        """Keep a write of the store for the cache."""
        self._events.append(event)

    def begin(self) -> None:
        """Note that the objects are read from here on."""
        self._has_gap = False

    def lose_track(self) -> None:
        """Note that nobody knows what was written since the last event."""
        self._events.clear()
        self._has_gap = True

    def fill(self, items: Sequence[Stored], revision: int) -> None:
        """Fill the cache with the objects of a revision that the store's watch has passed."""
        self.cache.replace(items, revision)
        for event in self._events:
            if event.revision > revision:
                self.cache.apply(event)
        self.done.set()
