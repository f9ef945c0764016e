"""The deadlines of a connection's calls: one timer for all, and nothing is kept of calls that are over."""

from __future__ import annotations

import pytest

from machinery.rpc.deadlines import Deadlines
from tests.support.memory_connection import HandClock


class Calls(set[int]):
    """The calls under way, and those that have expired."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.expired: list[int] = []
        self.deadlines = Deadlines(clock, self, self._expire)

    def begin(self, stream: int, within_s: float) -> None:
        """Begin one."""
        self.add(stream)
        self.deadlines.add(stream, within_s)

    def _expire(self, stream: int) -> None:
        self.discard(stream)
        self.expired.append(stream)


@pytest.fixture
def clock() -> HandClock:
    """Make a clock that stands still."""
    return HandClock()


@pytest.fixture
def calls(clock: HandClock) -> Calls:
    """Make deadlines without calls."""
    return Calls(clock)


async def test_each_call_expires_at_its_time(clock: HandClock, calls: Calls) -> None:
    """In whatever order they began; a shorter one does not wait for the timer of a longer one."""
    for stream, within_s in ((1, 10.0), (3, 2.0), (5, 5.0), (7, 2.0)):
        calls.begin(stream, within_s)
    await clock.advance(1.9)
    assert calls.expired == []
    await clock.advance(0.2)
    assert calls.expired == [3, 7]
    await clock.advance(20)
    assert calls.expired == [3, 7, 5, 1]


async def test_calls_that_are_over_do_not_expire(clock: HandClock, calls: Calls) -> None:
    """And those after them still do."""
    calls.begin(1, 1.0)
    calls.begin(3, 2.0)
    calls.remove(1)
    await clock.advance(3)
    assert calls.expired == [3]


async def test_little_is_kept_of_calls_that_are_over(clock: HandClock, calls: Calls) -> None:
    """However many there were before the first deadline."""
    calls.begin(1, 3600)
    for stream in range(3, 20_001, 2):
        calls.begin(stream, 3600)
        calls.remove(stream)
    assert len(calls.deadlines._due) < 200
    await clock.advance(3601)
    assert calls.expired == [1]


async def test_nothing_expires_after_the_end(clock: HandClock, calls: Calls) -> None:
    """There is no timer left."""
    calls.begin(1, 1.0)
    calls.deadlines.close()
    await clock.advance(5)
    assert calls.expired == []
