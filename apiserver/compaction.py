"""Forgets old history, so that etcd does not grow for ever: every five minutes what is older than five minutes.

Several apiservers agree through one key of the store. Each round, the one that writes the key first compacts; the
others see that it has changed and wait for the next round.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from apiserver.storage.interface import Storage, Stored, Written
from machinery.model.errors import ApiError
from machinery.model.log import EventLog

PERIOD_S: Final = 300.0  # wall seconds
KEY: Final = "compact_rev_key"


class Compaction:
    """One round after the other."""

    def __init__(self, storage: Storage, log: EventLog) -> None:
        self._storage = storage
        self._log = log
        self._seen: Stored | None = None  # the key, as this apiserver knows it
        self._previous = 0  # the newest revision of a round ago

    async def run(self, period_s: float = PERIOD_S, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Compact for ever; `sleep` takes wall seconds."""
        while True:
            try:
                await self.round()
            except ApiError as error:
                self._log.warning("compaction_failed", error=error)
            await sleep(period_s)

    async def round(self) -> None:
        """Forget what is older than the last round, if no other apiserver does."""
        newest = await self._storage.revision()
        previous, self._previous = self._previous, newest
        if not previous:  # the first round only learns where things stand
            self._seen = await self._storage.get(KEY)
            return
        if await self._is_ours(newest):
            await self._storage.compact(previous)
            self._log.debug("compacted", revision=previous)

    async def _is_ours(self, newest: int) -> bool:
        value = str(newest).encode()
        if self._seen is None:
            outcome = await self._storage.create(KEY, value)
        else:
            outcome = await self._storage.update(KEY, value, self._seen.revision)
        if isinstance(outcome, Written):
            self._seen = Stored(KEY, value, outcome.revision)
            return True
        self._seen = outcome.current
        return False
