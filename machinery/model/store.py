"""A local copy of a collection: objects by place and by index, and what a change of one is.

The store holds immutable Structs: share them, never change them. `machinery.client.informer` fills it from a watch and
tells its changes; whoever decides from a collection reads it, and needs to know nothing of clients for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from machinery.model.requests import EventType
from machinery.model.resources import KubeObject

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
        """The object now, or as it was last.

        Raises:
            ValueError: the change has neither.
        """
        last = self.new if self.new is not None else self.old
        if last is None:
            raise ValueError("a change is about an object")
        return last


def key_of(obj: KubeObject) -> Key:
    """Return an object's place in its collection."""
    return obj.metadata.namespace, obj.metadata.name


class Store(Generic[T]):
    """Objects by namespace and name, and by every index. Read-only for all except its informer."""

    def __init__(self, indexers: Mapping[str, Indexer[T]] | None = None) -> None:
        self._indexers = dict(indexers or {})
        self._namespaces: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, dict[str, dict[Key, T]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return sum(len(names) for names in self._namespaces.values())

    def __iter__(self) -> Iterator[T]:
        for names in self._namespaces.values():
            yield from names.values()

    def add_index(self, name: str, indexer: Indexer[T]) -> None:
        """Keep one more index.

        Raises:
            ValueError: there are objects in the store already, or the name is another index's.
        """
        if self._indexers.setdefault(name, indexer) != indexer:
            raise ValueError(f"two indexes are called {name!r}")
        if self._namespaces:
            raise ValueError(f"the index {name!r} comes too late: the store has been filled")
        self._indexes.setdefault(name, {})

    def get(self, namespace: str, name: str) -> T | None:
        """Return one object, None where it is not there."""
        return self._namespaces.get(namespace, {}).get(name)

    def list(self, namespace: str = "") -> Objects[T]:
        """Return the objects of a namespace, or all."""
        return list(self._namespaces.get(namespace, {}).values()) if namespace else list(self)

    def by_index(self, index: str, key: str) -> Objects[T]:
        """Return the objects that an indexer has put under a key."""
        return list(self._indexes[index].get(key, {}).values())

    def count(self, index: str, key: str) -> int:
        """Return how many objects an indexer has put under a key."""
        return len(self._indexes[index].get(key, ()))

    def index_keys(self, index: str) -> Objects[str]:  # type: ignore[type-var]  # a list, of texts
        """Return the keys under which there are objects now."""
        return list(self._indexes[index])

    def put(self, obj: T) -> None:
        """Add or replace an object."""
        namespace, name = key_of(obj)
        self.drop((namespace, name))
        self._namespaces.setdefault(namespace, {})[name] = obj
        for index, entry in self._entries(obj):
            self._indexes[index].setdefault(entry, {})[namespace, name] = obj

    def drop(self, key: Key) -> None:
        """Remove an object, if it is there."""
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
