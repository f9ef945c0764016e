"""Kinds that come and go while the process runs: each is brought to the controllers that concern themselves with every kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial as bind
from typing import Any

from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Noted
from controllers.core.definitions import Definition, kind_of
from controllers.core.metadata_only import MetadataOnly
from controllers.informers import Informers
from controllers.manager import Manager
from machinery.model.clock import Clock
from machinery.model.requests import EventType
from machinery.model.resources import Resource
from machinery.model.store import Change


def note(noted: Noted[Any], clock: Clock, change: Change[Any]) -> None:
    """Have a controller remember a change."""
    noted.note(change, clock.monotonic())


class LaterKindsOf:
    """Brings kinds to the controllers that concern themselves with every kind, and takes them away."""

    def __init__(
        self,
        caches: Caches,
        informers: Informers,
        controllers: Sequence[Controller[Any]],
        managers: Sequence[Manager[Any]],
        clock: Clock,
    ) -> None:
        self._caches = caches
        self._informers = informers
        self._managed = [
            (controller, manager)
            for controller, manager in zip(controllers, managers, strict=True)
            if controller.later is not None
        ]
        self._clock = clock

    def has(self, kind: Resource[Any]) -> bool:
        """Whether a kind of this group and plural is there."""
        return self._informers.sees(str(kind))

    def add(self, kind: Resource[MetadataOnly]) -> Source[MetadataOnly]:
        """Follow one more kind."""
        source = self._caches.ask_for_metadata(kind)
        self._informers.add(source, self._caches.requests[source.collection])
        for controller, manager in self._managed:
            assert controller.later is not None  # noqa: S101 - it is among the managed ones for that
            watched, noted = controller.later.come(source)
            if noted is not None:
                self._informers.subscribe(source, bind(note, noted, self._clock))
            manager.watch(watched)
        return source

    def remove(self, source: Source[MetadataOnly]) -> None:
        """Follow a kind no longer."""
        self._informers.remove(source)  # what is left is told as deleted
        self._caches.forget(source)
        for controller, manager in self._managed:
            assert controller.later is not None  # noqa: S101
            controller.later.gone(source)
            manager.unwatch(source)


class CustomKinds:
    """Follows the definitions."""

    def __init__(self, kinds: LaterKindsOf) -> None:
        self._kinds = kinds
        self._sources: dict[str, Source[MetadataOnly]] = {}  # by the definition's name

    def follow(self, change: Change[Definition]) -> None:
        """Bring the kind that a definition stands for now, in the place of the one that it stood for."""
        name = change.object.metadata.name
        kind = None if change.kind is EventType.DELETED else kind_of(change.object)
        known = self._sources.get(name)
        if known is not None and kind != known.resource:
            self._kinds.remove(self._sources.pop(name))
            known = None
        if known is None and kind is not None and not self._kinds.has(kind):
            self._sources[name] = self._kinds.add(kind)
