"""Objects that configure admission, as they are at present: read anew when they are next needed after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from apiserver import objects
from apiserver.core.catalogue import Catalogue
from apiserver.core.values import Json
from apiserver.objects import CachedObject
from apiserver.watch_cache_feed import Feed

T = TypeVar("T")


class Configurations(Generic[T]):
    """All objects of some kinds, read together; follows their watch caches (`apiserver.watch_cache.Follower`)."""

    def __init__(
        self,
        catalogue: Catalogue,
        feed: Feed,
        group: str,
        plurals: Sequence[str],
        read: Callable[[Mapping[str, Sequence[Json]]], T],
    ) -> None:
        self._read = read
        self._made: T | None = None
        self._collections: dict[str, _Collection] = {}
        for plural in plurals:
            kind = catalogue.stored(group, plural)
            if kind is not None:
                collection = self._collections[plural] = _Collection(self._forget)
                feed.cache(kind).follow(collection)
                collection.replaced(feed.cache(kind).every())

    @property
    def is_empty(self) -> bool:
        """Whether there is no such object at all."""
        return not any(collection.found for collection in self._collections.values())

    def current(self) -> T:
        """Return what follows from the objects as they are."""
        if self._made is None:
            self._made = self._read(
                {plural: collection.decoded() for plural, collection in self._collections.items()}
            )
        return self._made

    def _forget(self) -> None:
        self._made = None


class _Collection:
    """The objects of one kind, by place."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.found: dict[str, CachedObject] = {}
        self._changed = changed

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again from a whole list."""
        self.found = {obj.place: obj for obj in every}
        self._changed()

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        if old is not None:
            self.found.pop(old.place, None)
        if new is not None:
            self.found[new.place] = new
        self._changed()

    def decoded(self) -> list[Json]:
        """Return the objects in the order of their names."""
        return [objects.decode(self.found[place].json) for place in sorted(self.found)]
