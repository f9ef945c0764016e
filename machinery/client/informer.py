"""A local copy of a collection, with indexes, and callbacks for its changes.

Fed by a reflector. Objects in the store are immutable Structs: share them, never change them. Callbacks run
synchronously, in the order of the changes, after the store has changed; they must be cheap (put a key into a
queue) and must not fail. What may be skipped: states between two that were seen, after a broken watch. What may
not: the first sight, the last state and the disappearance of an object; an object that was deleted and made anew
under its name is told as DELETED, then ADDED.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from machinery.client.api import Api
from machinery.client.reflector import Reflector
from machinery.model.clock import Clock
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import EVERYTHING, EventType, Selection, WatchEvent
from machinery.model.resources import KubeObject, Resource
from machinery.model.store import Change, Indexer, Store, key_of

T = TypeVar("T", bound=KubeObject)


class Informer(Generic[T]):
    """The copy of one selection of a collection.

    `keep` returns the part of an object that is worth its memory; it has to leave metadata's name, namespace, uid
    and resourceVersion alone. A `store` that is handed in is filled, instead of a new one.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        clock: Clock,
        indexers: Mapping[str, Indexer[T]] | None = None,
        store: Store[T] | None = None,
        keep: Callable[[T], T] | None = None,
        jitter: Callable[[], float] = random.random,
        log: EventLog = SILENT,
    ) -> None:
        self.resource = resource
        self.store: Store[T] = Store(indexers) if store is None else store
        self._keep = keep or (lambda obj: obj)
        self._subscribers: list[Callable[[Change[T]], None]] = []
        self._synced = asyncio.Event()
        self._reflector = Reflector(api, resource, selection, self, clock, jitter, log, keep)

    async def synced(self) -> None:
        """Wait until the first list is in the store and its callbacks have run."""
        await self._synced.wait()

    def subscribe(self, callback: Callable[[Change[T]], None]) -> None:
        """Call for every change from now on; objects that are in the store already are told as ADDED at once."""
        self._subscribers.append(callback)
        for obj in self.store:
            callback(Change(EventType.ADDED, None, obj))

    @property
    def revision(self) -> int:
        """The revision that the copy is as new as, 0 before the first list."""
        return self._reflector.revision

    async def run(self) -> None:
        """Keep the copy up to date until cancelled."""
        await self._reflector.run()

    def replace(self, items: Sequence[T]) -> None:
        """Replace everything by a new list (called by the reflector)."""
        listed = {key_of(item): item for item in items}
        for gone in [obj for obj in self.store if key_of(obj) not in listed]:
            self._delete(gone)
        for item in items:
            self._put(item)
        self._synced.set()

    def apply(self, event: WatchEvent[T]) -> None:
        """Apply one change (called by the reflector)."""
        if event.object is None:
            return
        if event.type is EventType.DELETED:
            self._delete(self._keep(event.object))
        else:
            self._put(self._keep(event.object))

    def _put(self, new: T) -> None:
        old = self.store.get(*key_of(new))
        if old is not None and old.metadata.resourceVersion == new.metadata.resourceVersion:
            return
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._delete(old)
            old = None
        self.store.put(new)
        self._tell(Change(EventType.ADDED if old is None else EventType.MODIFIED, old, new))

    def _delete(self, last: T) -> None:
        if self.store.get(*key_of(last)) is None:
            return
        self.store.drop(key_of(last))
        self._tell(Change(EventType.DELETED, last, None))

    def _tell(self, change: Change[T]) -> None:
        for callback in self._subscribers:
            callback(change)
