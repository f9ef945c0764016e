"""Who names whom as an owner: every object that may own or be owned, from caches that lag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.resources import Resource

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
DELETED: Final = 5_000  # objects that are remembered as deleted


@dataclass(frozen=True, slots=True)
class Item:
    """An object in the graph."""

    resource: Resource[Any]
    meta: ObjectMeta


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner as its dependent names it, and what is known of it."""

    reference: OwnerReference
    resource: Resource[Any] | None  # None for a kind that is not known here
    item: Item | None  # what has the uid; None where the caches do not have it
    was_deleted: bool = False  # a cache has seen it go

    @property
    def is_what_is_named(self) -> bool:
        """Whether what has the uid has the kind and the name of the reference, too."""
        if self.item is None or self.resource is None:
            return False
        return str(self.item.resource) == str(self.resource) and self.item.meta.name == self.reference.name


@dataclass(frozen=True, slots=True)
class Seen:
    """One object and its neighbours: what the plan knows."""

    item: Item
    owners: Sequence[Owner]
    dependents: Sequence[Item]  # none where nothing follows from them: see `is_settled`
    waits_for_itself: bool = (
        False  # it goes in the foreground, and all that it waits for waits for it in turn
    )

    @property
    def is_settled(self) -> bool:
        """Whether the item stays, and the caches show every owner where it should be: there is no need to ask."""
        return self.item.meta.deletionTimestamp is None and all(
            owner.item is not None
            and owner.is_what_is_named
            and is_in_reach(self.item, owner.item)
            and not is_going(owner.item.meta, FOREGROUND)
            for owner in self.owners
        )


class Graph:
    """Every object by uid, and who names it as an owner."""

    def __init__(self, kinds: Iterable[Resource[Any]] = ()) -> None:
        self._kinds = {(kind.group, kind.kind): kind for kind in kinds}
        self._items: dict[str, Item] = {}
        self._deleted: dict[str, None] = {}  # uids, the latest last: none of them ever comes back
        self._dependents: dict[str, set[str]] = {}

    def put(self, item: Item) -> None:
        """Add an object, or take its new state."""
        self.drop(item.meta.uid)
        self._items[item.meta.uid] = item
        for owner in item.meta.ownerReferences:
            self._dependents.setdefault(owner.uid, set()).add(item.meta.uid)

    def know(self, kind: Resource[Any]) -> None:
        """Know one more kind."""
        self._kinds[kind.group, kind.kind] = kind

    def forget(self, kind: Resource[Any]) -> None:
        """Forget a kind."""
        self._kinds.pop((kind.group, kind.kind), None)

    def note_deleted(self, uid: str) -> None:
        """Remove an object that is gone; its dependents still name it."""
        self.drop(uid)
        self._deleted[uid] = None
        if len(self._deleted) > DELETED:
            del self._deleted[next(iter(self._deleted))]

    def drop(self, uid: str) -> None:
        """Remove an object, before its new state is put."""
        item = self._items.pop(uid, None)
        for owner in item.meta.ownerReferences if item else ():
            dependents = self._dependents.get(owner.uid, set())
            dependents.discard(uid)
            if not dependents:
                self._dependents.pop(owner.uid, None)

    def item(self, uid: str) -> Item | None:
        """Return an object, None where it is not known."""
        return self._items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        """Return the objects that name this one as an owner, whether it exists or not."""
        return [self._items[dependent] for dependent in sorted(self._dependents.get(uid, ()))]

    def see(self, item: Item) -> Seen:
        """Return an object with its owners, and with its dependents unless it is settled."""
        owners = [
            Owner(owner, self._kind_of(owner), self.item(owner.uid), owner.uid in self._deleted)
            for owner in item.meta.ownerReferences
        ]
        alone = Seen(item, owners, ())
        if alone.is_settled:
            return alone
        circle = is_going(item.meta, FOREGROUND) and self._is_circle(item)
        return Seen(item, owners, self.dependents(item.meta.uid), circle)

    def _kind_of(self, owner: OwnerReference) -> Resource[Any] | None:
        group, slash, _ = owner.apiVersion.partition("/")
        return self._kinds.get((group if slash else "", owner.kind))

    def _is_circle(self, item: Item) -> bool:
        """Whether all that an owner waits for, near and far, waits for this owner in turn: it would be for ever."""
        awaited = self._awaited(item.meta.uid)
        return all(
            is_going(other.meta, FOREGROUND) and item.meta.uid in self._awaited(uid)
            for uid, other in awaited.items()
        )

    def _awaited(self, uid: str) -> dict[str, Item]:
        """Return all that has to go before an object may: its blockers, theirs, and so on."""
        found: dict[str, Item] = {}
        to_visit = [uid]
        while to_visit:
            visited = to_visit.pop()
            for blocker in blockers(visited, self.dependents(visited)):
                if blocker.meta.uid not in found:
                    found[blocker.meta.uid] = blocker
                    to_visit.append(blocker.meta.uid)
        return found


def blockers(uid: str, dependents: Iterable[Item]) -> list[Item]:
    """Return the dependents without which an owner that is deleted in the foreground may not go."""
    return [
        dependent
        for dependent in dependents
        if any(owner.uid == uid and owner.blockOwnerDeletion for owner in dependent.meta.ownerReferences)
    ]


def is_going(meta: ObjectMeta, finalizer: str) -> bool:
    """Whether an object is being deleted in the manner of a finalizer."""
    return meta.deletionTimestamp is not None and finalizer in meta.finalizers


def is_in_reach(item: Item, owner: Item) -> bool:
    """Whether an owner may own an item: of its namespace, or of none."""
    return not owner.resource.namespaced or owner.meta.namespace == item.meta.namespace
