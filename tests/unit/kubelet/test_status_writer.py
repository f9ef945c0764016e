"""Statuses on their way to the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kubelet.status_writer import StatusWriter
from machinery.model.errors import ApiError, Cause, Conflict, Invalid, Unavailable
from machinery.model.k8s.core_v1 import PodIP
from machinery.model.requests import DeleteOptions
from machinery.model.resources import PODS
from tests.support.builders import changed, pod
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock


class World:
    def __init__(self, clock: VirtualClock, server: LocalRegistry) -> None:
        self.clock, self.server = clock, server
        self.user = server.user
        self.api = server.api("kubelet")
        self.calls = self.api.calls
        self.writer = StatusWriter(self.api, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stored(self):
        return await self.user.get(PODS, "web", namespace="default")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield World(clock, server)


async def test_the_newest_status_wins(world: World):
    """What was not written yet is replaced, not written first."""
    made = await world.server.given(PODS, pod())
    async with world.running():
        for phase in ("Pending", "Running", "Succeeded"):
            world.writer.write(made, changed(made.status, phase=phase))
        await world.clock.settle()
        assert (await world.stored()).status.phase == "Succeeded"
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_statuses_that_follow_each_other_closely_are_one_write(world: World):
    """What only people look at waits for what comes next; what others act on is written at once, with it."""
    made = await world.server.given(PODS, pod(phase="Pending"))
    async with world.running():
        status = changed(made.status, startTime="2026-01-01T00:00:00Z")
        world.writer.write(made, status)
        await world.clock.advance(0.03)
        status = changed(status, podIP="10.244.0.7", podIPs=[PodIP(ip="10.244.0.7")])
        world.writer.write(made, status)
        await world.clock.settle()
        assert world.calls == []
        world.writer.write(made, changed(status, phase="Running"))
        await world.clock.settle()
        stored = (await world.stored()).status
        assert (stored.phase, stored.podIP, bool(stored.startTime)) == ("Running", "10.244.0.7", True)
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_a_status_that_nothing_follows_is_written_soon(world: World):
    """People see that the containers are being created."""
    made = await world.server.given(PODS, pod(phase="Pending"))
    async with world.running():
        world.writer.write(made, changed(made.status, startTime="2026-01-01T00:00:00Z"))
        await world.clock.advance(0.3)
        assert (await world.stored()).status.startTime


async def test_a_status_that_follows_soon_goes_with_the_one_before(world: World):
    """The sandbox's address comes a moment after the pod was begun: one write."""
    made = await world.server.given(PODS, pod(phase="Pending"))
    async with world.running():
        begun = changed(made.status, startTime="2026-01-01T00:00:00Z")
        world.writer.write(made, begun)
        await world.clock.advance(0.15)
        world.writer.write(made, changed(begun, podIP="10.244.0.7"))
        await world.clock.advance(0.3)
        stored = (await world.stored()).status
        assert (stored.podIP, bool(stored.startTime)) == ("10.244.0.7", True)
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_while_there_is_too_much_to_write_what_others_act_on_goes_first(world: World):
    """The rest waits longer, but not for ever."""
    names = [f"busy-{number}" for number in range(16)]
    busy = [await world.server.given(PODS, pod(name, phase="Pending")) for name in names]
    calm = await world.server.given(PODS, pod("calm", phase="Pending"))
    free = asyncio.Event()

    async def hang(_verb: str, _plural: str, name: str) -> None:
        if name != "calm":
            await free.wait()

    world.api.before_call = hang
    async with world.running():
        for each in busy:
            world.writer.write(each, changed(each.status, phase="Running"))
        world.writer.write(calm, changed(calm.status, startTime="2026-01-01T00:00:00Z"))
        await world.clock.advance(0.5)
        assert ("patch", "pods", "calm") not in world.calls
        free.set()
        await world.clock.advance(0.6)
        assert ("patch", "pods", "calm") in world.calls


async def test_what_the_api_has_is_not_written(world: World):
    """An equal status costs no request."""
    made = await world.server.given(PODS, pod(phase="Running"))
    async with world.running():
        world.writer.write(made, made.status)
        await world.clock.settle()
    assert world.calls == []


async def test_an_unknown_outcome_is_read_before_it_is_repeated(world: World):
    """A write that was carried out although its answer was lost is not made twice."""
    made = await world.server.given(PODS, pod())

    async def lose(*_: str) -> None:
        world.api.before_reply = None
        raise Unavailable("lost")

    world.api.before_reply = lose
    async with world.running():
        world.writer.write(made, changed(made.status, phase="Running"))
        await world.clock.advance(10)
    assert [verb for verb, *_ in world.calls] == ["patch", "get"]
    assert (await world.stored()).status.phase == "Running"


async def test_the_deletion_comes_after_the_last_status_and_names_the_uid(world: World):
    """Grace 0 and the uid as a precondition."""
    made = await world.server.given(PODS, pod())
    options: list[DeleteOptions | None] = []
    delete = world.api.delete

    async def note(resource, name, **given):
        options.append(given["options"])
        await delete(resource, name, **given)

    world.api.delete = note
    async with world.running():
        world.writer.write(made, changed(made.status, phase="Failed"))
        world.writer.delete(made)
        await world.clock.settle()
    assert [verb for verb, *_ in world.calls] == ["patch", "delete"]
    assert options == [DeleteOptions(grace_period_s=0, uid=made.metadata.uid)]


@pytest.mark.parametrize(
    "refusal",
    [Conflict("the pod was written"), Invalid("", causes=(Cause("metadata.uid", "field is immutable"),))],
)
async def test_a_namesake_is_left_alone(world: World, refusal: ApiError):
    """A conflict, or that the uid cannot be changed, leads to a look; another uid under the name ends the matter."""
    made = await world.server.given(PODS, pod())
    await world.user.delete(PODS, "web", namespace="default")
    await world.server.given(PODS, pod())

    async def refuse(verb: str, *_: str) -> None:
        if verb == "patch":
            raise refusal

    world.api.before_call = refuse
    async with world.running():
        world.writer.write(made, changed(made.status, phase="Running"))
        await world.clock.advance(30)
    assert [verb for verb, *_ in world.calls] == ["patch", "get"]
    assert (await world.stored()).status.phase == "Pending"


async def test_a_pod_that_is_gone_takes_its_writes_along(world: World):
    """NotFound ends the attempts."""
    made = await world.server.given(PODS, pod())
    await world.user.delete(PODS, "web", namespace="default")
    async with world.running():
        world.writer.write(made, changed(made.status, phase="Running"))
        world.writer.delete(made)
        await world.clock.advance(30)
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_an_api_that_does_not_answer_is_asked_until_it_does(world: World):
    """Nothing is lost; the newest status is what arrives."""
    made = await world.server.given(PODS, pod())

    async def silent(*_: str) -> None:
        raise Unavailable("nobody")

    world.api.before_call = silent
    async with world.running():
        world.writer.write(made, changed(made.status, phase="Pending"))
        await world.clock.advance(60)
        world.writer.write(made, changed(made.status, phase="Running"))
        world.api.before_call = None
        await world.clock.advance(5)
        assert (await world.stored()).status.phase == "Running"
