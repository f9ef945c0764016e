import asyncio

import pytest

from machinery.client.limited import limited
from machinery.model.resources import CONFIG_MAPS, NAMESPACES
from tests.support.scripted_api import local_registry

AT_ONCE = 3


@pytest.fixture
async def server():
    async with local_registry() as running:
        yield running


async def test_no_more_requests_than_that_are_in_flight(server):
    """The others wait for their turn, and all are answered."""
    api, flying, most = server.api(), 0, 0

    async def fly(_verb, _plural, _name):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1

    api.before_call = fly
    few = limited(api, AT_ONCE)
    found = await asyncio.gather(*(few.get(NAMESPACES, "default") for _ in range(10)))
    assert [each.metadata.name for each in found] == ["default"] * 10
    assert most == AT_ONCE


async def test_what_is_not_limited_does_not_wait(server):
    """While every slot is taken by a request that hangs, the same connection still serves a lease."""
    api, hanging = server.api(), asyncio.Event()

    async def hang(_verb, plural, _name):
        if plural == "configmaps":
            await hanging.wait()

    api.before_call = hang
    few = limited(api, AT_ONCE)
    flood = [
        asyncio.ensure_future(few.get(CONFIG_MAPS, "x", namespace="default")) for _ in range(AT_ONCE + 1)
    ]
    await asyncio.sleep(0)
    await api.get(NAMESPACES, "default")
    assert not any(each.done() for each in flood)
    hanging.set()
    await asyncio.gather(*flood, return_exceptions=True)
