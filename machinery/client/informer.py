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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from machinery.client.api import Api
from machinery.client.reflector import Reflector
from machinery.model.clock import Clock
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import EVERYTHING, EventType, Selection, WatchEvent
from machinery.model.resources import KubeObject, Resource

T = TypeVar("T", bound=KubeObject)
Key: TypeAlias = tuple[str, str]  # namespace ("" for cluster-scoped objects), name
Indexer: TypeAlias = Callable[[T], Iterable[str]]
Objects: TypeAlias = list[T]


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What happened to one object: ADDED has `new`, DELETED has `old` (its last state), MODIFIED both."""

    kind: EventType
    old: T | None
    new: T | None

    @property
    def object(self) -> T:
        """The object now, or as it was last."""
        last = self.new if self.new is not None else self.old
        if last is None:
            raise ValueError("a change is about an object")
        return last


def key_of(obj: KubeObject) -> Key:
    """Give an object's place in its collection."""
    return obj.metadata.namespace, obj.metadata.name


class Store(Generic[T]):
    """Objects by namespace and name, and by every index. Read-only for all but its informer."""

    def __init__(self, indexers: Mapping[str, Indexer[T]] | None = None) -> None:
        self._indexers = dict(indexers or {})
        self._namespaces: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, dict[str, dict[Key, T]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return sum(len(names) for names in self._namespaces.values())

    def __iter__(self) -> Iterator[T]:
        for names in self._namespaces.values():
            yield from names.values()

    def get(self, namespace: str, name: str) -> T | None:
        """Give one object, None where it is not there."""
        return self._namespaces.get(namespace, {}).get(name)

    def list(self, namespace: str = "") -> Objects[T]:
        """Give the objects of a namespace, or all."""
        return list(self._namespaces.get(namespace, {}).values()) if namespace else list(self)

    def by_index(self, index: str, key: str) -> Objects[T]:
        """Give the objects that an indexer has put under a key."""
        return list(self._indexes[index].get(key, {}).values())

    def index_keys(self, index: str) -> Objects[str]:  # type: ignore[type-var]  # a list, of texts
        """Give the keys under which there are objects now."""
        return list(self._indexes[index])

    def put(self, obj: T) -> None:
        """Add or replace an object."""
        namespace, name = key_of(obj)
        self.drop((namespace, name))
        self._namespaces.setdefault(namespace, {})[name] = obj
        for index, entry in self._entries(obj):
            self._indexes[index].setdefault(entry, {})[namespace, name] = obj

    def drop(self, key: Key) -> None:
        """Take an object out, if it is there."""
        namespace, name = key
        names = self._namespaces.get(namespace, {})
        old = names.pop(name, None)
        if old is None:
            return
        if not names:
            del self._namespaces[namespace]
        for index, entry in self._entries(old):
            self._drop_entry(self._indexes[index], entry, key)

    def _entries(self, obj: T) -> Iterator[tuple[str, str]]:
        for index, indexer in self._indexers.items():
            for entry in indexer(obj):
                yield index, entry

    @staticmethod
    def _drop_entry(entries: dict[str, dict[Key, T]], entry: str, key: Key) -> None:
        objects = entries.get(entry, {})
        objects.pop(key, None)
        if not objects:
            entries.pop(entry, None)


class Informer(Generic[T]):
    """The copy of one selection of a collection.

    `keep` gives the part of an object that is worth its memory; it has to leave metadata's name, namespace, uid
    and resourceVersion alone.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        clock: Clock,
        indexers: Mapping[str, Indexer[T]] | None = None,
        keep: Callable[[T], T] | None = None,
        jitter: Callable[[], float] = random.random,
        log: EventLog = SILENT,
    ) -> None:
        self.resource = resource
        self.store: Store[T] = Store(indexers)
        self._keep = keep or (lambda obj: obj)
        self._subscribers: Objects[Callable[[Change[T]], None]] = []  # type: ignore[type-var]  # a list of callbacks
        self._synced = asyncio.Event()
        self._reflector = Reflector(api, resource, selection, self, clock, jitter, log)

    async def synced(self) -> None:
        """Wait until the first list is in the store and its callbacks have run."""
        await self._synced.wait()

    def subscribe(self, callback: Callable[[Change[T]], None]) -> None:
        """Tell every change from now on; objects that are in the store already are told as ADDED at once."""
        self._subscribers.append(callback)
        for obj in self.store:
            callback(Change(EventType.ADDED, None, obj))

    async def run(self) -> None:
        """Keep the copy up to date until cancelled."""
        await self._reflector.run()

    def replace(self, items: Sequence[T]) -> None:
        """Take a whole new list (called by the reflector)."""
        listed = {key_of(item): item for item in items}
        for gone in [obj for obj in self.store if key_of(obj) not in listed]:
            self._delete(gone)
        for item in items:
            self._put(item)
        self._synced.set()

    def apply(self, event: WatchEvent[T]) -> None:
        """Take one change (called by the reflector)."""
        if event.object is None:
            return
        if event.type is EventType.DELETED:
            self._delete(event.object)
        else:
            self._put(event.object)

    def _put(self, obj: T) -> None:
        old = self.store.get(*key_of(obj))
        if old is not None and old.metadata.resourceVersion == obj.metadata.resourceVersion:
            return
        if old is not None and old.metadata.uid != obj.metadata.uid:
            self._delete(old)
            old = None
        new = self._keep(obj)
        self.store.put(new)
        self._tell(Change(EventType.ADDED if old is None else EventType.MODIFIED, old, new))

    def _delete(self, last: T) -> None:
        if self.store.get(*key_of(last)) is None:
            return
        self.store.drop(key_of(last))
        self._tell(Change(EventType.DELETED, self._keep(last), None))

    def _tell(self, change: Change[T]) -> None:
        for callback in self._subscribers:
            callback(change)
