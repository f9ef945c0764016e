"""One watch: a bounded queue between the cache, which never waits, and a door, which may be slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from apiserver.request import SharedEvent
from machinery.model.errors import ApiError

QUEUE_LIMIT: Final = 1_000  # events that a watcher may be behind, beside its initial ones
BATCH_LIMIT: Final = 500  # events in a batch


class Watcher:
    """Implements `apiserver.request.WatchReply`.

    A watcher that falls behind by more than `QUEUE_LIMIT` events is ended, not failed: it still gets what is in
    its queue, without a gap, and its client watches again from there.
    """

    def __init__(
        self, initial: Sequence[SharedEvent], *, bookmarks: bool, leave: Callable[[Watcher], None]
    ) -> None:
        self.bookmarks = bookmarks
        self._initial = initial
        self._queue: list[SharedEvent] = []
        self._wake = asyncio.Event()
        self._ended = False
        self._error: ApiError | None = None
        self._leave = leave
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, event: SharedEvent) -> None:
        """Queue an event; called in order of revision."""
        if self._ended:
            return
        self._queue.append(event)
        self._wake.set()
        if len(self._queue) > QUEUE_LIMIT:
            self.end()

    def end(self, error: ApiError | None = None) -> None:
        """End the watch after what is queued: with an error, or as a timeout does."""
        if self._ended:
            return
        self._ended, self._error = True, error
        self._wake.set()
        self._leave(self)

    def end_after(self, seconds: float, last_bookmark: Callable[[], SharedEvent]) -> None:
        """End the watch after so many wall seconds, with a last bookmark where bookmarks are wanted."""

        def timeout() -> None:
            if self.bookmarks:
                self.offer(last_bookmark())
            self.end()

        self._timer = asyncio.get_running_loop().call_later(seconds, timeout)

    async def __aiter__(self) -> AsyncIterator[Sequence[SharedEvent]]:
        """Yield batches; the first one at once, even if it is empty."""
        first, self._initial = self._initial, ()
        for start in range(0, max(1, len(first)), BATCH_LIMIT):
            yield first[start : start + BATCH_LIMIT]
        del first
        while True:
            while self._queue:
                batch, self._queue = self._queue[:BATCH_LIMIT], self._queue[BATCH_LIMIT:]
                yield batch
            if self._ended:
                break
            self._wake.clear()
            await self._wake.wait()
        if self._error:
            raise self._error

    async def aclose(self) -> None:
        """End the watch and forget what is queued. Idempotent."""
        if self._timer:
            self._timer.cancel()
        self.end()
        self._initial, self._queue = (), []
