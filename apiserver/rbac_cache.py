"""Roles and bindings as authorization reads them: an index, built again at the first question after a change."""

from __future__ import annotations

from typing import Final

from apiserver import objects
from apiserver.core.authz.rbac import RbacIndex
from apiserver.core.values import Json
from apiserver.opening import Opening
from apiserver.watch_cache_feed import Feed
from machinery.model.k8s import served

_TABLES: Final = {
    "roles": served.ROLES,
    "cluster_roles": served.CLUSTER_ROLES,
    "role_bindings": served.ROLE_BINDINGS,
    "cluster_role_bindings": served.CLUSTER_ROLE_BINDINGS,
}


class RbacCache:
    """The index over the watch caches of roles and bindings."""

    def __init__(self, feed: Feed, opening: Opening) -> None:
        self._opening = opening
        self._caches = {name: feed.cache(kind) for name, kind in _TABLES.items()}
        self._index: RbacIndex | None = None
        for cache in self._caches.values():
            cache.subscribe(self._forget)

    def index(self) -> RbacIndex:
        """Return the index of all roles and bindings, maybe a moment old.

        Raises:
            Unavailable: the cluster's own roles are not there yet, so nothing follows from what is missing.
        """
        if self._index is None:
            self._opening.check()
            self._index = RbacIndex(**{name: self._objects(name) for name in _TABLES})
        return self._index

    def _objects(self, table: str) -> list[Json]:
        return [objects.decode(obj.json) for obj in self._caches[table].every()]

    def _forget(self) -> None:
        self._index = None
