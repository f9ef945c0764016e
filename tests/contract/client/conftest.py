"""The component's view of the apiserver, over every transport that claims to be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from apiserver.core.kinds import KINDS
from apiserver.watch_cache_feed import Feed
from kubarium.pki import Pki
from machinery.client.api import Api
from machinery.process.clock import SystemClock
from machinery.process.config import ComponentConfig
from machinery.process.faults import PlannedFaults
from machinery.process.logging import Log
from machinery.process.run import Process
from tests.support.apiserver import Served, serving
from tests.support.client_doors import Door, FaultyDoor
from tests.support.registry_api import local_apiserver
from tests.support.scripted_api import local_registry

DOORS = ["grpc", "rest"]
EVERYWHERE = [*DOORS, "registry", "scripted"]


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """A whole apiserver with both doors, on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture(params=EVERYWHERE)
async def door(request: pytest.FixtureRequest, pki: Pki) -> AsyncIterator[Door]:
    """The admin's way in."""
    async with opened(request.param, pki) as found:
        yield found
        await found.api.aclose()


@asynccontextmanager
async def opened(transport: str, pki: Pki) -> AsyncIterator[Door]:
    """Open a way to an apiserver of its own."""
    if transport == "scripted":
        async with local_registry() as local:
            yield _door(transport, local.api(), local.feed)
    elif transport == "registry":
        async with asyncio.TaskGroup() as tasks:
            process = Process("apiserver", ComponentConfig(), Log("apiserver", "error"), tasks)
            async with local_apiserver(pki, process, rng=Random(7)) as local:
                await local.core.bootstrap.run_until_done(process.clock)
                local.core.registry.open()
                yield _door(transport, local.connect("admin"), local.core.feed)
    else:
        async with serving(pki) as served:
            yield _door(transport, served.connect(transport), served.core.feed)


def _door(transport: str, api: Api, feed: Feed) -> Door:
    cache = feed.cache(KINDS["", "configmaps"])
    return Door(transport, api, lambda: cache.replace([], cache.revision), cache.send_bookmarks)


@pytest.fixture(params=DOORS)
async def faulty(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[FaultyDoor]:
    """The scheduler's connection, by name, with the admin's rights."""
    plan = PlannedFaults(SystemClock())
    api = served.connect(request.param, caller="scheduler", seam=plan)
    healthy = served.connect(request.param)
    yield FaultyDoor(api, healthy, plan)
    await api.aclose()
    await healthy.aclose()
