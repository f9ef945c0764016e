"""What the table of `machinery.model.fault_plan` says, on every conversation alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from machinery.model.errors import ApiError, DeadlineExceeded, Expired, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule
from tests.support.conversations import Conversation
from tests.support.stalls import taking
from tests.support.waiting import pause, stays, until

WITHIN_S = 60.0  # wall seconds that a call has where its deadline is not the matter


async def call(about: Conversation, timeout_s: float = WITHIN_S) -> Any:
    """Make the call."""
    assert about.call is not None
    return await about.call(timeout_s)


async def seen(about: Conversation) -> int:
    """Return how often the call was seen at the far end."""
    assert about.seen is not None
    return await about.seen()


@asynccontextmanager
async def lasting(least_s: float, most_s: float = WITHIN_S) -> AsyncIterator[None]:
    """Check how long the block takes, in wall seconds."""
    with taking(at_least_s=least_s, less_than_s=most_s):
        yield


async def test_a_healthy_call_is_made_once(calls: Conversation) -> None:
    """With an empty plan, and with one that is about others."""
    calls.faults.use(calls.plan(Fault.DROP, "Another"))
    await call(calls)
    assert await seen(calls) == 1


@pytest.mark.parametrize("fields", [{"caller": "x"}, {"callee": "x"}, {"protocol": "x"}, {"side": "x"}])
async def test_a_rule_is_about_whom_it_names(calls: Conversation, fields: dict[str, str]) -> None:
    """Other callers, callees, protocols and sides see nothing of it."""
    ends = calls.ends._asdict() | fields
    calls.faults.use(FaultPlan((Rule(Fault.EXPIRED, **ends),)))
    await call(calls)


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.CUT])
async def test_what_is_not_sent_is_silence_until_the_deadline(calls: Conversation, fault: Fault) -> None:
    """And never seen."""
    calls.faults.use(calls.plan(fault, calls.method))
    async with lasting(0.3):
        with pytest.raises(DeadlineExceeded):
            await call(calls, 0.3)
    assert await seen(calls) == 0


async def test_a_lost_answer_is_silence_until_the_deadline(calls: Conversation) -> None:
    """And the call was carried out."""
    calls.faults.use(calls.plan(Fault.DROP_REPLY, calls.method))
    async with lasting(calls.call_s):
        with pytest.raises(DeadlineExceeded):
            await call(calls, calls.call_s)
    assert await seen(calls) == 1


@pytest.mark.parametrize(("fault", "carried_out"), [(Fault.DROP, 0), (Fault.DROP_REPLY, 1)])
async def test_a_loss_may_be_noticed(calls: Conversation, fault: Fault, carried_out: int) -> None:
    """With a delay the connection breaks after it, long before the deadline."""
    calls.faults.use(calls.plan(fault, calls.method, delay_s=0.1))
    async with lasting(0.1, 30):
        with pytest.raises(Unavailable):
            await call(calls)
    assert await seen(calls) == carried_out


async def test_a_delay_is_part_of_the_time_a_call_has(calls: Conversation) -> None:
    """A short one passes, one that is longer than the deadline ends the call there."""
    calls.faults.use(calls.plan(Fault.DELAY, calls.method, delay_s=30))
    async with lasting(0.2, 20):
        with pytest.raises(DeadlineExceeded):
            await call(calls, 0.2)
    assert await seen(calls) == 0
    calls.faults.use(calls.plan(Fault.DELAY, calls.method, delay_s=0.1))
    async with lasting(0.1):
        await call(calls)
    assert await seen(calls) == 1


async def test_a_doubled_call_is_sent_twice(calls: Conversation) -> None:
    """The first answer counts, whatever becomes of the second."""
    calls.faults.use(calls.plan(Fault.DUPLICATE, calls.method))
    await call(calls)
    assert (calls.sent() if calls.sent else await seen(calls)) == 2


async def test_a_plan_answers_expired(calls: Conversation) -> None:
    """As often as it says; the call is not seen."""
    calls.faults.use(calls.plan(Fault.EXPIRED, calls.method, count=1))
    with pytest.raises(Expired):
        await call(calls)
    assert await seen(calls) == 0
    await call(calls)


async def test_a_cut_is_waited_for_without_a_look(
    calls: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing wakes the caller until the plan cuts no longer; then the call breaks, once."""
    calls.faults.use(calls.plan(Fault.CUT, calls.method))
    waiting = Steps(call(calls))
    task = asyncio.ensure_future(waiting.run())
    await until(lambda: bool(calls.faults.tallies()[0][1].applied))
    await pause(0.05, "it has come to rest")
    slept: list[float] = []
    monkeypatch.setattr(calls.faults.clock, "sleep", slept.append)
    before = waiting.count
    await stays(lambda: (waiting.count, slept) == (before, []), for_s=0.4)
    calls.faults.use(NO_PLAN)
    async with lasting(0, 20):
        with pytest.raises(Unavailable):
            await task
    assert await seen(calls) == 0


class Steps:
    """Counts how often what it runs is woken."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work.__await__()
        self.count = 0

    async def run(self) -> Any:
        """Run it to its end."""
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            while True:
                self.count += 1
                yield self._work.send(None)
        except StopIteration as ended:
            return ended.value


async def test_counts_say_when(calls: Conversation) -> None:
    """Two calls out of the middle fail, and a plan that is extended goes on with its counts."""
    first = calls.plan(Fault.EXPIRED, calls.method, skip=1, count=2)
    calls.faults.use(first)
    outcomes = [await outcome(calls), await outcome(calls)]
    more = Rule(Fault.DELAY, method="Another", delay_s=1)
    calls.faults.use(FaultPlan((more, *first.rules)))
    outcomes += [await outcome(calls), await outcome(calls)]
    assert [each == "Expired" for each in outcomes] == [False, True, True, False]


async def outcome(about: Conversation) -> str:
    """Make the call and name the error that it ends with."""
    try:
        await call(about)
    except ApiError as error:
        return type(error).__name__
    return ""
