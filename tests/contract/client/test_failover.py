"""A client of two apiservers on one store, over both doors: what goes on when one of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from typing import cast

import pytest

from apiserver.storage.memory import MemoryStorage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.grpc_transport import connect_grpc
from machinery.client.rest_transport import connect_rest
from machinery.client.servers import Servers
from machinery.model.errors import Unavailable
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Selection, WatchEvent
from machinery.model.resources import CONFIG_MAPS
from machinery.process.clock import WALL
from tests.support.apiserver import Served, serving
from tests.support.ports import free_ports


@dataclass
class Two:
    """Two apiservers by name, and a client that has both on its list and begins at the first."""

    served: dict[str, Served]
    stacks: dict[str, AsyncExitStack]
    transport: str

    def connect(self, *also: str) -> Api:
        """Connect with a list of the running ones, and of other addresses before them."""
        each = next(iter(self.served.values()))
        if self.transport == "grpc":
            servers = [*also, *(one.config.grpc_listen[0] for one in self.served.values())]
            return connect_grpc(
                ",".join(servers), each.tls(), caller=_beginning_at_first(len(servers)), clock=WALL
            )
        servers = [
            *(f"https://{address}" for address in also),
            *(f"https://{one.config.rest_listen[0]}" for one in self.served.values()),
        ]
        return connect_rest(
            ",".join(servers), each.tls(), caller=_beginning_at_first(len(servers)), clock=WALL
        )

    async def end(self, name: str) -> None:
        await self.stacks.pop(name).aclose()


def _beginning_at_first(servers: int) -> str:
    """Return the name of a caller whose hash leads to the first of the list."""
    return next(
        name
        for name in (f"client-{number}" for number in range(100))
        if Servers(range(servers), caller=name, now=WALL.monotonic_wall).current == 0
    )


@pytest.fixture(params=["grpc", "rest"])
async def two(request: pytest.FixtureRequest, pki: Pki) -> AsyncIterator[Two]:
    """Two apiservers on one store in memory."""
    storage = MemoryStorage()
    stacks = {name: AsyncExitStack() for name in ("apiserver-1", "apiserver-2")}
    served = {
        name: await stack.enter_async_context(serving(pki, storage, name=name))
        for name, stack in stacks.items()
    }
    try:
        yield Two(served, stacks, request.param)
    finally:
        for stack in stacks.values():
            await stack.aclose()


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


async def test_the_name_of_the_one_that_answered_is_known(two: Two):
    """Also after it was left for another one."""
    api = two.connect()
    await api.list(CONFIG_MAPS)
    assert api.answered_by == "apiserver-1"
    await two.end("apiserver-1")
    await api.list(CONFIG_MAPS)
    assert api.answered_by == "apiserver-2"
    await api.aclose()


async def test_reads_do_not_notice_that_their_server_ended(two: Two):
    """What one has written the other one reads."""
    api = two.connect()
    await api.create(CONFIG_MAPS, config_map("here"))
    await two.end("apiserver-1")
    assert (await api.get(CONFIG_MAPS, "here", namespace="default")).metadata.name == "here"
    await api.aclose()


async def test_a_write_goes_to_a_server_that_can_be_reached(two: Two):
    """Nobody listens at the first address of the list, so nothing was sent there."""
    api = two.connect(f"127.0.0.1:{free_ports(1)[0]}")
    made = await api.create(CONFIG_MAPS, config_map("made"))
    assert made.metadata.uid
    await api.aclose()


async def test_a_watch_goes_on_at_another_server(two: Two):
    """From the revision that it has reached, without a gap; whoever watches opens it again, as with one server."""
    api = two.connect()
    listing = await api.list(CONFIG_MAPS, Selection("default"))
    seen: asyncio.Queue[str] = asyncio.Queue()
    following = asyncio.ensure_future(_follow(api, listing.revision, seen))
    await api.create(CONFIG_MAPS, config_map("first"))
    assert await asyncio.wait_for(seen.get(), 60) == "first"
    assert api.answered_by == "apiserver-1"
    await two.end("apiserver-1")
    await _until_created(api, "second")
    await api.create(CONFIG_MAPS, config_map("third"))
    assert [await asyncio.wait_for(seen.get(), 60) for _ in range(2)] == ["second", "third"]
    assert api.answered_by == "apiserver-2"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await api.aclose()


async def _until_created(api: Api, name: str) -> None:
    """Create an object; the connection of the server that ended may break only now."""
    while True:
        with suppress(Unavailable):
            await api.create(CONFIG_MAPS, config_map(name))
            return


async def _follow(api: Api, revision: int, seen: asyncio.Queue[str]) -> None:
    """Report every object, and open the watch again whenever it ends."""
    while True:
        watch = api.watch(CONFIG_MAPS, Selection("default"), resource_version=str(revision))
        with suppress(Unavailable):
            async with aclosing(
                cast("AsyncGenerator[Sequence[WatchEvent[ConfigMap]], None]", watch)
            ) as batches:
                async for batch in batches:
                    for event in batch:
                        revision = event.revision
                        if event.object is not None:
                            seen.put_nowait(event.object.metadata.name)
