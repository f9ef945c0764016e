"""Takes the messages of one connection through its seam: the only place where `machinery.model.seam`'s steps are taken.

Adapters make a `Conversation` of the seam that they are handed and the ends of their connection. They say what a
call is in their protocol's words, and raise in those words what is raised here as `ApiError`.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from machinery.model.errors import ApiError, DeadlineExceeded, InternalError, OutcomeUnknown
from machinery.model.seam import Ends, Message, Outcome, Passage, Seam
from machinery.wire.cause_headers import acting_on

T = TypeVar("T")
Body = Callable[[], bytes]
Measure = Callable[[T], tuple[int, int]]

END: Final[Any] = object()  # what `StreamPassage.read` and the reads that it makes return after the last item


def no_body() -> bytes:
    """Return the body of a call that has none."""
    return b""


def unmeasured(_answer: object) -> tuple[int, int]:
    """Return the revision and the size of an answer that tells neither."""
    return 0, 0


class Conversation:
    """The calls of one connection."""

    def __init__(self, seam: Seam, ends: Ends) -> None:
        self._seam = seam
        self.ends = ends

    @property
    def is_idle(self) -> bool:
        """Whether calls that are no streams may be made without the detour over `call`."""
        return self._seam.is_idle

    async def call(
        self,
        method: str,
        send: Callable[[float | None], Awaitable[T]],
        *,
        about: str = "",
        body: Body = no_body,
        timeout_s: float | None = None,
        measure: Measure[T] = unmeasured,
    ) -> T:
        """Return the answer of `send(timeout_s)`, which raises `ApiError`; wall seconds, what is left of them.

        Raises:
            ApiError: as `send` raised it, or the seam.
            DeadlineExceeded: the seam kept the message or its answer longer than the call may take.
        """
        passage = self._seam.open(self._message(method, about, body), is_stream=False)
        if passage is None:
            return await send(timeout_s)
        clock = self._seam.clock
        begun = clock.monotonic_wall()
        outcome = Outcome(OutcomeUnknown("the caller has gone"), 0, 0, 0)
        try:
            async with clock.timeout_wall(timeout_s):
                await passage.before()
                gone_s = clock.monotonic_wall() - begun
                answer = await _send(passage, send, None if timeout_s is None else timeout_s - gone_s)
                revision, size = measure(answer)
                outcome = outcome._replace(revision=revision, size=size)
                await passage.answered()
            outcome = outcome._replace(error=None)
        except TimeoutError as error:
            late = DeadlineExceeded("no answer in time")
            outcome = outcome._replace(error=late)
            raise late from error
        except Exception as error:
            outcome = outcome._replace(error=_as_api_error(error))
            raise
        else:
            return answer
        finally:
            passage.after(outcome._replace(took_s=clock.monotonic_wall() - begun))

    def stream(
        self, method: str, *, about: str = "", body: Body = no_body, timeout_s: float | None = None
    ) -> StreamPassage:
        """Begin the passage of a stream, which may last so many wall seconds; leaving it ends it."""
        passage = self._seam.open(self._message(method, about, body), is_stream=True)
        if passage is None:
            raise AssertionError("a seam has a passage for every stream")
        return StreamPassage(passage, self._seam, timeout_s)

    def _message(self, method: str, about: str, body: Body) -> Message:
        return Message(self.ends, method, about, acting_on.get(), body)


class StreamPassage:
    """A stream on its way through the seam. A context manager: what it is left with is how the stream ended."""

    def __init__(self, passage: Passage, seam: Seam, timeout_s: float | None = None) -> None:
        self._passage = passage
        self._clock = seam.clock
        self._deadline = None if timeout_s is None else self._clock.call_later_wall(timeout_s, self._expire)
        self._begun = self._clock.monotonic_wall()
        self._items = 0
        self._broken: ApiError | None = None
        self._reader: asyncio.Task[Any] | None = None  # while it waits for an item, and can be interrupted
        self._cancels = 0  # how often the reader had been cancelled when it began to wait
        self._interrupted: asyncio.Task[Any] | None = None  # the reader, once it is
        self._is_over = False
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
        try:
            with self._interruptible():
                async with self._clock.timeout_wall(within_s):
                    await self._passage.before()
        except TimeoutError as error:
            raise DeadlineExceeded("no answer in time") from error

    async def write(self, item: object) -> bool:
        """Return when an item may be sent; False drops it.

        Raises:
            ApiError: this is how the stream ends.
        """
        return not self._passage.attends or await self._passage.each(item)

    async def read(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return the next item that `read` returns and the seam hands on; `END` where that returned it.

        Raises:
            ApiError: as `read` raised it, or the seam ends the stream.
        """
        while True:
            with self._interruptible():
                item = await read()
                if item is END:
                    return item
                if await self.arrived(item):
                    return item

    async def through(self, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        """Yield the items that the seam hands on: as `read`, in one layer, written out since every event passes it."""
        passage = self._passage
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
            self._raise_if_interrupted()
            raise
        finally:
            self._reader = None

    async def run(self, work: Awaitable[T]) -> T:
        """Return what `work` returns, which writes the stream; it is cancelled where the seam breaks the stream.

        Raises:
            ApiError: as `work` raised it, or the seam has broken the stream.
        """
        with self._interruptible():
            return await work

    def passes(self) -> bool:
        """Whether an item may be handed on at once; counts it if so. Otherwise `arrived` says when."""
        if not self._items or self._passage.attends:
            return False
        self._items += 1
        return True

    def end(self, error: BaseException | None = None) -> None:
        """Take note of the end of the stream, once. A caller who leaves ends it as well as its last item."""
        if self._is_over:
            return
        self._is_over = True
        if self._deadline is not None:
            self._deadline.cancel()
        left = isinstance(error, GeneratorExit | asyncio.CancelledError)
        took_s = self._clock.monotonic_wall() - self._begun
        told = None if error is None or left else _as_api_error(error)
        self._passage.after(Outcome(told, 0, self._items, took_s))

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
        except BaseException:
            self._raise_if_interrupted()
            raise
        finally:
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

    def _expire(self) -> None:
        self.interrupt(DeadlineExceeded("no answer in time"))

    def _raise_if_interrupted(self) -> None:
        """Raise what the stream was broken with, if this is why its reader was cancelled."""
        reader = self._interrupted
        if reader is None or self._broken is None:
            return
        self._interrupted = None
        if reader.uncancel() <= self._cancels:
            raise self._broken from None


async def _send(passage: Passage, send: Callable[[float | None], Awaitable[T]], timeout_s: float | None) -> T:
    answer = await send(timeout_s)
    for _ in range(passage.copies - 1):
        with suppress(ApiError):  # nobody waits for the answer to a message that the network doubled
            await send(timeout_s)
    return answer


def _as_api_error(error: BaseException) -> ApiError:
    return error if isinstance(error, ApiError) else InternalError(f"{type(error).__name__}: {error}")
