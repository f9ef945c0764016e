"""Items by a key that several of them share, so that a question about one pod does not look at all."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Index(Generic[T]):
    """For each key the items that have it, by id, in the order in which they came."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, T]] = {}

    def put(self, key: str, id_: str, item: T) -> None:
        """Add an item."""
        self._items.setdefault(key, {})[id_] = item

    def drop(self, key: str, id_: str) -> None:
        """Remove an item, if it is there."""
        items = self._items.get(key, {})
        items.pop(id_, None)
        if not items:
            self._items.pop(key, None)

    def of(self, key: str) -> list[T]:
        """Return the items of a key."""
        return [*self._items.get(key, {}).values()]
