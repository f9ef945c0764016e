"""Both CRI servers: the hollow runtime, and dockershim over a real engine with real CNI plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.cri_servers import Cri, CriServer, connected, cri_server, dockershim_server


@pytest.fixture(scope="session")
def hollow() -> Iterator[CriServer]:
    """The hollow runtime as a process."""
    with cri_server("hollow") as server:
        yield server


@pytest.fixture(scope="session")
def dockershim() -> Iterator[CriServer]:
    """Dockershim as a process in a network namespace of its own."""
    with dockershim_server() as server:
        yield server


@pytest.fixture(params=["hollow", pytest.param("dockershim", marks=pytest.mark.docker)])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Cri]:
    """A client of each server in turn; pods have addresses, and the usual image is here."""
    async with connected(request.getfixturevalue(request.param)) as client:
        await client.use_pod_range()
        await client.have_image()
        yield client
