"""The informers behind the caches that the controllers have asked for: made once, and shared.

They run from the start of the process, also while another one leads: a new leader decides from warm caches, and has
seen the nodes' heartbeats all along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias, TypeVar

from controllers.core.caches import Caches, Source
from controllers.core.expectations import Place
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.requests import EVERYTHING
from machinery.model.resources import KubeObject
from machinery.model.store import Change

T = TypeVar("T", bound=KubeObject)
AnyInformer: TypeAlias = Informer[Any]


class Informers:
    """One informer for each collection that was asked for."""

    def __init__(self, caches: Caches, api: Api, clock: Clock, log: EventLog) -> None:
        self._by_collection: dict[tuple[str, Any], AnyInformer] = {
            collection: Informer(
                api,
                request.resource,
                request.selection,
                clock=clock,
                log=log,
                store=request.store,
                keep=request.keep(),
            )
            for collection, request in caches.requests.items()
        }
        self._whole = {
            resource: informer
            for (resource, selection), informer in self._by_collection.items()
            if selection == EVERYTHING
        }

    def __iter__(self) -> Iterator[AnyInformer]:
        return iter(self._by_collection.values())

    @property
    def whole(self) -> Collection[AnyInformer]:
        """Those that see every object of their resource: a write can be expected to show there."""
        return self._whole.values()

    def sees(self, resource: str) -> bool:
        """Whether a write to a resource can be expected to show."""
        return resource in self._whole

    def find(self, place: Place) -> ObjectMeta | None:
        """Return an object's metadata as the cache has it, None where it does not have it."""
        resource, namespace, name = place
        found = self._whole[resource].store.get(namespace, name)
        return found.metadata if found is not None else None

    def subscribe(self, source: Source[T], callback: Callable[[Change[T]], None]) -> None:
        """Call back for every change of a source; for objects that are there already, at once, as ADDED."""
        self._by_collection[source.collection].subscribe(callback)

    async def run(self) -> None:
        """Keep all of them up to date until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self:
                tasks.create_task(informer.run(), name=f"informer-{informer.resource}")

    async def synced(self) -> None:
        """Wait until every informer has its first list."""
        await asyncio.gather(*(informer.synced() for informer in self))
