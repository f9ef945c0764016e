"""One mapping out of many small ones, and what has changed in it since it was last written.

Each owner (a Service, a node) has a few entries. Where several have the same key, the first owner in order has it, and
the next one when that one goes. A change costs as much as its owner's entries, however many owners there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Owner: TypeAlias = tuple[str, str]  # namespace, name


class Difference(NamedTuple, Generic[K, V]):
    """One key with two different values, None where it is not there."""

    key: K
    old: V | None
    new: V | None


class _Entry(NamedTuple, Generic[K, V]):
    owner: Owner
    key: K
    value: V


class Merged(Generic[K, V]):
    """The mapping. `differences()` lists what is new in it since `settle()`."""

    def __init__(self) -> None:
        self._entries: dict[Owner, tuple[_Entry[K, V], ...]] = {}
        self._seen: dict[K, _Entry[K, V]] = {}  # the first owner's
        self._rivals: dict[K, list[_Entry[K, V]]] = {}  # all of a key in order, where there are several
        self._before: dict[K, V | None] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def get(self, key: K) -> V | None:
        """Return a key's value, None where nobody has it."""
        entry = self._seen.get(key)
        return None if entry is None else entry.value

    def items(self) -> Iterator[tuple[K, V]]:
        """Walk over everything."""
        return ((entry.key, entry.value) for entry in self._seen.values())

    def put(self, owner: Owner, wanted: Mapping[K, V]) -> None:
        """Replace all entries of an owner; with none it is forgotten."""
        if not wanted and owner not in self._entries:
            return
        had = {entry.key: entry for entry in self._entries.get(owner, ())}
        kept: list[_Entry[K, V]] = []
        for key, value in wanted.items():
            old = had.pop(key, None)
            if old is None or old.value != value:
                if old is not None:
                    self._remove(old)
                old = self._add(owner, key, value)
            kept.append(old)
        for entry in had.values():
            self._remove(entry)
        if kept:
            self._entries[owner] = tuple(kept)
        else:
            self._entries.pop(owner, None)

    def differences(self) -> tuple[Difference[K, V], ...]:
        """Return what has changed, once for each key."""
        return tuple(
            Difference(key, old, new) for key, old in self._before.items() if (new := self.get(key)) != old
        )

    def settle(self) -> None:
        """Count what is there now as written."""
        self._before.clear()

    def _add(self, owner: Owner, key: K, value: V) -> _Entry[K, V]:
        first = self._seen.get(key)
        if first is None:
            entry = _Entry(owner, key, value)
            self._see(key, entry)
            return entry
        entry = _Entry(
            owner, first.key, first.value if first.value == value else value
        )  # shared: there may be many
        rivals = self._rivals.setdefault(key, [first])
        insort(rivals, entry)  # by owner: there are no two of one
        self._see(key, rivals[0])
        return entry

    def _remove(self, entry: _Entry[K, V]) -> None:
        rivals = self._rivals.get(entry.key)
        if rivals is None:
            self._see(entry.key, None)
            return
        del rivals[bisect_left(rivals, entry)]
        self._see(entry.key, rivals[0])
        if len(rivals) == 1:
            del self._rivals[entry.key]

    def _see(self, key: K, entry: _Entry[K, V] | None) -> None:
        self._before.setdefault(key, self.get(key))
        if entry is None:
            del self._seen[key]
        else:
            self._seen[key] = entry
