import asyncio

import pytest

from machinery.client.workqueue import WorkQueue
from machinery.model.causes import CauseRef
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queue(clock) -> WorkQueue[str]:
    return WorkQueue(clock)


async def test_a_key_stands_in_the_queue_once_and_in_order(queue):
    """Added twice, it comes once, at its first place."""
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_that_a_worker_has_comes_again_after_done(queue):
    """No change is missed, and no two workers have a key at once."""
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_delayed_key_comes_when_its_time_has_come(queue, clock):
    """Delays are cluster seconds."""
    began = clock.monotonic()
    queue.add_after("late", 30)
    queue.add_after("soon", 10)
    assert await queue.get() == "soon"
    assert await queue.get() == "late"
    assert clock.monotonic() - began == pytest.approx(30)


async def test_failures_delay_a_key_longer_until_it_is_forgotten(queue, clock):
    """5 ms, 10 ms, 20 ms…, then from the start."""
    delays = []
    for forget in (False, False, True, False):
        if forget:
            queue.forget("a")
        began = clock.monotonic()
        queue.add_rate_limited("a")
        await queue.get()
        queue.done("a")
        delays.append(clock.monotonic() - began)
    assert delays == pytest.approx([0.005, 0.010, 0.005, 0.010], abs=1e-5)


async def test_a_key_carries_the_causes_it_was_added_with(queue):
    """Also those of a failed try."""
    cause = CauseRef("pods", "default", "web", "uid", 7)
    queue.add("a", cause)
    await queue.get()
    assert queue.causes("a") == (cause,)
    queue.add_rate_limited("a")
    queue.done("a")
    await queue.get()
    assert queue.causes("a") == (cause,)


async def test_a_waiting_worker_wakes_up(queue):
    """`get` returns as soon as there is a key."""
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add("a")
    assert await waiting == "a"


async def test_it_counts_what_comes_and_how_long_that_takes(queue, clock):
    """A key that stands in the queue already does not come once more; durations are wall seconds."""
    for key in ("a", "a", "b"):
        queue.add(key)
    await clock.sleep(2)
    assert await queue.get() == "a"
    await clock.sleep(3)
    assert queue.unfinished_s() == pytest.approx([3])
    queue.add_rate_limited("a")
    queue.done("a")
    tally = queue.tally
    assert (tally.adds, tally.retries, queue.unfinished_s()) == (2, 1, [])
    assert (sum(tally.waited.counts), tally.waited.total_s) == (1, pytest.approx(2))
    assert (sum(tally.worked.counts), tally.worked.total_s) == (1, pytest.approx(3))
