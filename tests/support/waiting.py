"""The three ways in which a test lets wall time pass; no other sleeps (tests/unit/house/test_house_rules.py).

`until` waits for what can be observed. `stays` watches that something remains as it is, which nothing can announce.
`pause` is for tests in which time itself is what is given: a peer that is slow, a moment at random, a measure.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
Probe = Callable[[], T | Awaitable[T]]


async def until(probe: Probe[T], *, within_s: float = 60.0, every_s: float = 0.01, what: str = "") -> T:
    """Return the first true answer of a probe, plain or awaited.

    Raises:
        AssertionError: there is none in time.
    """
    deadline = time.monotonic() + within_s
    while not (answer := await _ask(probe)):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what or probe}; last: {answer!r}"
        await asyncio.sleep(every_s)
    return answer


async def stays(probe: Probe[Any], *, for_s: float, every_s: float = 0.02, what: str = "") -> None:
    """Check that a probe's answer is true all the time.

    Raises:
        AssertionError: once it is not.
    """
    end = time.monotonic() + for_s
    while True:
        assert await _ask(probe), what or probe
        if time.monotonic() >= end:
            return
        await asyncio.sleep(every_s)


async def pause(for_s: float, why: str) -> None:
    """Wait so many wall seconds, in a test whose input is time."""
    await asyncio.sleep(for_s)


async def _ask(probe: Probe[T]) -> T:
    answer = probe()
    return await answer if inspect.isawaitable(answer) else answer


def remains(probe: Callable[[], Any], *, for_s: float, every_s: float = 0.1, what: str = "") -> None:
    """Do as `stays` does, in a test without an event loop.

    Raises:
        AssertionError: once the answer is not true.
    """
    end = time.monotonic() + for_s
    while True:
        assert probe(), what or probe
        if time.monotonic() >= end:
            return
        time.sleep(every_s)


def rest(for_s: float, why: str) -> None:
    """Do as `pause` does, in a test without an event loop."""
    time.sleep(for_s)
