"""When memory that the allocator keeps is given back: soon after it was worth it, seldom where there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from machinery.process.heap import keep_trimmed

MIB = 1024 * 1024


async def pauses(gains: Iterator[int], count: int) -> list[float]:
    """Return how long it pauses before each of so many looks."""
    taken: list[float] = []
    done = asyncio.Event()

    async def sleep(wall_s: float) -> None:
        if len(taken) == count:
            done.set()
            await asyncio.Event().wait()
        taken.append(wall_s)

    loop = asyncio.ensure_future(keep_trimmed(sleep, lambda: next(gains)))
    await done.wait()
    loop.cancel()
    return taken


async def test_where_there_is_nothing_it_looks_less_often() -> None:
    """Up to every eight minutes."""
    assert await pauses(iter([0] * 8), 8) == [30, 60, 120, 240, 480, 480, 480, 480]


async def test_after_a_burst_it_looks_soon_again() -> None:
    """What is left of it is freed little by little."""
    gains = iter([0, 0, 100 * MIB, 20 * MIB, MIB, 0])
    assert await pauses(gains, 6) == [30, 60, 120, 30, 30, 60]
