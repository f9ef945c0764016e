"""The informers behind the caches that the controllers have asked for: made once, and shared.

They run from the start of the process, also while another one leads: a new leader decides from warm caches, and has
seen the nodes' heartbeats all along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

from controllers.core.caches import Caches, Request, Source
from controllers.core.caches import Collection as Place_
from controllers.core.expectations import Place
from controllers.progress import Progress
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.client.limited import limited
from machinery.model.clock import Clock
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.requests import EVERYTHING
from machinery.model.resources import KubeObject
from machinery.model.store import Change

T = TypeVar("T", bound=KubeObject)
AnyInformer: TypeAlias = Informer[Any]
LATER_SYNC_S: Final = 10.0  # wall seconds
LISTS_AT_ONCE: Final = 4  # first lists; all at once they take memory that is not needed ever again


class Informers:
    """One informer for each collection that was asked for."""

    def __init__(self, caches: Caches, api: Api, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._clock = clock
        self._log = log
        self._tasks: asyncio.TaskGroup | None = None  # while they run
        self._running: dict[Place_, asyncio.Task[None]] = {}
        self._later: set[Place_] = set()
        self.progress = Progress()
        in_turn = limited(api, LISTS_AT_ONCE)
        self._by_collection: dict[Place_, AnyInformer] = {
            collection: self._make(request, in_turn) for collection, request in caches.requests.items()
        }
        self._whole = {
            resource: informer
            for (resource, selection), informer in self._by_collection.items()
            if selection == EVERYTHING
        }
        for informer in self._whole.values():
            self.progress.follow(informer)

    def _make(self, request: Request, api: Api) -> AnyInformer:
        return Informer(
            api,
            request.resource,
            request.selection,
            clock=self._clock,
            log=self._log,
            store=request.store,
            keep=request.keep(),
        )

    def add(self, source: Source[Any], request: Request) -> None:
        """Follow one more collection, whole, from now on."""
        informer = self._by_collection[source.collection] = self._make(request, self._api)
        self._whole[str(source.resource)] = informer
        self.progress.follow(informer)
        self._later.add(source.collection)
        if self._tasks is not None:
            self._start(source.collection, informer)

    def remove(self, source: Source[Any]) -> None:
        """Follow a collection no longer; what is left in its cache is told as deleted."""
        informer = self._by_collection.pop(source.collection)
        self._whole.pop(str(source.resource), None)
        self._later.discard(source.collection)
        if task := self._running.pop(source.collection, None):
            task.cancel()
        informer.replace(())

    def __iter__(self) -> Iterator[AnyInformer]:
        return iter(self._by_collection.values())

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
            self._tasks = tasks
            for collection, informer in self._by_collection.items():
                self._start(collection, informer)

    def _start(self, collection: Place_, informer: AnyInformer) -> None:
        assert self._tasks is not None  # noqa: S101 - they run
        self._running[collection] = self._tasks.create_task(
            informer.run(), name=f"informer-{informer.resource}"
        )

    async def synced(self) -> None:
        """Wait until every informer has its first list; those of kinds that came later for a while only.

        A kind may be served and not be readable, as one whose webhook does not answer.
        """
        later = self._later
        first = [each for place, each in self._by_collection.items() if place not in later]
        await asyncio.gather(*(informer.synced() for informer in first))
        waiting = [self._by_collection[place].synced() for place in later]
        with suppress(TimeoutError):
            async with self._clock.timeout_wall(LATER_SYNC_S):
                await asyncio.gather(*waiting)
