"""Keeps a copy of a collection up to date: list once, then watch for ever.

Guarantees to its sink: after `replace`, every change comes through `apply`, in order, none twice and none left
out, until the next `replace`. A watch that ends is resumed from the last revision that was delivered (an event's
or a bookmark's); only 410 Expired, or a server that does not know the revision, leads to a new list.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar, cast

from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, DeadlineExceeded, Expired
from machinery.model.insist import Failures
from machinery.model.log import EventLog
from machinery.model.requests import EventType, Selection, WatchEvent
from machinery.model.resources import KubeObject, Resource

T = TypeVar("T", bound=KubeObject)

RETRY: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds, like gRPC's own reconnection
LIST_TIMEOUT_S: Final = 60.0  # wall seconds; a collection may be large
_LATEST: Final = ""  # as resourceVersion of a list: as of now, not from a cache
_ANY: Final = "0"  # ... : from the cache, however old


class Sink(Protocol[T]):
    """Where the copy is kept. Both methods are synchronous and cheap."""

    def replace(self, items: Sequence[T]) -> None:
        """Replace everything by a new list, of objects that are reduced already."""
        ...

    def apply(self, event: WatchEvent[T]) -> None:
        """Apply one change (never a bookmark)."""
        ...


@dataclass(slots=True)
class Reflector(Generic[T]):
    """The loop for one collection."""

    api: Api
    resource: Resource[T]
    selection: Selection
    sink: Sink[T]
    clock: Clock
    jitter: Callable[[], float]
    log: EventLog
    keep: Callable[[T], T] | None = None  # reduces what is listed; events come whole
    revision: int = 0  # the last one delivered; 0 before the first list
    _list_from: str = _ANY
    _failures: Failures = field(init=False)
    _progressed: bool = False  # the watch at hand has delivered something

    def __post_init__(self) -> None:
        self._failures = Failures(self.clock, RETRY, self._tell, self.jitter)

    async def run(self) -> None:
        """List and watch until cancelled."""
        listed = False
        while True:
            try:
                if not listed:
                    await self._list()
                    listed = True
                await self._watch()
                self._note_end()
            except Expired:
                listed, self._list_from = False, _LATEST
                self._failures.count += 1
            except ApiError as error:
                if not listed and isinstance(error, DeadlineExceeded):
                    self._list_from = _LATEST  # this server has not seen our revision yet
                self._failures.note(error)
            await self._failures.pause()

    async def _list(self) -> None:
        listing = await self.api.list(
            self.resource,
            self.selection,
            resource_version=self._list_from,
            keep=self.keep,
            timeout_s=LIST_TIMEOUT_S,
        )
        self.sink.replace(listing.items)
        self.revision = listing.revision
        self._list_from = str(listing.revision)  # never go back behind what was seen
        self._failures.forget()

    async def _watch(self) -> None:
        self._progressed = False
        watch = self.api.watch(self.resource, self.selection, resource_version=str(self.revision))
        async with aclosing(cast("AsyncGenerator[list[WatchEvent[T]], None]", watch)) as batches:
            async for batch in batches:
                for event in batch:
                    self._deliver(event)

    def _deliver(self, event: WatchEvent[T]) -> None:
        if event.type is not EventType.BOOKMARK:
            self.sink.apply(event)
        self.revision = event.revision
        self._failures.forget()
        self._progressed = True

    def _note_end(self) -> None:
        """A watch that ended before it said anything counts as a failure: else this would be a busy loop."""
        if not self._progressed:
            self._failures.count += 1

    def _tell(self, error: Exception, failures: int) -> None:
        if failures == 1 or failures % 10 == 0:
            self.log.warning(
                "watch_broken",
                resource=self.resource,
                revision=self.revision,
                error=error,
                failures=failures,
            )
