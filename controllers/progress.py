"""What the caches come to show is told to all controllers at work at once: each may wait there for what it has written.

One callback a cache, and not one for each controller and cache: of an empty cluster's memory those took a megabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as bind
from typing import Any, TypeAlias

from controllers.core.expectations import Gone, Place
from machinery.client.informer import Informer
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import EventType
from machinery.model.store import Change

Saw: TypeAlias = Callable[[Place, ObjectMeta | None], None]


class Progress:
    """Reports what stands at a place of a cache now, None for nothing; `gone` has the objects that went last."""

    def __init__(self) -> None:
        self.gone = Gone()
        self._told: list[Saw] = []

    def follow(self, informer: Informer[Any]) -> None:
        """Report the changes of a cache that shows every object of its resource."""
        informer.subscribe(bind(self._note, str(informer.resource)))

    def subscribe(self, saw: Saw) -> None:
        """Call for each change from now on."""
        self._told.append(saw)

    def _note(self, resource: str, change: Change[Any]) -> None:
        meta = change.object.metadata
        place, current = (resource, meta.namespace, meta.name), meta
        if change.kind is EventType.DELETED:
            self.gone.note(meta.uid)
            current = None
        if not self.gone.is_awaited(place):
            return
        for saw in self._told:
            saw(place, current)
