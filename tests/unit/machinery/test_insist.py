"""Every sentence of `insist`'s docstring, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from machinery.model.backoff import Backoff
from machinery.model.errors import Conflict, InternalError, NotFound, Unavailable
from machinery.model.insist import Failures, insist, tell_first
from tests.support.virtual_clock import START_S, VirtualClock

BACKOFF = Backoff(initial_s=1.0, cap_s=4.0)


class Calls:
    """A call with planned outcomes; remembers when it was made, and how many ran at the same time."""

    def __init__(self, clock: VirtualClock, *outcomes: Exception | str, takes_s: float = 0.0) -> None:
        self._clock = clock
        self._outcomes: Iterator[Exception | str] = iter(outcomes)
        self._takes_s = takes_s
        self._running = 0
        self.at_s: list[float] = []
        self.most = 0

    async def __call__(self) -> str:
        self.at_s.append(self._clock.now() - START_S)
        self._running += 1
        self.most = max(self.most, self._running)
        await self._clock.sleep(self._takes_s)
        self._running -= 1
        outcome = next(self._outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def away(times: int) -> list[Exception]:
    """So many failures."""
    return [Unavailable(f"away {number}") for number in range(1, times + 1)]


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()


async def test_the_first_call_is_made_at_once_and_its_answer_returned(clock: VirtualClock):
    """Nobody waits for what works."""
    calls = Calls(clock, "done")
    assert await insist(calls, clock, BACKOFF) == "done"
    assert calls.at_s == [0]


async def test_the_backoff_decides_about_the_pauses(clock: VirtualClock):
    """Counted from the end of the call that failed; up to the cap; one call at a time."""
    calls = Calls(clock, *away(5), "done", takes_s=0.5)
    assert await insist(calls, clock, BACKOFF) == "done"
    assert calls.at_s == [0, 1.5, 4, 8.5, 13, 17.5]
    assert calls.most == 1


async def test_jitter_is_drawn_for_each_pause(clock: VirtualClock):
    """It shortens the pause by up to half."""
    calls, draws = Calls(clock, *away(3), "done"), iter([0.0, 0.5, 0.999])
    await insist(calls, clock, BACKOFF, jitter=lambda: next(draws))
    assert calls.at_s == pytest.approx([0, 1, 2.5, 4.502])


async def test_every_failure_is_told_with_its_number(clock: VirtualClock):
    """Before the pause."""
    told: list[tuple[str, int, float]] = []
    calls = Calls(clock, *away(2), "done")
    await insist(
        calls, clock, BACKOFF, lambda error, count: told.append((str(error), count, clock.now() - START_S))
    )
    assert told == [("away 1", 1, 0), ("away 2", 2, 1)]


async def test_after_so_many_attempts_the_last_error_is_raised(clock: VirtualClock):
    """It is told, too, and there is no pause after it."""
    told: list[int] = []
    calls = Calls(clock, *away(9))
    with pytest.raises(Unavailable, match="away 3"):
        await insist(calls, clock, BACKOFF, lambda _error, count: told.append(count), attempts=3)
    assert told == [1, 2, 3]
    assert calls.at_s == [0, 1, 3]
    assert clock.now() == START_S + 3


@pytest.mark.parametrize("error", [NotFound("gone"), ValueError("a bug")])
async def test_every_other_error_passes_through_at_once(clock: VirtualClock, error: Exception):
    """Untold."""
    told: list[int] = []
    calls = Calls(clock, Conflict("again"), error, "never")
    with pytest.raises(type(error)):
        await insist(
            calls,
            clock,
            BACKOFF,
            lambda _error, count: told.append(count),
            on=(Conflict, InternalError),
        )
    assert told == [1]
    assert calls.at_s == [0, 1]


@pytest.mark.parametrize("after_s", [0.2, 0.7])
async def test_a_cancellation_ends_it_in_the_call_and_in_the_pause(clock: VirtualClock, after_s: float):
    """No call is made afterwards."""
    calls = Calls(clock, *away(100), takes_s=0.5)
    task = asyncio.create_task(insist(calls, clock, BACKOFF))
    await clock.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.sleep(100)
    assert calls.at_s == [0]


async def test_failures_are_counted_in_a_row(clock: VirtualClock):
    """After one that works the backoff begins anew; without a failure there is no pause."""
    failures = Failures(clock, BACKOFF)
    await failures.pause()
    assert clock.now() == START_S
    for expected_s in (1, 3):
        failures.note(Unavailable("away"))
        await failures.pause()
        assert clock.now() == START_S + expected_s
    failures.forget()
    failures.note(Unavailable("away"))
    await failures.pause()
    assert clock.now() == START_S + 4


def test_the_first_failure_in_a_row_is_logged_and_every_so_many():
    """With the keys that belong to it."""
    lines: list[tuple[str, dict[str, object]]] = []
    error = Unavailable("away")

    def write(event: str, /, **fields: object) -> None:
        lines.append((event, fields))

    seldom, once = tell_first(write, "broken", every=3, pod="p"), tell_first(write, "broken")
    for count in range(1, 8):
        seldom(error, count)
    assert lines == [("broken", {"pod": "p", "error": error, "failures": count}) for count in (1, 3, 6)]
    lines.clear()
    for count in range(1, 8):
        once(error, count)
    assert lines == [("broken", {"error": error, "failures": 1})]
