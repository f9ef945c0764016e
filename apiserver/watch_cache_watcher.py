"""One watch: a bounded queue between the cache, which never waits, and a door, which may be slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from apiserver.request import SharedEvent, Sink
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
        self._sink: Sink | None = (
            None  # takes events as they come; None while somebody iterates, or it is full
        )
        self._flush_is_due = False
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
        if self._sink is None:
            self._wake.set()
        elif not self._flush_is_due:  # in one go with the events that come in the same turn of the loop
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)
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
        async for batch in self._first():
            yield batch
        while True:
            while self._queue:
                yield self._take()
            if self._ended:
                break
            self._wake.clear()
            await self._wake.wait()
        if self._error:
            raise self._error

    async def _first(self) -> AsyncIterator[Sequence[SharedEvent]]:
        first, self._initial = self._initial, ()
        for start in range(0, max(1, len(first)), BATCH_LIMIT):
            yield first[start : start + BATCH_LIMIT]

    async def deliver(self, sink: Sink) -> None:
        """Give every batch to a sink, as iterating would, but without a turn of this task for each of them."""
        async for batch in self._first():
            sink.write(batch)
            await sink.drained()
        while True:
            while self._queue:
                sink.write(self._take())
                await sink.drained()
            if self._ended:
                break
            self._wake.clear()
            self._sink = sink
            try:
                await self._wake.wait()
            finally:
                self._sink = None
            await sink.drained()
        if self._error:
            raise self._error

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._sink is not None and self._queue:
            if not self._sink.write(self._take()):
                self._sink = None
                self._wake.set()

    def _take(self) -> Sequence[SharedEvent]:
        if len(self._queue) <= BATCH_LIMIT:
            batch, self._queue = self._queue, []
        else:
            batch, self._queue = self._queue[:BATCH_LIMIT], self._queue[BATCH_LIMIT:]
        return batch

    async def aclose(self) -> None:
        """End the watch and forget what is queued. Idempotent."""
        if self._timer:
            self._timer.cancel()
        self.end()
        self._initial, self._queue = (), []
