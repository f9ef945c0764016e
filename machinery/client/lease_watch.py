"""Reports to a candidate every change of the lease that it waits for, as soon as it is written.

Feeds `see` and wakes whoever waits for `news`. It may be refused, end or fall silent at any time, and only the first
two are noticed here: whoever relies on it polls while `told_s` is None, and looks again when that is long ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, cast

from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.log import EventLog
from machinery.model.requests import Selection, WatchEvent
from machinery.model.resources import LEASES

_LONGEST_BACKOFF: Final = 32  # retry periods: somebody who may not watch asks that seldom, and polls


class LeaseWatch:
    """One watch after the other, each from a lease as last read."""

    def __init__(
        self,
        api: Api,
        *,
        see: Callable[[Lease], None],
        retry_period_s: float,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._api = api
        self._see = see
        self._clock = clock
        self._log = log
        self._backoff = Backoff(initial_s=retry_period_s, cap_s=retry_period_s * _LONGEST_BACKOFF)
        self._failures = 0  # in a row
        self._not_before_s = float("-inf")  # monotonic, as is `told_s`
        self.told_s: float | None = None  # when it last said something; None while there is no watch
        self.news = asyncio.Event()  # set when it said something, or ended

    async def follow(self, lease: Lease) -> None:
        """Report what happens after this version of the lease; return when the watch ends, or when it is too soon."""
        if self._clock.monotonic() < self._not_before_s:
            return
        try:
            await self._watch(lease)
        except ApiError as error:
            self._note_failure(lease, error)
        finally:
            self.told_s = None
            self.news.set()

    async def _watch(self, lease: Lease) -> None:
        meta = lease.metadata
        selection = Selection(meta.namespace, field_selector=f"metadata.name={meta.name}")
        watch = self._api.watch(LEASES, selection, resource_version=meta.resourceVersion)
        async with aclosing(cast("AsyncGenerator[Sequence[WatchEvent[Lease]], None]", watch)) as batches:
            async for batch in batches:
                self._tell(batch)

    def _tell(self, batch: Sequence[WatchEvent[Lease]]) -> None:
        self.told_s = self._clock.monotonic()
        if batch:
            self._failures = 0
        for event in batch:
            if event.object is not None:  # a deletion tells the last state: nothing new about the holder
                self._see(event.object)
        self.news.set()

    def _note_failure(self, lease: Lease, error: ApiError) -> None:
        self._failures += 1
        self._not_before_s = self._clock.monotonic() + self._backoff.delay(self._failures)
        if self._failures == 1:
            self._log.warning("lease_not_watched", lease=lease.metadata.name, error=error)
