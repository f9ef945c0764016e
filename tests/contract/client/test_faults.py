"""Fault plans act the same on both transports, between the pair that they name and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.errors import AlreadyExists, ApiError, DeadlineExceeded, Expired, NotFound, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule
from machinery.model.requests import Selection
from tests.support.client_doors import FaultyDoor, config_map, revision, told, watching

BETWEEN = {"caller": "scheduler", "callee": "apiserver"}


def plan(fault: Fault, **fields: Any) -> FaultPlan:
    """Write a plan with one rule between the scheduler and the apiserver."""
    return FaultPlan((Rule(fault, **(BETWEEN | fields)),))


async def exists(api: Api, name: str = "a") -> bool:
    """Look, over the connection that works."""
    try:
        await api.get(kinds.CONFIG_MAPS, name, namespace="default")
    except NotFound:
        return False
    return True


@contextlib.asynccontextmanager
async def lasting(least_s: float, most_s: float = 5.0) -> AsyncIterator[None]:
    """Check how long the block takes, in wall seconds."""
    began = time.monotonic()
    yield
    assert least_s <= time.monotonic() - began < most_s


@pytest.mark.parametrize(
    "fields", [{"caller": "kubelet-*"}, {"callee": "etcd"}, {"method": "Create"}, {"side": "server"}]
)
async def test_a_rule_is_about_whom_it_names(faulty: FaultyDoor, fields: dict[str, str]) -> None:
    """Another pair, another method or the other side of the connection sees nothing of it."""
    faulty.plan.use(plan(Fault.DROP, **fields))
    assert (await faulty.api.list(kinds.CONFIG_MAPS, timeout_s=2)).items is not None


@pytest.mark.parametrize(
    ("fault", "carried_out"), [(Fault.DROP, False), (Fault.DROP_REPLY, True), (Fault.CUT, False)]
)
async def test_what_is_lost_is_silence_until_the_deadline(
    faulty: FaultyDoor, fault: Fault, *, carried_out: bool
) -> None:
    """The caller cannot tell whether it was carried out; a lost answer means that it was."""
    faulty.plan.use(plan(fault, method="Create"))
    async with lasting(0.3, 2):
        with pytest.raises(DeadlineExceeded):
            await faulty.api.create(kinds.CONFIG_MAPS, config_map(), timeout_s=0.3)
    assert await exists(faulty.healthy) is carried_out


@pytest.mark.parametrize(("fault", "carried_out"), [(Fault.DROP, False), (Fault.DROP_REPLY, True)])
async def test_a_loss_may_be_noticed(faulty: FaultyDoor, fault: Fault, *, carried_out: bool) -> None:
    """With a delay the connection breaks after it, long before the deadline."""
    faulty.plan.use(plan(fault, method="Create", delay_s=0.1))
    async with lasting(0.1, 2):
        with pytest.raises(Unavailable):
            await faulty.api.create(kinds.CONFIG_MAPS, config_map(), timeout_s=5)
    assert await exists(faulty.healthy) is carried_out


async def test_a_delay_is_part_of_the_time_a_call_has(faulty: FaultyDoor) -> None:
    """A short one passes, a longer one than the deadline ends the call there."""
    faulty.plan.use(plan(Fault.DELAY, method="Create", delay_s=0.2))
    async with lasting(0.2, 3):
        await faulty.api.create(kinds.CONFIG_MAPS, config_map(), timeout_s=5)
    faulty.plan.use(plan(Fault.DELAY, method="Create", delay_s=30))
    async with lasting(0.2, 3):
        with pytest.raises(DeadlineExceeded):
            await faulty.api.create(kinds.CONFIG_MAPS, config_map("b"), timeout_s=0.3)
    assert not await exists(faulty.healthy, "b")


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


async def test_a_plan_answers_expired(faulty: FaultyDoor) -> None:
    """Once, to a list or to a watch, as after a compaction."""
    faulty.plan.use(plan(Fault.EXPIRED, count=1))
    with pytest.raises(Expired):
        await faulty.api.list(kinds.CONFIG_MAPS)
    start = await revision(faulty.api)
    faulty.plan.use(plan(Fault.EXPIRED, method="Watch", count=1))
    with pytest.raises(Expired):
        async with watching(faulty.api, start):
            pass
    async with watching(faulty.api, start):
        pass


async def test_skip_and_count_say_when(faulty: FaultyDoor) -> None:
    """The second and third call fail."""
    faulty.plan.use(plan(Fault.DROP, method="List", skip=1, count=2, delay_s=0.01))
    outcomes = []
    for _ in range(5):
        try:
            await faulty.api.list(kinds.CONFIG_MAPS, Selection("default"))
        except ApiError as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append("")
    assert outcomes == ["", "Unavailable", "Unavailable", "", ""]


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_REPLY])
async def test_a_watch_that_is_lost_breaks(faulty: FaultyDoor, fault: Fault) -> None:
    """It is never established, and ends as a broken connection does."""
    start = await revision(faulty.api)
    faulty.plan.use(plan(fault, method="Watch", delay_s=0.1))
    with pytest.raises(Unavailable):
        async with watching(faulty.api, start):
            pass


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
        await asyncio.sleep(0.4)
        assert not waiting.done()
        faulty.plan.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await waiting
    async with watching(faulty.api, start) as watch:
        assert told(await watch.take(1)) == [("ADDED", "a")]


async def test_a_watch_that_begins_in_a_cut_breaks_when_it_ends(faulty: FaultyDoor) -> None:
    """It is not silent for ever."""
    start = await revision(faulty.api)
    faulty.plan.use(plan(Fault.CUT))
    stream = faulty.api.watch(kinds.CONFIG_MAPS, resource_version=start)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    faulty.plan.use(NO_PLAN)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 5)
