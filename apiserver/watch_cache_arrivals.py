"""A kind that was added while the feed runs: its objects are read while the store's watch goes on.

They are read from the store; or, where a kind replaces another one that has the same objects, taken from its cache, with
the latest changes, so that who watched that one goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from apiserver.aside import aside, slices
from apiserver.objects import CachedObject
from apiserver.storage.interface import StorageEvent, Stored
from apiserver.watch_cache import Change, WatchCache

History: TypeAlias = tuple[list[CachedObject], list[Change]]


class Arrival:
    """Takes the events of a kind in the place of its cache, until that is filled."""

    def __init__(self, cache: WatchCache, since: int = 0, predecessor: WatchCache | None = None) -> None:
        self.cache = cache
        self.since = since  # every event after this revision is taken; 0: it is not known which are
        self.predecessor = (
            predecessor  # the cache of the kind that this one replaces; nothing changes it any more
        )
        self.is_being_filled = False
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
        self.since = 0
        self.predecessor = None

    async def read_anew(self, predecessor: WatchCache) -> History:
        """Return what another cache has, as the kind of this one reads it: many objects beside the event loop."""
        window = predecessor.window()
        known = {id(obj): obj for change in window for obj in (change.old, change.new) if obj}
        known |= {id(obj): obj for obj in predecessor.every()}
        made: dict[int, CachedObject | None] = {}
        for some, weight in slices(list(known.items()), lambda item: len(item[1].json)):
            found = await aside(weight, self.cache.converted, [obj for _, obj in some], predecessor.kind)
            made.update(zip((key for key, _ in some), found, strict=True))
        changes = [
            Change(each.revision, each.old and made[id(each.old)], each.new and made[id(each.new)])
            for each in window
        ]
        return [obj for obj in map(made.get, map(id, predecessor.every())) if obj], changes

    def adopt(self, history: History, predecessor: WatchCache) -> None:
        """Fill the cache with what another one has, and what has happened since."""
        self.cache.adopt(*history, predecessor.window_start)
        for event in self._events:
            self.cache.apply(event)
        self.done.set()

    def fill(self, items: Sequence[Stored], revision: int) -> None:
        """Fill the cache with the objects of a revision that the store's watch has passed."""
        self.cache.replace(items, revision)
        for event in self._events:
            if event.revision > revision:
                self.cache.apply(event)
        self.done.set()
