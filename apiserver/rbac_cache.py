"""Roles and bindings as authorization reads them: an index that follows the watch caches.

A write costs a note; what has changed is decoded and put into the index at the first question after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from apiserver import objects
from apiserver.core.authz.rbac import Place, RbacIndex
from apiserver.core.authz.rules import rules_of_json
from apiserver.objects import CachedObject
from apiserver.opening import Opening
from apiserver.watch_cache_feed import Feed
from machinery.model.k8s import served
from machinery.model.kinds import KindNames

R = TypeVar("R")

_ROLES: Final = (served.ROLES, served.CLUSTER_ROLES)
_BINDINGS: Final = (served.ROLE_BINDINGS, served.CLUSTER_ROLE_BINDINGS)


class RbacCache:
    """The index over the watch caches of roles and bindings."""

    def __init__(self, feed: Feed, opening: Opening) -> None:
        self._opening = opening
        self._index = RbacIndex()
        self._waiting: set[_Table[Any]] = set()  # those with changes that the index does not have
        for kind in _ROLES:
            self._follow(feed, kind, _Table(rules_of_json, self._index.set_rules, self._waiting))
        for kind in _BINDINGS:
            self._follow(feed, kind, _Table(objects.decode, self._index.set_binding, self._waiting))

    def _follow(self, feed: Feed, kind: KindNames, table: _Table[Any]) -> None:
        self._waiting.add(table)
        feed.cache(kind).follow(table)

    def index(self) -> RbacIndex:
        """Return the index of all roles and bindings, maybe a moment old.

        Raises:
            Unavailable: the cluster's own roles are not there yet, so nothing follows from what is missing.
        """
        if self._waiting:
            self._opening.check()
            while self._waiting:
                self._waiting.pop().bring_up_to_date()
        return self._index


class _Table(Generic[R]):
    """One of the four collections; follows its cache (`apiserver.watch_cache.Follower`)."""

    def __init__(
        self, read: Callable[[bytes], R], put: Callable[[Place, R | None], None], waiting: set[_Table[Any]]
    ) -> None:
        self._read = read
        self._put = put
        self._waiting = waiting
        self._changed: dict[str, CachedObject | None] = {}  # by place, since the last question
        self._known: set[str] = set()  # what the index has

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again from a whole list."""
        self._changed = {**dict.fromkeys(self._known), **{obj.place: obj for obj in every}}
        self._waiting.add(self)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Note a write."""
        self._waiting.add(self)
        if new is not None:
            self._changed[new.place] = new
        elif old is not None:
            self._changed[old.place] = None

    def bring_up_to_date(self) -> None:
        """Put what has changed into the index."""
        while self._changed:
            place, obj = self._changed.popitem()
            namespace, _, name = place.rpartition("/")
            self._put((namespace, name), None if obj is None else self._read(obj.json))
            (self._known.discard if obj is None else self._known.add)(place)
