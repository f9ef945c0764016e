"""What a fault plan means for a component's view of the apiserver, beyond what `tests/contract/seam` says of every conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.model import resources as kinds
from machinery.model.errors import AlreadyExists, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule
from tests.support.client_doors import FaultyDoor, config_map, revision, told, watching
from tests.support.stalls import taking
from tests.support.waiting import stays

BETWEEN = {"caller": "scheduler", "callee": "apiserver"}


def plan(fault: Fault, **fields: Any) -> FaultPlan:
    """Write a plan with one rule between the scheduler and the apiserver."""
    return FaultPlan((Rule(fault, **(BETWEEN | fields)),))


@contextlib.asynccontextmanager
async def lasting(least_s: float, most_s: float = 5.0) -> AsyncIterator[None]:
    """Check how long the block takes, in wall seconds."""
    with taking(at_least_s=least_s, less_than_s=most_s):
        yield


async def test_a_doubled_request_is_carried_out_twice(faulty: FaultyDoor) -> None:
    """The first answer counts, whatever becomes of the second."""
    start = await revision(faulty.healthy)
    faulty.plan.use(plan(Fault.DUPLICATE))
    await faulty.api.create(kinds.CONFIG_MAPS, config_map("", generateName="twice-"))
    async with watching(faulty.healthy, start) as watch:
        assert [each for each, _ in told(await watch.take(2))] == ["ADDED", "ADDED"]
    created = await faulty.api.create(kinds.CONFIG_MAPS, config_map())  # the second is AlreadyExists
    assert created.metadata.uid
    with pytest.raises(AlreadyExists):
        await faulty.api.create(kinds.CONFIG_MAPS, config_map())


async def test_a_watch_may_be_late(faulty: FaultyDoor) -> None:
    """And misses nothing by it."""
    start = await revision(faulty.api)
    await faulty.healthy.create(kinds.CONFIG_MAPS, config_map())
    faulty.plan.use(plan(Fault.DELAY, method="Watch", delay_s=0.2))
    async with lasting(0.2), watching(faulty.api, start) as watch:
        assert told(await watch.take(1)) == [("ADDED", "a")]


async def test_a_cut_in_the_middle_of_a_watch_is_silence_then_a_break(faulty: FaultyDoor) -> None:
    """Half-open: nothing is told while it lasts; then the stream breaks, and a new one tells what was missed."""
    start = await revision(faulty.api)
    async with watching(faulty.api, start) as watch:
        faulty.plan.use(plan(Fault.CUT))
        await faulty.healthy.create(kinds.CONFIG_MAPS, config_map())
        waiting = asyncio.ensure_future(watch.take(1))
        await stays(lambda: not waiting.done(), for_s=0.4)
        faulty.plan.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await waiting
    async with watching(faulty.api, start) as watch:
        assert told(await watch.take(1)) == [("ADDED", "a")]
