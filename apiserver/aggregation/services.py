"""The APIServices that there are, as the cache of them changes (`apiserver.watch_cache.Follower`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from apiserver import objects
from apiserver.core.aggregation.heads import Head, read_head
from apiserver.core.aggregation.priorities import GroupVersion
from apiserver.core.values import Json
from apiserver.objects import CachedObject
from machinery.model.log import EventLog


class ApiServices:
    """What each says; an object that is none, which another program has written, is not there."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._heads: dict[str, Head] = {}
        self._objects: dict[str, CachedObject] = {}
        self._remote: dict[GroupVersion, Head] = {}
        self._subscribers: list[Callable[[str], None]] = []

    @property
    def remote(self) -> Mapping[GroupVersion, Head]:
        """Those that lead to a Service, by what they are about."""
        return self._remote

    def names(self) -> Iterable[str]:
        """Return the names of all."""
        return self._heads.keys()

    def find(self, name: str) -> Head | None:
        """Return what one says; None where there is none."""
        return self._heads.get(name)

    def read(self, name: str) -> Json | None:
        """Return one as it is; None where there is none."""
        found = self._objects.get(name)
        return objects.decode(found.json) if found is not None else None

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """Call back with the name after every change; the callback does not wait."""
        self._subscribers.append(changed)

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again: these are all."""
        found = {obj.place: obj for obj in every}
        for name in [name for name in self._objects if name not in found]:
            self._set(name, None)
        for name, obj in found.items():
            self._set(name, obj)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        if new is not None:
            self._set(new.place, new)
        elif old is not None:
            self._set(old.place, None)

    def _set(self, name: str, obj: CachedObject | None) -> None:
        before = self._heads.pop(name, None)
        self._objects.pop(name, None)
        if before is not None and self._remote.get(before.group_version) is before:
            del self._remote[before.group_version]
        head = self._head(obj) if obj is not None else None
        if head is not None and obj is not None:
            self._heads[name], self._objects[name] = head, obj
            if head.leads_elsewhere:
                self._remote[head.group_version] = head
        for changed in self._subscribers:
            changed(name)

    def _head(self, obj: CachedObject) -> Head | None:
        try:
            return read_head(obj.json)
        except msgspec.MsgspecError as error:
            self._log.error("apiservice_unreadable", apiservice=obj.place, error=error)
            return None
