"""Dockershim alone, over a real engine with real CNI plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

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
