"""The component's view of the apiserver, over every transport that claims to be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from apiserver.core.kinds import KINDS
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import Storage
from apiserver.watch_cache_feed import Feed
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.process.clock import SystemClock
from machinery.process.config import ComponentConfig
from machinery.process.faults import PlannedFaults
from machinery.process.logging import Log
from machinery.process.run import Process
from tests.support.apiserver import Served, serving
from tests.support.client_doors import Door, FaultyDoor
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.registry_api import local_apiserver
from tests.support.requirements import need
from tests.support.scripted_api import local_registry

DOORS = ["grpc", "rest"]
EVERYWHERE = [*DOORS, "registry", "scripted"]


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdServer]:
    """One etcd for a module, empty before each test that has it."""
    need("etcd")
    with etcd_server() as server:
        yield server


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """A whole apiserver with both doors, on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture(params=EVERYWHERE)
async def door(request: pytest.FixtureRequest, pki: Pki) -> AsyncIterator[Door]:
    """The admin's way in; "rest on etcd" leads to an apiserver whose store is a real one."""
    transport, _, store = request.param.partition(" on ")
    async with AsyncExitStack() as stack:
        storage: Storage | None = None
        if store:
            server = request.getfixturevalue(store)
            server.empty()
            storage = EtcdStorage([server.address])
            stack.push_async_callback(storage.aclose)
        found = await stack.enter_async_context(opened(transport, pki, storage))
        yield found
        await found.api.aclose()


@asynccontextmanager
async def opened(transport: str, pki: Pki, storage: Storage | None = None) -> AsyncIterator[Door]:
    """Open a way to an apiserver of its own, on a store in memory unless it is given another."""
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
        async with serving(pki, storage) as served:
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
