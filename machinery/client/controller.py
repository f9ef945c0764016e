"""The controller loop: keys from a queue, one reconcile at a time for each key, failures tried again later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from machinery.client.workqueue import WorkQueue
from machinery.model.errors import ApiError, Conflict
from machinery.model.log import SILENT, EventLog
from machinery.wire.cause_headers import acting

K = TypeVar("K", bound=Hashable)


async def run_controller(
    name: str,
    queue: WorkQueue[K],
    reconcile: Callable[[K], Awaitable[float | None]],
    *,
    workers: int = 1,
    log: EventLog = SILENT,
) -> None:
    """Work on the queue until cancelled.

    `reconcile(key)` reads the world, makes it a little more like it should be, and returns the cluster seconds
    after which it wants to look again, or None. An ApiError means "again, later" (the key's backoff); any other
    exception is a bug and ends the loop with it. Requests made inside carry the causes of the key.

    Raises:
        ExceptionGroup: `reconcile` raised something else than an ApiError.
    """
    async with asyncio.TaskGroup() as group:
        _Workers(name, queue, reconcile, workers, log, group).hire()


class _Workers(Generic[K]):
    """As many as there is work for at once, of so many at most: one that waits takes memory, and most have never any work."""

    def __init__(
        self,
        name: str,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Awaitable[float | None]],
        most: int,
        log: EventLog,
        group: asyncio.TaskGroup,
    ) -> None:
        self._name = name
        self._queue = queue
        self._reconcile = reconcile
        self._most = most
        self._log = log
        self._group = group
        self._count = 0
        self._waiting = 0  # of them

    def hire(self) -> None:
        """Add one."""
        self._group.create_task(self._work(), name=f"{self._name}-{self._count}")
        self._count += 1

    async def _work(self) -> None:
        queue = self._queue
        while True:
            self._waiting += 1
            key = await queue.get()
            self._waiting -= 1
            if not self._waiting and self._count < self._most:
                self.hire()
            try:
                with acting(queue.causes(key)):
                    await _reconcile(self._name, queue, key, self._reconcile, self._log)
            finally:
                queue.done(key)


async def _reconcile(
    name: str, queue: WorkQueue[K], key: K, reconcile: Callable[[K], Awaitable[float | None]], log: EventLog
) -> None:
    try:
        again_s = await reconcile(key)
    except ApiError as error:
        queue.add_rate_limited(key)
        write = log.debug if isinstance(error, Conflict) else log.warning
        write("reconcile_failed", controller=name, key=key, error=error, failures=queue.failures(key))
        return
    queue.forget(key)
    if again_s is not None:
        queue.add_after(key, again_s)
