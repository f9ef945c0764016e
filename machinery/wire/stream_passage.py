"""A stream on its way through the seam of its connection, whatever carries it.

It is read as an iterator (`through`) or item by item (`read`), written item by item (`write`), by a piece of work
(`run`), or at once where nobody looks (`passes`). What fails in it ends it. Its adapter has it of
`machinery.wire.conversation`.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from machinery.model.errors import ApiError, DeadlineExceeded, Unavailable
from machinery.model.seam import Outcome, Passage, Seam

T = TypeVar("T")
ReadError = Callable[[BaseException], ApiError]


class StreamPassage:
    """A stream on its way through the seam. A context manager: what it is left with is how the stream ended.

    What a method raises, an error or a caller who leaves, has ended the stream.
    """

    def __init__(
        self, passage: Passage, seam: Seam, read_error: ReadError, timeout_s: float | None = None
    ) -> None:
        self._passage = passage
        self._clock = seam.clock
        self._read_error = read_error
        self._deadline = None if timeout_s is None else self._clock.call_later_wall(timeout_s, self._expire)
        self._begun = self._clock.monotonic_wall()
        self._items = 0
        self._broken: ApiError | None = None
        self._reader: asyncio.Task[Any] | None = None  # while it waits for an item, and can be interrupted
        self._cancels = 0  # how often the reader had been cancelled when it began to wait
        self._interrupted: asyncio.Task[Any] | None = None  # the reader, once it is
        self._has_begun = False
        self._is_over = False
        self._close: Callable[[], object] = _nothing
        passage.on_break(self.interrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.end(error)

    async def begin(self, within_s: float | None = None) -> None:
        """Return when the stream may be opened, in so many wall seconds at most.

        Raises:
            ApiError: it may not.
        """
        with self._interruptible():
            self._has_begun = True
            try:
                async with self._clock.timeout_wall(within_s):
                    await self._passage.before()
            except TimeoutError as error:
                raise DeadlineExceeded("no answer in time") from error

    async def write(self, item: T, send: Callable[[T], Awaitable[None]]) -> None:
        """Return when an item is sent, or dropped by the seam.

        Raises:
            ApiError: this is how the stream ends.
            Exception: as `send` raised it.
        """
        try:
            if not self._passage.attends or await self._passage.each(item):
                await send(item)
        except BaseException as error:
            self.end(error)
            raise

    async def read(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return the next item that `read` returns and the seam hands on; an empty one is the stream's end.

        Raises:
            ApiError: the seam ends the stream.
            Exception: as `read` raised it.
        """
        while True:
            with self._interruptible():
                item = await read()
                if not item:
                    self.end()
                    return item
                if await self.arrived(item):
                    return item

    async def through(self, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        """Yield the items that the seam hands on, from the beginning of the stream, where that has not been, to its end.

        It does what `read` does, in one layer: every event of a watch goes this way.

        Raises:
            ApiError: the seam ends the stream.
            Exception: as `items` raised it.
        """
        passage = self._passage
        with self:
            if not self._has_begun:
                await self.begin()
            try:
                self._begin_reading()
                async for item in items:
                    if self._items and not passage.attends:
                        self._items += 1
                    elif not await self.arrived(item):
                        continue
                    self._reader = None
                    yield item
                    if self._broken is not None:
                        self._begin_reading()  # raises it
                    self._reader = reader = current_task()
                    self._cancels = reader.cancelling() if reader is not None else 0
            except BaseException:
                if (broken := self._interrupted_with()) is not None:
                    raise broken from None
                raise
            finally:
                self._reader = None

    async def run(self, work: Awaitable[T]) -> T:
        """Return what `work` returns, a part of the stream; it is cancelled where the seam breaks the stream.

        Raises:
            ApiError: the seam has broken the stream.
            Exception: as `work` raised it.
        """
        with self._interruptible():
            return await work

    def passes(self) -> bool:
        """Whether an item may be handed on at once, and has been counted. Otherwise `arrived` says when."""
        if not self._items or self._passage.attends:
            return False
        self._items += 1
        return True

    def on_end(self, close: Callable[[], object]) -> None:
        """Register what is called when the stream ends; it is called at once, if the stream has ended."""
        self._close = close
        if self._is_over:
            close()

    def end(self, error: BaseException | None = None) -> None:
        """Report to the seam how the stream ended, once. A caller who leaves ends it as well as its last item."""
        if self._is_over:
            return
        self._is_over = True
        if self._deadline is not None:
            self._deadline.cancel()
        left = isinstance(error, GeneratorExit | asyncio.CancelledError)
        took_s = self._clock.monotonic_wall() - self._begun
        told = None if error is None or left else self._read_error(error)
        self._passage.after(Outcome(told, 0, self._items, took_s))
        self._close()

    async def arrived(self, item: object) -> bool:
        """Return when an item that has come may be handed on; False drops it.

        Raises:
            ApiError: this is how the stream ends.
        """
        self._items += 1
        if self._items == 1:
            await self._passage.answered()
        return not self._passage.attends or await self._passage.each(item)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        try:
            self._begin_reading()
            yield
        except BaseException as error:
            self._reader = None
            if (broken := self._interrupted_with()) is not None:
                self.end(broken)
                raise broken from None
            self.end(error)
            raise
        self._reader = None

    def _begin_reading(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._reader = reader = current_task()
        self._cancels = reader.cancelling() if reader else 0

    def interrupt(self, error: ApiError) -> None:
        """End the stream with an error, at once for whoever waits for its next item."""
        self._broken = error
        if self._reader is not None:  # as asyncio.timeout does it
            self._interrupted = self._reader
            self._reader.cancel()

    def cancel(self) -> None:
        """End the stream as whoever reads it, at once for those who wait for its next item."""
        self.interrupt(Unavailable("the stream was cancelled"))
        self.end()

    def _expire(self) -> None:
        self.interrupt(DeadlineExceeded("no answer in time"))

    def _interrupted_with(self) -> ApiError | None:
        """Return what the stream was broken with, if this is why its reader was cancelled."""
        reader, self._interrupted = self._interrupted, None
        return self._broken if reader is not None and reader.uncancel() <= self._cancels else None


def _nothing() -> None:
    pass
