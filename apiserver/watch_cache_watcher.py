"""One watch: a bounded queue between the cache, which never waits, and a door, which may be slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import chain
from typing import Final

from apiserver.request import SharedBatch, SharedEvent, Sink
from machinery.model.clock import Timer
from machinery.model.errors import ApiError
from machinery.process.clock import WALL

QUEUE_LIMIT: Final = 1_000  # events that a watcher may be behind, beside its initial ones
QUEUE_BYTES: Final = 32 * 1024 * 1024  # of their objects: of large ones it may be fewer behind
BATCH_LIMIT: Final = 500  # events in a batch


class Watcher:
    """Implements `apiserver.request.WatchReply`.

    A watcher that falls behind by more than `QUEUE_LIMIT` events, or `QUEUE_BYTES`, is ended, not failed: it still gets what is in
    its queue, without a gap, and its client watches again from there.
    """

    __slots__ = (
        "_behind",
        "_behind_bytes",
        "_ended",
        "_error",
        "_initial",
        "_leave",
        "_queue",
        "_sink",
        "_timer",
        "_wake",
        "bookmarks",
        "is_delivered",
    )

    def __init__(
        self, initial: Sequence[SharedEvent], *, bookmarks: bool, leave: Callable[[Watcher], None]
    ) -> None:
        """Begin with the initial events. `leave` offers what is left to tell, and ends the offers; idempotent."""
        self.bookmarks = bookmarks
        self.is_delivered = False  # into a sink, at once: telling it something is the work itself
        self._initial = initial
        self._queue: deque[SharedBatch] = deque()
        self._behind = 0  # events in the queue
        self._behind_bytes = 0
        # Takes events as they come; None while somebody iterates, or it is full.
        self._sink: Sink | None = None
        self._wake = asyncio.Event()
        self._ended = False
        self._error: ApiError | None = None
        self._leave = leave
        self._timer: Timer | None = None

    def offer(self, batch: SharedBatch) -> None:
        """Pass events to the sink, or queue them; called in order of revision."""
        for portion in batch.portions:
            if self._ended:
                return
            if self._sink is None:
                self._enqueue(portion)
            else:  # nothing is queued
                self._write(self._sink, portion)

    def _write(self, sink: Sink, batch: SharedBatch) -> None:
        try:
            has_room = sink.write(batch)
        except Exception:  # noqa: BLE001 - the others are told all the same; `deliver` writes it again, and meets it
            self._enqueue(batch)
            has_room = False
        if not has_room:
            self._sink = None
            self._wake.set()

    def _enqueue(self, batch: SharedBatch) -> None:
        self._queue.append(batch)
        self._behind += len(batch)
        self._behind_bytes += batch.size_bytes
        self._wake.set()
        if self._behind > QUEUE_LIMIT or self._behind_bytes > QUEUE_BYTES:
            self.end()

    def end(self, error: ApiError | None = None) -> None:
        """End the watch after what is queued: with an error, or as a timeout does."""
        if self._ended:
            return
        self._leave(self)
        self._ended, self._error = True, error
        self._wake.set()

    def end_after(self, seconds: float, last_bookmark: Callable[[], SharedEvent]) -> None:
        """End the watch after so many wall seconds, with a last bookmark where bookmarks are wanted."""

        def timeout() -> None:
            self._leave(self)  # a bookmark comes after everything that it stands for
            if self.bookmarks:
                self.offer(SharedBatch((last_bookmark(),)))
            self.end()

        self._timer = WALL.call_later_wall(seconds, timeout)

    async def __aiter__(self) -> AsyncIterator[SharedBatch]:
        """Yield batches; the first one at once, even if it is empty."""
        async for batch in self._first():
            yield batch
        while True:
            while self._queue:
                yield self._take()
                if self._queue:
                    await WALL.sleep_wall(0)
            if self._ended:
                break
            self._wake.clear()
            await self._wake.wait()
        if self._error:
            raise self._error

    async def _first(self) -> AsyncIterator[SharedBatch]:
        first, self._initial = self._initial, ()
        starts = range(0, max(1, len(first)), BATCH_LIMIT)
        batches = [SharedBatch(first[start : start + BATCH_LIMIT]) for start in starts]
        for number, portion in enumerate(chain.from_iterable(batch.portions for batch in batches)):
            if number:
                await WALL.sleep_wall(0)  # others have their turn
            yield portion

    async def deliver(self, sink: Sink) -> None:
        """Pass every batch to a sink, as iterating would, without a turn of this task for each of them.

        Raises:
            ApiError: the watch ends with it.
        """
        self.is_delivered = True
        async for batch in self._first():
            sink.write(batch)
            await sink.drained()
        while True:
            while self._queue:
                sink.write(self._take())
                await sink.drained()
                if self._queue:
                    await WALL.sleep_wall(0)
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

    def _take(self) -> SharedBatch:
        """Return the next batch, in one with those after it as far as there is room."""
        taken = [self._queue.popleft()]
        size, size_bytes = len(taken[0]), taken[0].size_bytes
        while self._queue and size + len(self._queue[0]) <= BATCH_LIMIT:
            if size_bytes + self._queue[0].size_bytes > SharedBatch.PORTION:
                break
            taken.append(self._queue.popleft())
            size += len(taken[-1])
            size_bytes += taken[-1].size_bytes
        self._behind -= size
        self._behind_bytes -= size_bytes
        return taken[0] if len(taken) == 1 else SharedBatch(chain.from_iterable(taken))

    async def aclose(self) -> None:
        """End the watch and forget what is queued. Idempotent."""
        if self._timer:
            self._timer.cancel()
        self.end()
        self._initial, self._behind, self._behind_bytes = (), 0, 0
        self._queue.clear()


def ended_watch(error: ApiError) -> Watcher:
    """Return a watch that has ended with an error before its first event."""
    watcher = Watcher((), bookmarks=False, leave=lambda _: None)
    watcher.end(error)
    return watcher
