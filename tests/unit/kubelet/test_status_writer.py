"""Statuses on their way to the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubelet.status_writer import StatusWriter
from machinery.client.api import DeleteOptions
from machinery.model.errors import Conflict, Unavailable
from machinery.model.k8s.core_v1 import PodStatus
from machinery.model.resources import PODS
from tests.support.builders import pod
from tests.support.memory_api import MemoryServer
from tests.support.virtual_clock import VirtualClock


class World:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.server = MemoryServer()
        self.api = self.server.api()
        self.writer = StatusWriter(self.server.api("kubelet"), self.clock)
        self.calls = self.writer._api.calls

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stored(self):
        return await self.api.get(PODS, "web", namespace="default")


async def test_the_newest_status_wins():
    """What was not written yet is replaced, not written first."""
    world = World()
    made = await world.api.create(PODS, pod())
    async with world.running():
        for phase in ("Pending", "Running", "Succeeded"):
            world.writer.write(made, PodStatus(phase=phase))
        await world.clock.settle()
        assert (await world.stored()).status.phase == "Succeeded"
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_what_the_api_has_is_not_written():
    """An equal status costs no request."""
    world = World()
    made = await world.api.create(PODS, pod(phase="Running"))
    async with world.running():
        world.writer.write(made, made.status)
        await world.clock.settle()
    assert world.calls == []


async def test_an_unknown_outcome_is_read_before_it_is_repeated():
    """A write that was carried out although its answer was lost is not made twice."""
    world = World()
    made = await world.api.create(PODS, pod())

    async def lose(*_: str) -> None:
        world.writer._api.before_reply = None
        raise Unavailable("lost")

    world.writer._api.before_reply = lose
    async with world.running():
        world.writer.write(made, PodStatus(phase="Running"))
        await world.clock.advance(10)
    assert [verb for verb, *_ in world.calls] == ["patch", "get"]
    assert (await world.stored()).status.phase == "Running"


async def test_the_deletion_comes_after_the_last_status_and_names_the_uid():
    """Grace 0 and the uid as a precondition."""
    world = World()
    made = await world.api.create(PODS, pod())
    options: list[DeleteOptions | None] = []
    delete = world.writer._api.delete

    async def note(resource, name, **given):
        options.append(given["options"])
        await delete(resource, name, **given)

    world.writer._api.delete = note
    async with world.running():
        world.writer.write(made, PodStatus(phase="Failed"))
        world.writer.delete(made)
        await world.clock.settle()
    assert [verb for verb, *_ in world.calls] == ["patch", "delete"]
    assert options == [DeleteOptions(grace_period_s=0, uid=made.metadata.uid)]


async def test_a_namesake_is_left_alone():
    """A conflict leads to a look; another uid under the name ends the matter."""
    world = World()
    made = await world.api.create(PODS, pod())
    await world.api.delete(PODS, "web", namespace="default")
    await world.api.create(PODS, pod())

    async def refuse(verb: str, *_: str) -> None:
        if verb == "patch":
            raise Conflict("the uid is another one")

    world.writer._api.before_call = refuse
    async with world.running():
        world.writer.write(made, PodStatus(phase="Running"))
        await world.clock.advance(30)
    assert [verb for verb, *_ in world.calls] == ["patch", "get"]
    assert (await world.stored()).status.phase == ""


async def test_a_pod_that_is_gone_takes_its_writes_along():
    """NotFound ends the attempts."""
    world = World()
    made = await world.api.create(PODS, pod())
    await world.api.delete(PODS, "web", namespace="default")
    async with world.running():
        world.writer.write(made, PodStatus(phase="Running"))
        world.writer.delete(made)
        await world.clock.advance(30)
    assert [verb for verb, *_ in world.calls] == ["patch"]


async def test_an_api_that_does_not_answer_is_asked_until_it_does():
    """Nothing is lost; the newest status is what arrives."""
    world = World()
    made = await world.api.create(PODS, pod())

    async def silent(*_: str) -> None:
        raise Unavailable("nobody")

    world.writer._api.before_call = silent
    async with world.running():
        world.writer.write(made, PodStatus(phase="Pending"))
        await world.clock.advance(60)
        world.writer.write(made, PodStatus(phase="Running"))
        world.writer._api.before_call = None
        await world.clock.advance(5)
        assert (await world.stored()).status.phase == "Running"
