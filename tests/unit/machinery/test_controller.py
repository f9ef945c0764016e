"""The loop of a controller (`machinery.client.controller`)."""

from __future__ import annotations

import asyncio

from machinery.client.controller import run_controller
from machinery.client.workqueue import WorkQueue
from tests.support.virtual_clock import VirtualClock


async def test_there_are_as_many_workers_as_there_is_work_for():
    """One that waits, and so many at most; what is left waits for them."""
    clock = VirtualClock()
    queue, gate, at_work = WorkQueue[int](clock), asyncio.Event(), set[int]()

    async def reconcile(key: int) -> None:
        at_work.add(key)
        await gate.wait()
        at_work.discard(key)

    def workers() -> int:
        return sum(task.get_name().startswith("sums-") for task in asyncio.all_tasks())

    running = asyncio.create_task(run_controller("sums", queue, reconcile, workers=3))
    await clock.advance(1)
    assert workers() == 1
    queue.add(0)
    await clock.advance(1)
    assert (at_work, workers()) == ({0}, 2)
    for key in range(1, 5):
        queue.add(key)
    await clock.advance(1)
    assert (at_work, workers(), len(queue)) == ({0, 1, 2}, 3, 2)
    gate.set()
    await clock.advance(1)
    assert (at_work, workers(), len(queue)) == (set(), 3, 0)
    running.cancel()
    await asyncio.wait([running])
