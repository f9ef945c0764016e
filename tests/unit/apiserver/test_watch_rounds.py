"""When watchers are told: alone at once, together after a rest; and what a rest must never lose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain

import msgspec
import pytest

from apiserver import watch_cache_audience, watch_cache_watcher
from apiserver.core.kinds import KINDS
from apiserver.request import SharedBatch
from apiserver.storage.interface import StorageEvent
from apiserver.watch_cache import WatchCache
from apiserver.watch_cache_audience import AT_ONCE
from apiserver.watch_cache_selection import Selected
from apiserver.watch_cache_watcher import BATCH_LIMIT, QUEUE_LIMIT, Watcher
from machinery.model.requests import EventType
from tests.support.apiserver import config_map

MAPS = KINDS["", "configmaps"]


@pytest.fixture
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a rest of 0.1 s follow every round: longer than what a test does in it."""
    monkeypatch.setattr(watch_cache_audience, "REST_S", 1.0)
    monkeypatch.setattr(watch_cache_audience, "LONGEST_REST_S", 0.1)


@pytest.fixture
def cache() -> WatchCache:
    """An empty cache at revision 0."""
    return WatchCache(MAPS)


class Door:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.batches: list[SharedBatch] = []
        self.is_full = False
        self._room = asyncio.Event()

    @property
    def told(self) -> list[int]:
        return list(chain.from_iterable(self.revisions))

    @property
    def revisions(self) -> list[list[int]]:
        return [[event.revision for event in batch] for batch in self.batches if batch]

    def write(self, batch: SharedBatch) -> bool:
        self.batches.append(batch)
        return not self.is_full

    async def drained(self) -> None:
        if self.is_full:
            await self._room.wait()

    def empty(self) -> None:
        self.is_full = False
        self._room.set()


class Broken(Door):
    """A sink that cannot write what it gets."""

    def write(self, batch: SharedBatch) -> bool:
        if batch:
            raise ValueError("a broken door")
        return True


@pytest.fixture
def deliveries() -> Iterator[list[asyncio.Task[None]]]:
    """Tasks that end with the test."""
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()


async def _watch(
    cache: WatchCache, door: Door, tasks: list[asyncio.Task[None]], *, bookmarks: bool = False
) -> Watcher:
    watcher = cache.watch(Selected(), cache.revision, bookmarks=bookmarks)
    tasks.append(asyncio.ensure_future(watcher.deliver(door)))
    await asyncio.sleep(0)
    return watcher


def _write(cache: WatchCache, *revisions: int, size_bytes: int = 0) -> None:
    value = msgspec.json.encode(config_map("one", key="x" * size_bytes))
    for revision in revisions:
        cache.apply(StorageEvent(f"{MAPS.storage_prefix}/default/one", value, revision))


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _told(door: Door, count: int) -> None:
    async with asyncio.timeout(15):
        while len(door.told) < count:
            await asyncio.sleep(0.001)


async def _in_a_rest(
    cache: WatchCache, tasks: list[asyncio.Task[None]], *, bookmarks: bool = False
) -> tuple[Door, Watcher]:
    """Bring a cache into the rest after revision 1, with one watcher."""
    door = Door()
    watcher = await _watch(cache, door, tasks, bookmarks=bookmarks)
    _write(cache, 1)
    await _turns()
    assert door.revisions == [[1]]
    return door, watcher


async def test_a_lone_event_is_told_at_once(cache: WatchCache, deliveries: list[asyncio.Task[None]]) -> None:
    """Nobody waits for others that may never come."""
    door = Door()
    await _watch(cache, door, deliveries)
    for revision in (1, 2):
        _write(cache, revision)
        await _told(door, revision)
    assert door.revisions == [[1], [2]]


async def test_events_of_one_turn_go_together(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """What etcd tells at once is one write to each watcher."""
    door = Door()
    await _watch(cache, door, deliveries)
    _write(cache, 1, 2, 3)
    await _turns()
    assert door.revisions == [[1, 2, 3]]


async def test_large_objects_are_written_with_turns_between(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Whether they come at once, wait for a watcher that is full, or are its initial ones; in order, none divided."""
    ready, full = Door(), Door()
    full.is_full = True
    await _watch(cache, ready, deliveries)
    await _watch(cache, full, deliveries)
    _write(cache, *range(1, 31), size_bytes=200_000)
    await _turns()
    full.empty()
    late = Door()
    deliveries.append(asyncio.ensure_future(cache.watch(Selected(), 0, bookmarks=False).deliver(late)))
    for door in (ready, full, late):
        await _told(door, 30)
        assert door.told == list(range(1, 31))
        assert max(sum(len(event.json) for event in batch) for batch in door.batches) < 600_000
        assert len(door.revisions) == 15


async def test_one_object_is_written_however_large_it_is(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Alone."""
    door = Door()
    await _watch(cache, door, deliveries)
    _write(cache, 1, 2, size_bytes=900_000)
    await _told(door, 2)
    assert door.revisions == [[1], [2]]


async def test_a_turn_ends_after_so_many_bytes(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """However few watchers were told by then."""
    doors = [Door() for _ in range(40)]
    for door in doors:
        await _watch(cache, door, deliveries)
    _write(cache, 1, size_bytes=900_000)
    await _turns(2)
    told = sum(bool(door.told) for door in doors)
    assert 0 < told < 30
    for door in doors:
        await _told(door, 1)


@pytest.mark.usefixtures("long_rests")
async def test_events_that_come_in_a_rest_go_together(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """After a round that cost something the next one waits, and has all that has come."""
    door, _ = await _in_a_rest(cache, deliveries)
    for revision in (2, 3, 4):
        _write(cache, revision)
        await _turns()
    assert door.revisions == [[1]]
    await _told(door, 4)
    assert door.revisions == [[1], [2, 3, 4]]


async def test_a_rest_follows_where_many_were_told(
    cache: WatchCache, deliveries: list[asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One watcher costs too little for that: the next event is told in the next turns, too."""
    monkeypatch.setattr(watch_cache_audience, "REST_S", 0.9e-3)
    monkeypatch.setattr(watch_cache_audience, "LONGEST_REST_S", 0.1)
    door = Door()
    await _watch(cache, door, deliveries)
    for revision in (1, 2):
        _write(cache, revision)
        await _turns()
    assert door.revisions == [[1], [2]]
    for _ in range(AT_ONCE):
        await _watch(cache, Door(), deliveries)
    for revision in (3, 4, 5):
        _write(cache, revision)
        await _turns()
    await _told(door, 5)
    assert door.revisions[2:] == [[3], [4, 5]]


async def test_a_batch_is_made_and_encoded_once(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Watchers of one selection that are in the same place get the same batch."""
    doors = [Door(), Door(), Door()]
    for door in doors:
        await _watch(cache, door, deliveries)
    _write(cache, 1, 2)
    await _turns()
    (first,), encoded = {id(door.batches[-1]) for door in doors}, []
    assert first == id(doors[0].batches[-1])
    for door in doors:
        door.batches[-1].frame("test", lambda event: encoded.append(event) or b"x")  # type: ignore[func-returns-value]
    assert [event.revision for event in encoded] == [1, 2]


@pytest.mark.usefixtures("long_rests")
async def test_who_iterates_waits_for_no_round(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Components hear of an event in the turn after it; a batch has what came before they looked."""
    door, _ = await _in_a_rest(cache, deliveries)
    batches = aiter(cache.watch(Selected(), 1, bookmarks=False))
    assert list(await anext(batches)) == []
    _write(cache, 2)
    told = asyncio.ensure_future(anext(batches))
    await _turns()
    assert told.done()
    assert [event.revision for event in told.result()] == [2]
    _write(cache, 3)
    _write(cache, 4)
    assert [event.revision for event in await anext(batches)] == [3, 4]
    assert door.revisions == [[1]]


@pytest.mark.usefixtures("long_rests")
async def test_who_joins_in_a_rest_gets_every_event_once(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """What was in its first batch is not told again in the next round."""
    door, _ = await _in_a_rest(cache, deliveries)
    _write(cache, 2, 3)
    late = Door()
    watcher = cache.watch(Selected(), 1, bookmarks=False)
    deliveries.append(asyncio.ensure_future(watcher.deliver(late)))
    await _turns()
    _write(cache, 4)
    await _told(late, 3)
    assert late.revisions == [[2, 3], [4]]
    assert door.revisions == [[1], [2, 3, 4]]


@pytest.mark.usefixtures("long_rests")
async def test_a_bookmark_comes_after_what_it_stands_for(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """A client that goes on from it would miss what had to wait for the next round."""
    door, _ = await _in_a_rest(cache, deliveries, bookmarks=True)
    _write(cache, 2)
    cache.send_bookmarks()
    assert [[event.type for event in batch] for batch in door.batches[-2:]] == [
        [EventType.MODIFIED],
        [EventType.BOOKMARK],
    ]
    assert door.revisions == [[1], [2], [2]]


@pytest.mark.usefixtures("long_rests")
async def test_the_last_bookmark_of_a_watch_comes_after_what_it_stands_for(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """The same holds at the end of a watch's time."""
    door, watcher = await _in_a_rest(cache, deliveries, bookmarks=True)
    watcher.end_after(0, cache.bookmark)
    _write(cache, 2)
    async with asyncio.timeout(15):
        await deliveries[0]
    assert door.revisions == [[1], [2], [2]]
    assert [event.type for event in door.batches[-1]] == [EventType.BOOKMARK]


@pytest.mark.usefixtures("long_rests")
async def test_a_watch_that_ends_has_been_told_everything(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """An end does not wait for the next round, nor do the events before it."""
    door, _ = await _in_a_rest(cache, deliveries)
    _write(cache, 2)
    cache.end_watches()
    await deliveries[0]
    assert door.revisions == [[1], [2]]


async def test_many_watchers_are_told_in_several_turns(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Requests go on between; an event that comes in the middle is told to everybody once."""
    doors = [Door() for _ in range(2 * AT_ONCE + 1)]
    for door in doors:
        await _watch(cache, door, deliveries)
    _write(cache, 1)
    await asyncio.sleep(0)
    assert sum(len(door.revisions) for door in doors) == AT_ONCE
    _write(cache, 2)
    for door in doors:
        await _told(door, 2)
    assert doors[0].revisions == [[1], [2]]
    assert doors[-1].revisions == [[1, 2]]
    assert all(door.told == [1, 2] for door in doors)


async def test_a_door_that_fails_keeps_nobody_else_waiting(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Its own task gets the error; the others get this event and the next."""
    broken, door = Broken(), Door()
    await _watch(cache, broken, deliveries)
    await _watch(cache, door, deliveries)
    _write(cache, 1)
    await _told(door, 1)
    _write(cache, 2)
    await _told(door, 2)
    with pytest.raises(ValueError, match="a broken door"):
        await deliveries[0]


async def test_a_watcher_that_takes_nothing_is_ended_with_what_it_has(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Its queue is bounded; what is in it comes without a gap, in batches that are not too large."""
    door = Door()
    await _watch(cache, door, deliveries)
    door.is_full = True
    last = QUEUE_LIMIT + 3 * BATCH_LIMIT
    for revision in range(1, last + 1):
        _write(cache, revision)
        await asyncio.sleep(0)
    door.empty()
    async with asyncio.timeout(15):
        await deliveries[0]
    assert door.told == list(range(1, len(door.told) + 1))
    assert QUEUE_LIMIT < len(door.told) < last
    assert max(map(len, door.batches)) <= BATCH_LIMIT


async def test_a_watcher_that_takes_nothing_of_large_objects_is_ended_sooner(
    cache: WatchCache, deliveries: list[asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is bounded in bytes, too: who takes what comes has all of it."""
    monkeypatch.setattr(watch_cache_watcher, "QUEUE_BYTES", 100_000)
    slow, quick, size_bytes = Door(), Door(), 2_000
    watcher = await _watch(cache, slow, deliveries)
    await _watch(cache, quick, deliveries)
    slow.is_full = True
    for revision in range(1, 101):
        _write(cache, revision, size_bytes=size_bytes)
        await _told(quick, revision)
    assert sum(batch.size_bytes for batch in watcher._queue) < 2 * 100_000
    slow.empty()
    async with asyncio.timeout(15):
        await deliveries[0]
    assert slow.told == list(range(1, len(slow.told) + 1))
    assert 100_000 // (2 * size_bytes) < len(slow.told) < 100
    assert not deliveries[1].done()


async def test_what_everybody_was_told_is_not_kept(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """However many events there have been: they are told, and nothing remembers them to be told again."""
    door = Door()
    await _watch(cache, door, deliveries)
    for revision in range(1, 50):
        _write(cache, revision)
        await _told(door, revision)
    [audience] = cache._audiences.values()
    assert not audience._news


async def test_a_flood_in_one_turn_is_told_in_pieces(
    cache: WatchCache, deliveries: list[asyncio.Task[None]]
) -> None:
    """Who takes all that comes is not too slow, however much comes at once."""
    door = Door()
    await _watch(cache, door, deliveries)
    _write(cache, *range(1, 3 * BATCH_LIMIT))
    await _turns()
    assert door.told == list(range(1, 3 * BATCH_LIMIT))
    assert max(map(len, door.batches)) <= BATCH_LIMIT
