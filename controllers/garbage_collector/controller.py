"""What the garbage collector watches, remembers and looks at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Key, LaterKinds, Noted, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.kinds import watched_kinds
from controllers.core.moment import Moment
from controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item, Seen, is_going
from controllers.garbage_collector.plan import plan
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import EventType
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller. Its keys have the resource in front: (resource, namespace, name)."""
    sources = [caches.ask_for_metadata(kind) for kind in watched_kinds(settings.kinds)]
    reader = Reader(sources, Graph(settings.kinds))
    return Controller(
        "garbage-collector-controller",
        tuple(Watched(source, partial(reader.neighbours, source)) for source in sources),
        reader.look,
        plan,
        notes=tuple(Noted(source, partial(reader.note, source)) for source in sources),
        later=LaterKinds(reader.come, reader.gone),
        workers=10,
        writes=frozenset({"patch *", "delete *"}),
    )


class Reader:
    """Reads the caches of all kinds, and keeps the graph."""

    def __init__(self, sources: list[Source[Any]], graph: Graph) -> None:
        self._sources = {str(source.resource): source for source in sources}
        self._graph = graph

    def come(self, source: Source[Any]) -> tuple[Watched[Any], Noted[Any]]:
        """Read the cache of one more kind."""
        self._sources[str(source.resource)] = source
        self._graph.know(source.resource)
        return Watched(source, partial(self.neighbours, source)), Noted(source, partial(self.note, source))

    def gone(self, source: Source[Any]) -> None:
        """Forget a kind."""
        self._sources.pop(str(source.resource), None)
        self._graph.forget(source.resource)

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return an object of any kind, with its owners and dependents."""
        resource, namespace, name = key
        source = self._sources.get(resource)
        if source is None:
            return None  # there is no such kind any more
        found = source.store.get(namespace, name)
        return self._graph.see(Item(source.resource, found.metadata)) if found is not None else None

    def note(self, source: Source[Any], change: Change[Any], _now_s: float) -> None:
        """Keep the graph up to date."""
        if change.kind is EventType.DELETED:
            self._graph.note_deleted(change.object.metadata.uid)
        else:
            self._graph.put(Item(source.resource, change.object.metadata))

    def neighbours(self, source: Source[Any], change: Change[Any]) -> Iterator[Key]:
        """Return the object where it has owners or goes in a manner of its own, and those that its change may concern.

        Its dependents, when it is gone or wants them gone; its owners, when one of them waits for it.
        """
        meta: ObjectMeta = change.object.metadata
        gone = change.kind is EventType.DELETED
        if not gone and (meta.ownerReferences or is_going(meta, FOREGROUND) or is_going(meta, ORPHAN)):
            yield (str(source.resource), *key_of(meta))
        if gone or is_going(meta, FOREGROUND):
            for dependent in self._graph.dependents(meta.uid):
                yield (str(dependent.resource), *key_of(dependent.meta))
        for owner in change.old.metadata.ownerReferences if change.old is not None else ():
            known = self._graph.item(owner.uid)
            if known is not None and is_going(known.meta, FOREGROUND):
                yield (str(known.resource), *key_of(known.meta))
