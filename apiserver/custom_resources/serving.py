"""Puts the kinds of definitions into the catalogue, and takes them out, as the cache of definitions changes.

It runs inside the cache: when a reader or a watcher sees that a definition is established, its kinds are served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from apiserver import objects
from apiserver.core.catalogue import Catalogue
from apiserver.core.custom.heads import Head
from apiserver.core.custom.serving import Seams, custom_kinds
from apiserver.core.kind import Kind
from apiserver.objects import CachedObject
from machinery.model.log import EventLog

_read_head: Final = msgspec.json.Decoder(Head).decode


@dataclass(frozen=True, slots=True)
class Known:
    """A definition as it was seen last."""

    head: Head
    cached: CachedObject
    kinds: tuple[Kind, ...]  # that are in the catalogue for it, the version that is stored first


class ServedDefinitions:
    """Follows the cache of definitions (`apiserver.watch_cache.Follower`)."""

    def __init__(self, catalogue: Catalogue, seams: Seams, log: EventLog) -> None:
        self._catalogue = catalogue
        self._seams = seams
        self._log = log
        self._known: dict[str, Known] = {}
        self._groups: dict[str, dict[str, Known]] = {}
        self._subscribers: list[Callable[[str, Known | None], None]] = []

    def of_group(self, group: str) -> Iterable[Known]:
        """Return the definitions of a group."""
        return self._groups.get(group, {}).values()

    def find(self, name: str) -> Known | None:
        """Return a definition; None where there is none."""
        return self._known.get(name)

    def subscribe(self, changed: Callable[[str, Known | None], None]) -> None:
        """Call back after every change with the name, and what the definition was where it is gone; nobody waits."""
        self._subscribers.append(changed)

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again: these are all definitions."""
        found = {obj.place: obj for obj in every}
        for name in [name for name in self._known if name not in found]:
            self._remove(name)
        for obj in found.values():
            self._put(obj)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        if new is not None:
            self._put(new)
        elif old is not None:
            self._remove(old.place)

    def _put(self, obj: CachedObject) -> None:
        before = self._known.get(obj.place)
        try:
            head = _read_head(obj.json)
        except msgspec.MsgspecError as error:  # another program wrote it
            self._log.error("definition_unreadable", definition=obj.place, error=error)
            return
        kinds = before.kinds if before else ()
        if before is None or head.form != before.head.form:
            kinds = self._serve(obj, head, kinds)
        known = self._known[obj.place] = Known(head, obj, kinds)
        self._groups.setdefault(head.spec.group, {})[obj.place] = known
        self._tell(obj.place, None)

    def _serve(self, obj: CachedObject, head: Head, before: tuple[Kind, ...]) -> tuple[Kind, ...]:
        try:
            kinds = custom_kinds(objects.decode(obj.json), self._seams) if head.is_established else ()
            if before or kinds:
                self._catalogue.replace(before, kinds)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._log.error("definition_not_served", definition=obj.place, error=error)
            return before
        if bool(kinds) != bool(before):
            self._log.info("definition_served" if kinds else "definition_withdrawn", definition=obj.place)
        return kinds

    def _remove(self, name: str) -> None:
        known = self._known.pop(name, None)
        if known is None:
            return
        group = self._groups[known.head.spec.group]
        del group[name]
        if not group:
            del self._groups[known.head.spec.group]
        if known.kinds:
            self._catalogue.replace(known.kinds, ())
            self._log.info("definition_withdrawn", definition=name)
        self._tell(name, known)

    def _tell(self, name: str, gone: Known | None) -> None:
        for changed in self._subscribers:
            changed(name, gone)
