"""Each collection that the nodes follow is listed and watched once, for all of them.

A kubelet asks for the pods of its node, for its own Node, for the Services, for a ConfigMap by its name. Here a request of
that kind becomes a part of a collection that is followed already: the list is answered from what is here, and the watch gets
what comes for it. It keeps a watch's promises: what comes after the revision of a list comes once, in order; who resumes from
a revision that nobody remembers here is told Expired, and lists again, then at the server.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple

from machinery.client.api import Api
from machinery.client.reflector import Reflector
from machinery.client.transport import ApiRequest, Page
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded, Expired
from machinery.model.log import EventLog
from machinery.model.requests import EventType, Selection, WatchEvent, revision_of
from machinery.model.resources import NODES, PODS, KubeObject, Resource
from machinery.model.store import Key, key_of

_REMEMBERED: Final = 10_000  # events of a collection, for who has listed and does not watch yet
_BACKLOG: Final = 10_000  # events that one watch may lag behind
_IDLE_S: Final = 60.0  # cluster seconds that a collection is followed without anybody's watch
_BOUND: Final = "spec.nodeName="
_NAMED: Final = "metadata.name="


class Place(NamedTuple):
    """What of which collection a request is about: all of it where `part` is empty."""

    resource: Resource[Any]
    selection: Selection
    part: str


def place_of(request: ApiRequest) -> Place | None:
    """Return the place of a list or a watch; None of one that has to be asked at the server.

    The pods of one node are a part of those that are bound, a Node is one of all: every node of the process wants its own.
    """
    resource, fields = request.resource, request.field_selector
    is_cached = request.method == "Watch" or bool(request.resource_version)
    if not is_cached or request.limit or request.continue_ or request.label_selector:
        return None
    if resource is PODS and fields.startswith(_BOUND) and not request.namespace:
        return Place(PODS, Selection(field_selector="spec.nodeName!="), fields.removeprefix(_BOUND))
    if resource is NODES and fields.startswith(_NAMED):
        return Place(NODES, Selection(), fields.removeprefix(_NAMED))
    return Place(resource, Selection(request.namespace, field_selector=fields), "")


class SharedWatches:
    """The collections that are followed at present."""

    def __init__(self, api: Api, tasks: asyncio.TaskGroup, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._tasks = tasks
        self._clock = clock
        self._log = log
        self._collections: dict[tuple[Resource[Any], Selection], _Collection] = {}

    async def run(self) -> None:
        """Follow no longer what nobody watches, until cancelled."""
        while True:
            await self._clock.sleep(_IDLE_S)
            before_s = self._clock.monotonic() - _IDLE_S
            for key, collection in list(self._collections.items()):
                if not collection.is_watched and collection.asked_s < before_s:
                    collection.stop()
                    del self._collections[key]

    async def page(self, place: Place, timeout_s: float) -> Page:
        """Answer a list that may be from a cache.

        Raises:
            DeadlineExceeded: the collection could not be listed in time; why has been logged.
        """
        return await self._collection(place).page(place.part, timeout_s)

    def stream(self, place: Place, since: int) -> AsyncIterator[Sequence[WatchEvent[Any]]]:
        """Yield what happens after a revision, an empty batch first.

        Raises:
            Expired: the revision is older than what is remembered, or the reader is too slow.
        """
        return self._collection(place).stream(place.part, since)

    def _collection(self, place: Place) -> _Collection:
        key = (place.resource, place.selection)
        found = self._collections.get(key)
        if found is None:
            part_of = _PARTS.get(place.resource.plural, _whole) if place.part else _whole
            found = self._collections[key] = _Collection(place, part_of, self._clock)
            found.follow(self._api, self._tasks, self._log)
        found.asked_s = self._clock.monotonic()
        return found


class _Subscription:
    """One watch that waits for its events."""

    __slots__ = ("_waiting", "is_lost", "pending", "since")

    def __init__(self, since: int, pending: list[WatchEvent[Any]]) -> None:
        self.since = since
        self.pending = pending
        self.is_lost = False
        self._waiting: asyncio.Future[None] | None = None

    def put(self, event: WatchEvent[Any]) -> None:
        if event.revision <= self.since:
            return
        if len(self.pending) >= _BACKLOG:
            self.is_lost = True
        else:
            self.pending.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        while not (self.pending or self.is_lost):
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting


class _Collection:
    """A collection that is followed, by the parts that watches ask for. The sink of a reflector."""

    def __init__(self, place: Place, part_of: Callable[[Any], str], clock: Clock) -> None:
        self._place = place
        self._part_of = part_of
        self._clock = clock
        self._parts: dict[str, dict[Key, Any]] = {}
        self._watches: dict[str, set[_Subscription]] = {}
        self._latest: deque[tuple[str, WatchEvent[Any]]] = deque()
        self._floor = 0  # what came up to this revision is not remembered
        self._synced = asyncio.Event()
        self._reflector: Reflector[Any] | None = None
        self._following: asyncio.Task[None] | None = None
        self.asked_s = 0.0

    @property
    def is_watched(self) -> bool:
        return bool(self._watches)

    def follow(self, api: Api, tasks: asyncio.TaskGroup, log: EventLog) -> None:
        place = self._place
        self._reflector = Reflector(
            api, place.resource, place.selection, self, self._clock, random.random, log
        )
        name = f"shared-{place.resource.plural}"
        self._following = tasks.create_task(self._reflector.run(), name=name)

    def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()

    async def page(self, part: str, timeout_s: float) -> Page:
        if not await event_within(self._synced, self._clock, self._clock.timescale.cluster(timeout_s)):
            raise DeadlineExceeded(f"{self._place.resource.plural} could not be listed in time")
        found = self._parts.get(part, {}).values()  # what the request would have read of them again
        return Page([*found], self._revision, "", 0)

    async def stream(self, part: str, since: int) -> AsyncIterator[Sequence[WatchEvent[Any]]]:
        if since < self._floor:
            raise Expired(f"the revision {since} is not remembered any more")
        watch = _Subscription(since, self._after(part, since))
        self._watches.setdefault(part, set()).add(watch)
        try:
            yield ()
            while True:
                await watch.wait()
                if watch.is_lost:
                    raise Expired("the watch was too slow")
                batch, watch.pending = watch.pending, []
                yield batch
        finally:
            self._watches[part].discard(watch)
            if not self._watches[part]:
                del self._watches[part]

    # --- the reflector's sink

    def replace(self, items: Sequence[KubeObject]) -> None:
        before = {key: obj for part in self._parts.values() for key, obj in part.items()}
        now = {key_of(item): item for item in items}
        newest = max((revision_of(item.metadata) for item in items), default=0)
        gone_at = max(newest, self._revision)
        for item in sorted(items, key=lambda each: revision_of(each.metadata)):
            old = before.get(key_of(item))
            if old is None or old.metadata.resourceVersion != item.metadata.resourceVersion:
                kind = EventType.ADDED if old is None else EventType.MODIFIED
                self.apply(WatchEvent(kind, revision_of(item.metadata), item))
        for key, old in before.items():
            if key not in now:
                self.apply(WatchEvent(EventType.DELETED, gone_at, old))
        self._latest.clear()
        self._floor = newest
        self._synced.set()

    def apply(self, event: WatchEvent[Any]) -> None:
        if event.object is None:
            return
        part, key = self._part_of(event.object), key_of(event.object)
        if event.type is EventType.DELETED:
            known = self._parts.get(part, {})
            known.pop(key, None)
            if not known:
                self._parts.pop(part, None)
        else:
            self._parts.setdefault(part, {})[key] = event.object
        self._remember(part, event)
        for watch in self._watches.get(part, ()):
            watch.put(event)

    @property
    def _revision(self) -> int:
        return self._reflector.revision if self._reflector is not None else 0

    def _remember(self, part: str, event: WatchEvent[Any]) -> None:
        self._latest.append((part, event))
        if len(self._latest) > _REMEMBERED:
            self._floor = self._latest.popleft()[1].revision

    def _after(self, part: str, since: int) -> list[WatchEvent[Any]]:
        found: list[WatchEvent[Any]] = []
        for of_part, event in reversed(self._latest):
            if event.revision <= since:
                break
            if of_part == part:
                found.append(event)
        return found[::-1]


def _whole(_obj: Any) -> str:
    return ""


_PARTS: Final[dict[str, Callable[[Any], str]]] = {
    "pods": lambda pod: str(pod.spec.nodeName),
    "nodes": lambda node: str(node.metadata.name),
}
