"""Trying again until it works: one way to count failures in a row, tell of them, and wait between two attempts.

It needs nothing but a `Clock`, so shells of every layer use it. What it waits is wall time, like gRPC's own
reconnection: a server that is away does not come back sooner because the cluster's time runs faster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, TypeVar

from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError

R = TypeVar("R")
Told: TypeAlias = Callable[[Exception, int], None]
"""Takes a failure and how many there have been in a row, this one included."""


class _Write(Protocol):
    def __call__(self, event: str, /, **fields: object) -> None: ...


class Failures:
    """The failures in a row of one loop that begins again after each of them."""

    def __init__(
        self,
        clock: Clock,
        backoff: Backoff,
        told: Told | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.count = 0
        self._clock = clock
        self._backoff = backoff  # in wall seconds
        self._told = told
        self._jitter = jitter

    def note(self, error: Exception) -> None:
        """Count a failure, and tell of it."""
        self.count += 1
        if self._told is not None:
            self._told(error, self.count)

    def forget(self) -> None:
        """Begin to count anew: it works."""
        self.count = 0

    async def pause(self) -> None:
        """Wait as long as the backoff says after so many failures; after none, only let others run."""
        jitter = self._jitter() if self._jitter else 0.0
        await self._clock.sleep_wall(self._backoff.delay(self.count, jitter=jitter))


async def insist(
    call: Callable[[], Awaitable[R]],
    clock: Clock,
    backoff: Backoff,
    told: Told | None = None,
    on: type[Exception] | tuple[type[Exception], ...] = ApiError,
    *,
    attempts: int = 0,
    jitter: Callable[[], float] | None = None,
) -> R:
    """Call again and again until it succeeds; return what it returns.

    - The first call is made at once.
    - After a failure that is one of `on`, `told` gets the error and the number of failures, then `backoff` (wall seconds)
      decides about the pause; `jitter`, drawn for each pause, shortens it by up to half.
    - After `attempts` failures (0: never) the last error is raised, and `told` has got it, too.
    - Every other error, and a cancellation in the call or in the pause, passes through at once.
    - No call runs beside another, and none is made after this function has ended.

    Raises:
        Exception: what `call` raised that is not one of `on`, or the last of so many attempts.
    """
    failures = Failures(clock, backoff, told, jitter)
    while True:
        try:
            return await call()
        except on as error:
            failures.note(error)
            if failures.count == attempts:
                raise
        await failures.pause()


def tell_first(write: _Write, event: str, *, every: int = 0, **fields: object) -> Told:
    """Return a `Told` that logs the first failure in a row, and with `every` the 20th, 40th… of every=20, too."""

    def told(error: Exception, failures: int) -> None:
        if failures == 1 or (every and failures % every == 0):
            write(event, **fields, error=error, failures=failures)

    return told
