"""ConfigMaps and Secrets that pods refer to: followed while somebody reads them, and read by one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from kubelet.referenced_objects import ReferencedObjects
from machinery.model.errors import NotFound, Unavailable
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.resources import CONFIG_MAPS
from tests.support.builders import config_map, pod
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.virtual_clock import VirtualClock


@dataclass
class _World:
    clock: VirtualClock
    server: LocalRegistry
    api: ScriptedApi
    objects: ReferencedObjects

    @property
    def requests(self) -> int:
        return len([verb for verb, _, _ in self.api.calls if verb != "watch"])

    @property
    def watches(self) -> int:
        return len(self.api.calls) - self.requests

    async def given(self, **data: str) -> ConfigMap:
        return await self.server.given(CONFIG_MAPS, config_map("settings", **data))

    async def read(self, name: str = "web") -> dict[str, str]:
        return (await self.objects.get(CONFIG_MAPS, pod(name), "settings")).data


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    """A node that follows what its pods read."""
    clock = VirtualClock()
    async with local_registry(clock) as server:
        api = server.api("kubelet")
        objects = ReferencedObjects(api, clock)
        running = asyncio.ensure_future(objects.run())
        await clock.settle()
        yield _World(clock, server, api, objects)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_many_pods_read_is_asked_for_once(world: _World) -> None:
    """A list and a watch, however many pods there are and however often each of them reads."""
    await world.given(colour="red")
    for number in range(20):
        assert await world.read(f"web-{number}") == {"colour": "red"}
        assert await world.read(f"web-{number}") == {"colour": "red"}
    await world.clock.settle()
    assert (world.requests, world.watches) == (1, 1)


async def test_pods_that_start_together_share_the_first_request(world: _World) -> None:
    """Nobody asks while somebody else's answer is on its way."""
    await world.given(colour="red")
    await asyncio.gather(*(world.read(f"web-{number}") for number in range(20)))
    assert world.requests == 1


async def test_a_change_is_read_without_a_request(world: _World) -> None:
    """Changed, deleted, made anew: as the watch tells it."""
    await world.given(colour="red")
    await world.read()
    await world.clock.settle()
    await world.server.user.patch(CONFIG_MAPS, "settings", {"data": {"colour": "blue"}}, namespace="default")
    await world.clock.settle()
    assert await world.read() == {"colour": "blue"}
    await world.server.user.delete(CONFIG_MAPS, "settings", namespace="default")
    await world.clock.settle()
    with pytest.raises(NotFound, match='configmaps "settings" not found'):
        await world.read()
    await world.given(colour="green")
    await world.clock.settle()
    assert await world.read() == {"colour": "green"}
    assert world.requests == 1


async def test_nothing_is_followed_after_the_last_pod(world: _World) -> None:
    """The watch ends, nothing is kept, and the next pod reads it anew."""
    await world.given(colour="red")
    await world.read("web-1")
    await world.read("web-2")
    world.objects.forget(pod("web-1").metadata.uid)
    assert world.objects.followed == 1
    world.objects.forget(pod("web-2").metadata.uid)
    world.objects.forget(pod("never-seen").metadata.uid)
    assert world.objects.followed == 0
    await world.read("web-3")
    assert world.requests == 2


async def test_what_cannot_change_is_not_watched(world: _World) -> None:
    """It is kept, and read without a watch that could tell of anything."""
    stored = await world.given(colour="red")
    await world.server.user.patch(CONFIG_MAPS, stored.metadata.name, {"immutable": True}, namespace="default")
    await world.read()
    await world.clock.settle()
    world.server.break_watches()
    await world.clock.sleep(60)
    assert await world.read() == {"colour": "red"}
    assert world.watches <= 1


async def test_who_cannot_be_answered_is_told_why(world: _World) -> None:
    """In the server's own words; later the object is read."""
    await world.given(colour="red")

    async def fail(_verb: str, _plural: str, _name: str) -> None:
        raise Unavailable("nobody answers")

    world.api.before_call = fail
    with pytest.raises(Unavailable, match="nobody answers"):
        await world.read()
    world.api.before_call = None
    await world.clock.sleep(120)
    assert await world.read() == {"colour": "red"}


async def test_a_large_object_is_read_each_time_and_not_kept(world: _World) -> None:
    """Whoever refers to many of them does not fill the kubelet's memory; each is as it is at the moment."""
    await world.given(picture="x" * 100_000)
    for _ in range(3):
        assert len((await world.read())["picture"]) == 100_000
    await world.clock.settle()
    assert (world.requests, world.watches <= 1) == (4, True)
    await world.server.user.patch(CONFIG_MAPS, "settings", {"data": {"picture": "y"}}, namespace="default")
    assert await world.read() == {"picture": "y"}


@pytest.mark.deep
async def test_only_so_many_objects_are_followed(world: _World) -> None:
    """What there is no room for is read each time."""
    for number in range(300):
        await world.server.given(CONFIG_MAPS, config_map(f"settings-{number}", colour="red"))
        await world.objects.get(CONFIG_MAPS, pod("web"), f"settings-{number}")
    assert world.objects.followed == 256
    world.objects.forget(pod("web").metadata.uid)
    assert world.objects.followed == 0
