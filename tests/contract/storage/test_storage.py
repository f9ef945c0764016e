"""What every store promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from apiserver.storage.interface import Differs, EventBatch, Moved, Storage, StorageEvent, Unmoved, Written
from apiserver.storage.measured import MeasuredStorage
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import BadRequest, Expired, TooLarge


async def revision_of(write: object) -> int:
    assert isinstance(write, Written)
    return write.revision


async def put(storage: Storage, key: str, value: bytes) -> int:
    return await revision_of(await storage.create(key, value))


async def gather(watch: AsyncIterator[EventBatch], count: int) -> list[StorageEvent]:
    """Read a watch until it has told so many events."""
    events: list[StorageEvent] = []
    async with asyncio.timeout(60):
        async for batch in watch:
            events += batch.events
            if len(events) >= count:
                return events
    raise AssertionError("the watch ended")


async def test_what_is_created_is_read_with_its_revision(storage: Storage, prefix: str) -> None:
    """A created key is read back with its bytes and the revision of the write."""
    revision = await put(storage, prefix + "a", b"one")

    stored = await storage.get(prefix + "a")

    assert stored
    assert (stored.value, stored.revision) == (b"one", revision)
    assert await storage.revision() == revision


async def test_a_key_that_is_not_there_is_none(storage: Storage, prefix: str) -> None:
    """Reading an absent key gives None."""
    assert await storage.get(prefix + "nothing") is None


async def test_a_key_is_created_once(storage: Storage, prefix: str) -> None:
    """Creating a key that is there changes nothing and gives what it holds."""
    revision = await put(storage, prefix + "a", b"one")

    outcome = await storage.create(prefix + "a", b"two")

    assert isinstance(outcome, Differs)
    assert outcome.current
    assert (outcome.current.value, outcome.current.revision) == (b"one", revision)


async def test_an_update_compares_the_revision(storage: Storage, prefix: str) -> None:
    """An update of the expected revision is written; one of an older one is refused with what is there."""
    first = await put(storage, prefix + "a", b"one")
    second = await revision_of(await storage.update(prefix + "a", b"two", first))

    outcome = await storage.update(prefix + "a", b"three", first)

    assert second > first
    assert isinstance(outcome, Differs)
    assert outcome.current
    assert (outcome.current.value, outcome.current.revision) == (b"two", second)


async def test_an_update_does_not_create(storage: Storage, prefix: str) -> None:
    """An update of a key that is gone is refused."""
    assert await storage.update(prefix + "a", b"one", 7) == Differs(None)


async def test_a_delete_compares_the_revision(storage: Storage, prefix: str) -> None:
    """A delete of an older revision is refused; of the present one it leaves nothing."""
    first = await put(storage, prefix + "a", b"one")
    second = await revision_of(await storage.update(prefix + "a", b"two", first))

    assert isinstance(await storage.delete(prefix + "a", first), Differs)
    deleted = await revision_of(await storage.delete(prefix + "a", second))

    assert deleted > second
    assert await storage.get(prefix + "a") is None


async def test_only_one_of_many_writers_wins(storage: Storage, prefix: str) -> None:
    """Of concurrent updates of one revision exactly one is written."""
    first = await put(storage, prefix + "a", b"0")

    outcomes = await asyncio.gather(*(storage.update(prefix + "a", b"%d" % n, first) for n in range(8)))

    assert sum(isinstance(outcome, Written) for outcome in outcomes) == 1


async def test_a_write_happens_only_while_the_key_of_its_condition_has_not_moved(
    storage: Storage, prefix: str
) -> None:
    """Create, update and delete alike; what the other key holds is told, and nothing has a new revision."""
    beside = prefix + "beside"
    old = await put(storage, beside, b"one")
    kept = await put(storage, prefix + "kept", b"kept")
    now = await revision_of(
        await storage.update(beside, b"two", old, provided=Unmoved(prefix + "kept", kept))
    )
    for provided in (Unmoved(beside, old), Unmoved(prefix + "nothing", now)):
        for outcome in (
            await storage.create(prefix + "new", b"x", provided=provided),
            await storage.update(prefix + "kept", b"x", kept, provided=provided),
            await storage.delete(prefix + "kept", kept, provided=provided),
        ):
            assert outcome == Moved(await storage.get(provided.key))
    assert await storage.revision() == now
    still = Unmoved(beside, now)
    assert isinstance(await storage.create(prefix + "new", b"x", provided=still), Written)
    kept = await revision_of(await storage.update(prefix + "kept", b"x", kept, provided=still))
    assert isinstance(await storage.delete(prefix + "kept", kept, provided=still), Written)


async def test_a_write_that_expects_another_revision_differs_whatever_its_condition(
    storage: Storage, prefix: str
) -> None:
    """Whoever decided on what has passed has to decide again, before anything else is asked."""
    revision = await put(storage, prefix + "a", b"one")
    beside = Unmoved(prefix + "gone", 7)
    current = await storage.get(prefix + "a")
    assert await storage.create(prefix + "a", b"two", provided=beside) == Differs(current)
    assert await storage.update(prefix + "a", b"two", revision - 1, provided=beside) == Differs(current)
    assert await storage.delete(prefix + "b", revision, provided=beside) == Differs(None)


async def test_a_list_is_in_order_and_keeps_to_its_prefix(storage: Storage, prefix: str) -> None:
    """A list gives the keys of the prefix, sorted, at one revision."""
    for name in ("b", "a", "c"):
        await put(storage, prefix + name, name.encode())
    last = await put(storage, prefix[:-1] + "-other/x", b"x")

    page = await storage.list(prefix)

    assert [item.value for item in page.items] == [b"a", b"b", b"c"]
    assert (page.revision, page.more, page.remaining) == (last, False, 0)


async def test_pages_show_one_revision(storage: Storage, prefix: str) -> None:
    """The second page of a list shows the revision of the first, whatever was written in between."""
    for name in ("a", "b", "c"):
        await put(storage, prefix + name, name.encode())
    first = await storage.list(prefix, limit=2)
    await put(storage, prefix + "d", b"d")

    second = await storage.list(prefix, revision=first.revision, limit=2, start=prefix + "c")

    assert ([item.value for item in first.items], first.more, first.remaining) == ([b"a", b"b"], True, 1)
    assert ([item.value for item in second.items], second.more) == ([b"c"], False)


async def test_a_list_larger_than_a_message_page_is_whole(storage: Storage, prefix: str) -> None:
    """A list of more keys than the store reads at once gives all of them."""
    await asyncio.gather(*(put(storage, f"{prefix}{n:04}", b"x") for n in range(1100)))

    page = await storage.list(prefix)

    assert [item.key for item in page.items] == [f"{prefix}{n:04}" for n in range(1100)]


async def test_an_old_revision_shows_what_was(storage: Storage, prefix: str) -> None:
    """A list at an old revision does not see later writes and deletes."""
    first = await put(storage, prefix + "a", b"one")
    second = await put(storage, prefix + "b", b"two")
    await storage.delete(prefix + "a", first)

    page = await storage.list(prefix, revision=second)

    assert [item.value for item in page.items] == [b"one", b"two"]


async def test_a_compacted_revision_is_expired(storage: Storage, prefix: str) -> None:
    """After a compaction older revisions are Expired, for lists and for watches."""
    first = await put(storage, prefix + "a", b"one")
    for _ in range(3):
        last = await put(storage, f"{prefix}{_}", b"x")
    await storage.compact(last)
    await storage.compact(last)

    with pytest.raises(Expired):
        await storage.list(prefix, revision=first)
    with pytest.raises(Expired):
        await gather(storage.watch(prefix, first), 1)


async def test_a_revision_to_come_is_refused(storage: Storage, prefix: str) -> None:
    """A list at a revision that is still to come is a bad request, not an empty list."""
    with pytest.raises(BadRequest):
        await storage.list(prefix, revision=await storage.revision() + 1000)


async def test_a_watch_tells_every_write_once_and_in_order(storage: Storage, prefix: str) -> None:
    """A watch tells creations, updates and deletions after its revision, of its prefix only."""
    before = await put(storage, prefix + "old", b"old")
    first = await put(storage, prefix + "a", b"one")
    await put(storage, prefix[:-1] + "-other/x", b"x")
    second = await revision_of(await storage.update(prefix + "a", b"two", first))
    third = await revision_of(await storage.delete(prefix + "a", second))

    async with aclosing(storage.watch(prefix, before)) as watch:
        events = await gather(watch, 3)

    assert events == [
        StorageEvent(prefix + "a", b"one", first),
        StorageEvent(prefix + "a", b"two", second),
        StorageEvent(prefix + "a", None, third),
    ]


async def test_a_watch_says_that_it_is_established(storage: Storage, prefix: str) -> None:
    """The first batch is empty and comes without any write; what follows it is told."""
    now = await storage.revision()
    async with aclosing(storage.watch("", now)) as watch:
        first = await anext(watch)
        revision = await put(storage, prefix + "a", b"one")
        events = await gather(watch, 1)

    assert (list(first.events), first.revision) == ([], now)
    assert [event.revision for event in events] == [revision]


async def test_a_watch_takes_up_where_another_ended(storage: Storage, prefix: str) -> None:
    """Two watches, the second after the last batch of the first, tell the whole log together."""
    start = await storage.revision()
    written = [await put(storage, f"{prefix}{n}", b"x") for n in range(3)]
    async with aclosing(storage.watch(prefix, start)) as watch:
        told = await gather(watch, 3)
    written += [await put(storage, f"{prefix}{n}", b"x") for n in range(3, 6)]

    async with aclosing(storage.watch(prefix, told[-1].revision)) as watch:
        told += await gather(watch, 6 - len(told))

    assert [event.revision for event in told] == written


async def test_large_values_pass_and_too_large_ones_are_refused(storage: Storage, prefix: str) -> None:
    """A value of a megabyte is stored and watched whole; one beyond the store's limit is refused."""
    start = await storage.revision()
    big = b"x" * 1_400_000
    for name in "abcd":
        await put(storage, prefix + name, big)

    async with aclosing(storage.watch(prefix, start)) as watch:
        events = await gather(watch, 4)

    assert [event.value for event in events] == [big] * 4
    with pytest.raises(TooLarge):
        await storage.create(prefix + "e", b"x" * 3_000_000)


async def test_the_size_of_the_database(storage: Storage, prefix: str) -> None:
    """On a disk, as the metric apiserver_storage_size_bytes tells it; a store without one has none."""
    await storage.create(f"{prefix}large", b"x" * 100_000)
    assert (await storage.size_bytes() > 10_000) is not isinstance(storage, MemoryStorage)
    measured = MeasuredStorage(storage)
    size = await measured.size_bytes()
    told = [
        line for line in measured.lines(lambda _prefix: ("", "")) if line.startswith("apiserver_storage_size")
    ]
    assert told == ([f'apiserver_storage_size_bytes{{storage_cluster_id="etcd-0"}} {size}'] if size else [])
