"""What a watch cache keeps of the past: bounded by number and by bytes, and only the latest as the doors wrote it."""

from __future__ import annotations

import gc

import msgspec
import pytest

from apiserver.core.kinds import KINDS
from apiserver.objects import PackedObject
from apiserver.request import SharedEvent
from apiserver.storage.interface import StorageEvent
from apiserver.watch_cache import RECENT, WINDOW, WINDOW_BYTES, WatchCache
from apiserver.watch_cache_selection import Selected
from machinery.model.errors import Expired
from machinery.model.requests import EventType
from tests.support.apiserver import config_map

MAPS = KINDS["", "configmaps"]
MIB = 1024 * 1024


@pytest.fixture
def cache() -> WatchCache:
    """An empty cache at revision 0."""
    return WatchCache(MAPS)


def write(cache: WatchCache, revisions: range, *, size: int = 10) -> None:
    """Write one object again and again."""
    key = f"{MAPS.storage_prefix}/default/a"
    for revision in revisions:
        value = msgspec.json.encode({**config_map("a"), "data": {"a": "x" * size, "b": str(revision)}})
        cache.apply(StorageEvent(key, value, revision))


def reaches_back_to(cache: WatchCache, newest: int) -> int:
    """Find the oldest revision after which a watch may start."""

    def may_start(after: int) -> bool:
        try:
            cache.watch(Selected(), after, bookmarks=False).end(None)
        except Expired:
            return False
        return True

    return next(after for after in range(newest + 1) if may_start(after))


def test_a_window_of_large_objects_is_shorter(cache: WatchCache) -> None:
    """It holds as many bytes, not as many changes: two thousand of a megabyte would be two gigabytes."""
    write(cache, range(1, 41), size=MIB - 1_000)
    assert 40 - reaches_back_to(cache, 40) == WINDOW_BYTES // MIB


def test_a_window_of_small_objects_is_bounded_by_number(cache: WatchCache) -> None:
    """And a view in another version, made of a full one, has the same bounds."""
    write(cache, range(1, WINDOW + 11))
    assert reaches_back_to(cache, WINDOW + 10) == 10
    view = cache.view(MAPS)
    write(cache, range(WINDOW + 11, WINDOW + 51), size=MIB - 1_000)
    for each in (cache, view):
        assert WINDOW + 50 - reaches_back_to(each, WINDOW + 50) == WINDOW_BYTES // MIB


@pytest.mark.deep
def test_events_are_kept_of_the_latest_changes_only(cache: WatchCache) -> None:
    """A hundred, whoever watches, and however far back others begin."""
    before = events_alive()
    early = cache.watch(Selected(), 0, bookmarks=False)
    write(cache, range(1, 1_001))
    early.end(None)
    late = cache.watch(Selected(), 0, bookmarks=False)
    assert events_alive() - before >= 1_000
    late.end(None)
    del early, late
    assert events_alive() - before <= RECENT + 1


def events_alive() -> int:
    """Count the events that somebody holds."""
    gc.collect()
    return sum(isinstance(each, SharedEvent) for each in gc.get_objects())


def told(cache: WatchCache) -> list[tuple[EventType, bytes]]:
    """What a watcher from the beginning is told."""
    watcher = cache.watch(Selected(), 0, bookmarks=False)
    watcher.end(None)
    events: list[tuple[EventType, bytes]] = []

    async def read() -> None:
        async for batch in watcher:
            events.extend((event.type, event.json) for event in batch)

    with pytest.raises(StopIteration):
        read().send(None)
    return events


def packed_of(cache: WatchCache) -> list[bool]:
    """Whether the state before each change is packed, and the one after it."""
    return [
        isinstance(each, PackedObject)
        for change in cache.window()
        for each in (change.old, change.new)
        if each
    ]


def test_history_is_packed_where_nothing_happens(cache: WatchCache) -> None:
    """Except for what the objects are now; watchers, and a view in another version, are told the same."""
    write(cache, range(1, 4), size=2_000)
    key = f"{MAPS.storage_prefix}/default/a"
    cache.apply(StorageEvent(key, None, 4))
    write(cache, range(5, 7), size=2_000)
    before = told(cache)
    list(cache.pack())
    assert not any(packed_of(cache))  # something was written since the last look
    list(cache.pack())
    assert packed_of(cache) == [True] * 8 + [False]
    assert told(cache) == before == told(cache.view(MAPS))
    assert [type_ for type_, _ in before].count(EventType.DELETED) == 1
    write(cache, range(7, 8), size=2_000)
    assert told(cache)[: len(before)] == before
    list(cache.pack())
    assert packed_of(cache) == [True] * 8 + [False] * 3


def test_small_objects_are_not_packed(cache: WatchCache) -> None:
    """They would not become smaller."""
    write(cache, range(1, 4))
    for _ in range(3):
        list(cache.pack())
    assert not any(packed_of(cache))
