"""Dockershim alone, over a real engine with real CNI plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.cri_servers import Cri, CriServer, connected, dockershim_server


@pytest.fixture(scope="session")
def dockershim() -> Iterator[CriServer]:
    """Dockershim as a process in a network namespace of its own."""
    with dockershim_server() as server:
        yield server


@pytest.fixture
async def shim(dockershim: CriServer) -> AsyncIterator[Cri]:
    """A client of dockershim, for what only real containers can do."""
    async with connected(dockershim) as client:
        await client.use_pod_range()
        yield client


@pytest.fixture(scope="module")
def servers() -> Iterator[list[CriServer]]:
    """Two of them, as two nodes that share an engine have."""
    with dockershim_server() as one, dockershim_server() as other:
        yield [one, other]


@pytest.fixture
async def nodes(servers: list[CriServer]) -> AsyncIterator[list[Cri]]:
    """A client of each of the two."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(server)) for server in servers]
