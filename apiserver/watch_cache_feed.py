"""One watch of the whole store feeds the caches of all resources.

Every revision of the store is an event of this watch. So the caches are known to show revision R as soon as the
watch has told R, without asking each of them, and a read that has to be up to date costs one small quorum read
(`fresh`), which all reads that wait at the same time share. (etcd's own progress requests are not reliable before
3.4.25 and 3.5.8, and cost a message per watch.)

At the start the caches read all that there is at once, at a revision a little before the newest, and are told the rest by the watch. So clients
that were watching another apiserver, or this one before it was killed, take up their watches without a new list.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import count
from typing import Final

from apiserver.core import answers
from apiserver.core.catalogue import REGISTRY, Catalogue
from apiserver.core.kind import Kind
from apiserver.storage.interface import EventBatch, Page, Storage, Stored
from apiserver.stored_versions import stored_in
from apiserver.watch_cache import Progress, WatchCache
from apiserver.watch_cache_arrivals import Arrival
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Expired, OutcomeUnknown, Unavailable
from machinery.model.insist import Failures, tell_first
from machinery.model.kinds import KindNames
from machinery.model.log import SILENT, EventLog

REPLAY: Final = 500  # revisions before the start that the caches can tell about
CATCH_UP_S: Final = 3.0  # wall seconds that a read waits for the watch
BOOKMARK_PERIOD_S: Final = 30.0  # wall seconds
_RETRY: Final = Backoff(0.05, 0.25)  # wall seconds; asking an etcd that is away costs next to nothing


class Everything:
    """What the store has at one revision: read once, whatever kinds there are, or come while it is taken in."""

    def __init__(self, items: Sequence[Stored]) -> None:
        self._items = items
        self._keys = [item.key for item in items]  # in order, as the store gives them

    def below(self, prefix: str) -> Sequence[Stored]:
        """Return what lies below a prefix."""
        first = bisect_left(self._keys, f"{prefix}/")
        return self._items[first : bisect_left(self._keys, f"{prefix}0", first)]  # "0" is what follows "/"


class Behind(Unavailable):
    """The store answers, but its watch does not keep up: nothing is wrong with reading the store itself."""


class Feed:
    """Keeps the caches up to date. `run`, `probe` and `fill` each want a task; the caches follow the catalogue."""

    def __init__(
        self, storage: Storage, catalogue: Catalogue, clock: Clock, *, log: EventLog = SILENT
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._catalogue = catalogue
        self._log = log
        self._progress = Progress()
        self._caches: dict[
            tuple[str, str, str], WatchCache
        ] = {}  # other versions join when they are asked for
        self._by_prefix: dict[str, WatchCache | Arrival] = {}
        self._arrivals: dict[tuple[str, str, str], Arrival] = {}
        self._arrived = asyncio.Event()
        self.problem = "reading the state from etcd"  # "" while the store's watch is up
        self._loaded = False
        self._caught_up = asyncio.Event()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._asking: list[asyncio.Future[int]] = []
        self._asked = asyncio.Event()
        for kind in catalogue.kinds():
            if kind.stored is kind:
                self._by_prefix[kind.storage_prefix] = self._make_cache(kind)
        catalogue.subscribe(self._add, self._remove, self._replace)

    @property
    def revision(self) -> int:
        """The store's revision up to which everything was told."""
        return self._progress.revision

    def cache(self, kind: KindNames) -> WatchCache:
        """Return the cache of a resource.

        Raises:
            NotFound: it is not served, or not any more.
        """
        cache = self._caches.get(kind.gvr)
        return cache if cache is not None else self._view(kind)

    def sizes(self) -> Iterator[tuple[Kind, int]]:
        """Yield the kinds, each in the version that is stored, and how many objects there are of them."""
        for cache in self._caches.values():
            if cache.kind.stored is cache.kind:
                yield cache.kind, len(cache)

    @property
    def ready(self) -> bool:
        """Whether the caches have been filled once, up to what was the newest revision then."""
        return self._caught_up.is_set()

    async def wait_ready(self) -> None:
        """Return when the caches are filled."""
        await self._caught_up.wait()

    async def wait_filled(self) -> None:
        """Return when the caches of kinds that have been added are filled, too, as far as this cluster reads them itself."""
        await self.wait_ready()
        while arrivals := [each for each in self._arrivals.values() if not _is_converted(each.cache)]:
            await arrivals[0].done.wait()

    async def filled(self, kind: Kind, within_s: float) -> bool:
        """Wait until the cache of a kind is filled; False if that takes longer than `within_s` wall seconds."""
        if not self._arrivals and self._caught_up.is_set():
            return True
        try:
            async with self._clock.timeout_wall(within_s):
                await self._caught_up.wait()
                while arrival := self._arrivals.get(kind.stored.gvr):
                    await arrival.done.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Follow the store for ever; what breaks is logged once and tried again."""
        failures = Failures(self._clock, _RETRY, tell_first(self._log.error, "etcd_unavailable"))
        while True:
            try:
                if not self._loaded:
                    await self._load()
                async with aclosing(self._storage.watch("", self.revision)) as batches:
                    async for batch in batches:
                        self._note_told(failures)
                        self.problem = ""
                        self._take(batch)
            except Expired as error:
                self._log.warning("watch_cache_reload", error=error)
                self._loaded = False
            except ApiError as error:
                failures.note(error)
                self.problem = error.message
                await failures.pause()

    async def fill(self) -> None:
        """Read the objects of kinds that are added while the feed runs, for ever; run it in a third task."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                for arrival in list(self._arrivals.values()):
                    if not _is_converted(arrival.cache):
                        await self._try_to_fill(arrival)
                    elif not arrival.is_being_filled:  # who converts may hang: nobody else waits for that
                        arrival.is_being_filled = True
                        tasks.create_task(self._try_to_fill(arrival))

    async def _try_to_fill(self, arrival: Arrival) -> None:
        try:
            await self._fill(arrival)
        except ApiError as error:
            resource = arrival.cache.kind.plural
            self._log.warning("watch_cache_not_filled", resource=resource, error=error)
            await self._clock.sleep_wall(_RETRY.delay(1))
            self._arrived.set()
        finally:
            arrival.is_being_filled = False

    async def probe(self) -> None:
        """Read the newest revision, once for all who wait for it at the time."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            asking, self._asking = self._asking, []
            try:
                revision = await self._storage.revision()
            except ApiError as error:
                _fail(asking, error)
                continue
            for future in asking:
                if not future.done():
                    future.set_result(revision)

    async def bookmarks(
        self,
        period_s: float = BOOKMARK_PERIOD_S,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Send bookmarks every so often, and make history small where nothing happens; `sleep` takes wall seconds."""
        while True:
            await sleep(period_s)
            for cache in list(self._caches.values()):
                cache.send_bookmarks()
                for _ in cache.pack():
                    await sleep(0)

    async def fresh(self) -> None:
        """Return when the caches show every write that was acknowledged before the call.

        Raises:
            Unavailable: etcd does not answer, or its watch is behind.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asking.append(future)
        self._asked.set()
        revision = await future
        if self.revision < revision and not await self.reached(revision):
            raise self._behind(revision)

    def _behind(self, revision: int) -> Behind:
        return Behind(f"the watch cache is at revision {self.revision}, etcd at {revision}", retry_after_s=1)

    async def reached(self, revision: int, within_s: float = CATCH_UP_S) -> bool:
        """Wait until the caches are at a revision; False if that takes longer than `within_s`."""
        if self._loaded and self.revision >= revision:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._numbers), future))
        try:
            async with self._clock.timeout_wall(within_s):
                await future
        except TimeoutError:
            return False
        return True

    def end_watches(self) -> None:
        """End every watch, as a timeout does: its client goes on elsewhere."""
        for cache in list(self._caches.values()):
            cache.end_watches()

    def _make_cache(self, kind: Kind) -> WatchCache:
        cache = self._caches[kind.gvr] = WatchCache(kind, progress=self._progress, log=self._log)
        return cache

    def _view(self, names: KindNames) -> WatchCache:
        """Make the cache of a version that is not the stored one."""
        kind = self._catalogue.kind(*names.gvr)
        if kind is None or kind.stored is kind:
            raise answers.no_such_resource(names.group, names.plural)
        if kind.stored.gvr in self._arrivals:
            raise Unavailable(f"{kind.group_resource} are being read", retry_after_s=1)
        view = self._caches[kind.gvr] = self.cache(kind.stored).view(kind)
        return view

    def _add(self, kind: Kind) -> None:
        if kind.stored is kind:
            self._expect(kind)

    def _remove(self, kind: Kind) -> None:
        cache = self._caches.pop(kind.gvr, None)
        if kind.stored is kind:
            del self._by_prefix[kind.storage_prefix]
            if arrival := self._arrivals.pop(kind.gvr, None):
                arrival.done.set()
        elif cache:
            self._caches[kind.stored.gvr].drop_view(cache)
        if cache:
            cache.end_watches(answers.no_such_resource(kind.group, kind.plural))

    def _replace(self, old: Sequence[Kind], new: Sequence[Kind]) -> None:
        """Hand the objects of kinds on to those that replace them; the watches of those that go on end as at a timeout."""
        kept = {kind.gvr for kind in new}
        # What is in another version by now has to be read anew where a server outside converts it.
        versions = {kind.api_version for kind in new if kind.stored is kind or kind.rules.convert_all is None}
        predecessors: dict[str, WatchCache] = {}
        for kind in old:
            cache = self._caches.pop(kind.gvr, None)
            if kind.stored is kind:
                found = self._by_prefix.pop(kind.storage_prefix)
                if arrival := self._arrivals.pop(kind.gvr, None):
                    arrival.done.set()
                if isinstance(found, WatchCache) and found.kind.api_version in versions:
                    predecessors[kind.storage_prefix] = found
            if cache:
                cache.end_watches(
                    None if kind.gvr in kept else answers.no_such_resource(kind.group, kind.plural)
                )
        for kind in new:
            if kind.stored is kind:
                self._expect(kind, predecessors.get(kind.storage_prefix))

    def _expect(self, kind: Kind, predecessor: WatchCache | None = None) -> None:
        arrival = Arrival(self._make_cache(kind), self.revision, predecessor)
        self._by_prefix[kind.storage_prefix] = self._arrivals[kind.gvr] = arrival
        self._arrived.set()

    async def _fill(self, arrival: Arrival) -> None:
        kind = arrival.cache.kind
        if arrival.predecessor is not None:
            predecessor = arrival.predecessor
            history = await arrival.read_anew(predecessor)
            if arrival.predecessor is predecessor and self._settled(arrival):
                arrival.adopt(history, predecessor)
            return
        arrival.begin()
        page = await self._read(kind, arrival.since)
        items = await stored_in(kind, page.items)
        if not await self.reached(page.revision):
            raise self._behind(page.revision)
        if arrival.has_gap:
            self._arrived.set()
        elif self._settled(arrival):
            arrival.fill(items, page.revision)

    async def _read(self, kind: Kind, since: int) -> Page:
        """Read the objects of a kind as they were at a revision, if that is still known, else as they are."""
        prefix = f"{kind.storage_prefix}/"
        if since:
            with suppress(Expired):
                return await self._storage.list(prefix, revision=since)
        return await self._storage.list(prefix)

    def _settled(self, arrival: Arrival) -> bool:
        """Put the cache of an arrival in its place, before it is filled; False where the kind is gone again."""
        kind = arrival.cache.kind
        if self._arrivals.get(kind.gvr) is not arrival:
            return False
        del self._arrivals[kind.gvr]
        self._by_prefix[kind.storage_prefix] = arrival.cache
        return True

    async def _load(self) -> None:
        newest = await self._storage.revision()
        try:
            await self._load_at(max(1, newest - REPLAY))
        except Expired:
            await self._load_at(newest)
        self._loaded = True
        await self._follow_until(newest)

    async def _load_at(self, revision: int) -> None:
        everything = Everything((await self._storage.list(REGISTRY, revision=revision)).items)
        caches = [each for each in self._by_prefix.values() if isinstance(each, WatchCache)]
        self._progress.revision = revision
        for cache in caches:
            if _is_converted(cache):  # who converts may be served by this cluster: it is not waited for
                cache.end_watches(Expired("the objects are read anew"))
                self._expect(cache.kind)
            else:
                cache.replace(everything.below(cache.kind.storage_prefix), revision)
        for arrival in self._arrivals.values():
            arrival.lose_track()
        while arrivals := [each for each in self._arrivals.values() if not _is_converted(each.cache)]:
            for arrival in arrivals:  # of kinds that objects which were just read have brought
                if self._settled(arrival):
                    arrival.fill(everything.below(arrival.cache.kind.storage_prefix), revision)
        self._arrived.set()

    async def _follow_until(self, newest: int) -> None:
        async with aclosing(self._storage.watch("", self.revision)) as batches:
            async for batch in batches:
                self._take(batch)
                if self.revision >= newest:
                    break
        self._caught_up.set()

    def _note_told(self, failures: Failures) -> None:
        if failures.count:
            self._log.info("etcd_available", failures=failures.count)
            failures.forget()

    def _take(self, batch: EventBatch) -> None:
        for event in batch.events:
            cache = self._by_prefix.get(event.key.rpartition("/")[0]) or self._by_prefix.get(
                _prefix(event.key)
            )
            if cache:
                cache.apply(event)
        self._progress.revision = max(self.revision, batch.revision)
        while self._waiting and self._waiting[0][0] <= self.revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)


def _is_converted(cache: WatchCache) -> bool:
    """Whether a server outside converts what is stored in another version."""
    return cache.kind.rules.convert_all is not None


def _prefix(key: str) -> str:
    """Cut namespace and name off a key."""
    return key.rsplit("/", 2)[0]


def _fail(asking: list[asyncio.Future[int]], error: ApiError) -> None:
    """Fail each of those who wait with an error of its own: they add their own tracebacks."""
    for future in asking:
        if not future.done():
            future.set_exception(type(error)(error.message) if isinstance(error, OutcomeUnknown) else error)
