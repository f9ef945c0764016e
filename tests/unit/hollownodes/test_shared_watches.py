"""One list and one watch for many readers: a watch's promises hold for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hollownodes.shared_watches import Place, SharedWatches, place_of
from machinery.client.transport import ApiRequest
from machinery.model.errors import Expired, Unavailable
from machinery.model.log import SILENT
from machinery.model.requests import DeleteOptions, EventType, Selection
from machinery.model.resources import CONFIG_MAPS, NODES, PODS, SERVICES
from tests.support.builders import changed, config_map, pod
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock

OF_NODE = Place(PODS, Selection(field_selector="spec.nodeName!="), "node-1")


@dataclass
class Bench:
    registry: LocalRegistry
    watches: SharedWatches
    clock: VirtualClock
    client: Any

    async def given(self, name: str, node: str) -> None:
        await self.registry.given(PODS, changed(pod(name), spec__nodeName=node))

    async def listed(self) -> tuple[set[str], int]:
        page = await self.watches.page(OF_NODE, 10)
        return {item.metadata.name for item in page.items}, page.revision

    def lists(self) -> int:
        return sum(verb == "list" for verb, _, _ in self.client.calls)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    clock = VirtualClock()
    async with local_registry(clock) as registry, asyncio.TaskGroup() as tasks:
        client = registry.api("shared")
        watches = SharedWatches(client, tasks, clock, SILENT)
        tidying = tasks.create_task(watches.run())
        yield Bench(registry, watches, clock, client)
        tidying.cancel()
        for task in list(tasks._tasks):
            task.cancel()


async def _next(stream: Any) -> list[tuple[EventType, str]]:
    return [(event.type, event.object.metadata.name) for event in await anext(stream)]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ApiRequest("List", PODS, field_selector="spec.nodeName=node-1", resource_version="0"), OF_NODE),
        (ApiRequest("Watch", PODS, field_selector="spec.nodeName=node-1", resource_version="7"), OF_NODE),
        (ApiRequest("List", PODS, field_selector="spec.nodeName=node-1"), None),
        (
            ApiRequest("List", NODES, field_selector="metadata.name=node-1", resource_version="0"),
            Place(NODES, Selection(), "node-1"),
        ),
        (ApiRequest("List", SERVICES, resource_version="0"), Place(SERVICES, Selection(), "")),
        (
            ApiRequest("Watch", CONFIG_MAPS, "web", field_selector="metadata.name=a", resource_version="7"),
            Place(CONFIG_MAPS, Selection("web", field_selector="metadata.name=a"), ""),
        ),
        (ApiRequest("List", SERVICES, label_selector="a=b", resource_version="0"), None),
        (ApiRequest("List", SERVICES, limit=5, resource_version="0"), None),
    ],
)
def test_what_may_come_from_a_cache_is_shared(request_: ApiRequest, expected: Place | None):
    """A list as of now is asked at the server; so is what only one reader would want."""
    assert place_of(request_) == expected


async def test_each_reader_gets_its_part_in_order_and_nothing_of_the_others():
    """From the revision of its list on, however late it begins to watch."""
    async with bench() as here:
        await here.given("a", "node-1")
        await here.given("other", "node-2")
        names, revision = await here.listed()
        assert names == {"a"}
        await here.given("b", "node-1")
        await here.clock.sleep(1)
        stream = here.watches.stream(OF_NODE, revision)
        assert await anext(stream) == ()
        assert await _next(stream) == [(EventType.ADDED, "b")]
        await here.given("elsewhere", "node-2")
        await here.given("c", "node-1")
        assert await _next(stream) == [(EventType.ADDED, "c")]
        assert here.lists() == 1


async def test_who_resumes_from_what_is_not_remembered_lists_again():
    """As at a server that has compacted its history."""
    async with bench() as here:
        await here.given("a", "node-1")
        await here.listed()
        stream = here.watches.stream(OF_NODE, 1)
        with pytest.raises(Expired):
            await anext(stream)


async def test_a_new_list_becomes_the_events_that_lead_to_it():
    """What has gone, come and changed while the history was lost is told once."""
    async with bench() as here:
        await here.given("stays", "node-1")
        await here.given("goes", "node-1")
        _, revision = await here.listed()
        stream = here.watches.stream(OF_NODE, revision)
        await anext(stream)

        async def refuse(*_: Any) -> None:
            raise Unavailable("the connection is broken")

        here.client.before_event = refuse
        await here.given("comes", "node-1")
        at_once = DeleteOptions(grace_period_s=0)
        await here.registry.user.delete(PODS, "goes", namespace="default", options=at_once)
        here.client.before_event = None
        await here.registry.forget_history()
        here.registry.break_watches()
        told = await _next(stream)
        while len(told) < 2:
            told += await _next(stream)
        assert set(told) == {(EventType.ADDED, "comes"), (EventType.DELETED, "goes")}
        assert (await here.listed())[0] == {"stays", "comes"}


async def test_what_nobody_watches_is_followed_no_longer():
    """After a while; who asks then finds a new list."""
    async with bench() as here:
        place = Place(CONFIG_MAPS, Selection("default", field_selector="metadata.name=settings"), "")
        await here.registry.given(CONFIG_MAPS, config_map())
        await here.watches.page(place, 10)
        await here.watches.page(place, 10)
        assert here.lists() == 1
        await here.clock.sleep(200)
        await here.watches.page(place, 10)
        assert here.lists() == 2
