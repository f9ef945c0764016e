"""The clock's promises, on the real one (fast) and on the virtual one (exactly)."""

from __future__ import annotations

import asyncio

import pytest

from machinery.model.clock import Clock
from machinery.process.clock import SystemClock
from tests.support.virtual_clock import START_S, VirtualClock


@pytest.fixture(params=["system", "virtual"])
def clock(request: pytest.FixtureRequest) -> Clock:
    """A real clock on which a minute takes 60 ms, and a virtual one."""
    return SystemClock(1000) if request.param == "system" else VirtualClock()


async def test_a_block_that_takes_too_long_is_cancelled_and_raises(clock: Clock):
    """What it waited for is cancelled; the deadline says so."""
    forever = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with clock.timeout(30) as limit:
            await forever
    assert limit.expired()
    assert forever.cancelled()


async def test_a_block_that_ends_in_time_leaves_nothing_behind(clock: Clock):
    """Also not when its time would have been over. The block waits for nothing, so no other work can make it late."""
    async with clock.timeout(30) as limit:
        assert not limit.expired()
    await clock.sleep(60)
    assert not limit.expired()


async def test_a_block_without_a_limit_takes_as_long_as_it_likes(clock: Clock):
    """None is no limit."""
    async with clock.timeout(None), clock.timeout_wall(None):
        await clock.sleep(60)


async def test_a_timeout_error_of_the_block_itself_passes_through(clock: Clock):
    """It is told apart by `expired()`."""
    with pytest.raises(TimeoutError, match="its own"):
        async with clock.timeout(30) as limit:
            raise TimeoutError("its own")
    assert not limit.expired()


async def test_a_cancelled_block_stays_cancelled(clock: Clock):
    """A timeout takes no cancellation for its own."""

    async def work() -> None:
        async with clock.timeout(30):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await clock.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_comes_later_unless_it_is_cancelled(clock: Clock):
    """With its arguments."""
    calls: list[str] = []
    clock.call_later(30, calls.append, "late")
    clock.call_later(20, calls.append, "never").cancel()
    clock.call_later(10, calls.append, "soon")
    await clock.sleep(60)
    assert calls == ["soon", "late"]


async def test_wall_durations_do_not_scale():
    """A wall second is as many cluster seconds as the scale says."""
    clock = SystemClock(1000)
    begun_s, begun_wall_s = clock.monotonic(), clock.monotonic_wall()
    async with asyncio.timeout(15):  # cluster seconds would be wall seconds here, and 20
        await clock.sleep_wall(0.02)
    assert clock.monotonic_wall() - begun_wall_s >= 0.02
    assert clock.monotonic() - begun_s >= 20


async def test_virtual_timeouts_take_exactly_their_time():
    """Nested ones, too: the inner one is due first."""
    clock = VirtualClock()
    ended: list[float] = []

    async def wait(within_s: float) -> None:
        try:
            async with clock.timeout(within_s):
                await (wait(30) if within_s == 50 else asyncio.Event().wait())
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(clock.now() - START_S)

    await wait(50)
    assert ended == [30, 50]
    assert clock.wall_ns() == int((START_S + 50) * 1e9)
