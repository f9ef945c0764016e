"""Both CRI servers: the hollow runtime, and dockershim over a real engine with real CNI plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.cri_servers import Cri, CriServer, connected, cri_server
from tests.support.images import build_all
from tests.support.requirements import need


@pytest.fixture(scope="session")
def hollow() -> Iterator[CriServer]:
    """The hollow runtime as a process."""
    with cri_server("hollow") as server:
        yield server


@pytest.fixture(scope="session")
def dockershim() -> Iterator[CriServer]:
    """Dockershim as a process in a network namespace of its own."""
    need("docker", "cni")
    build_all()
    with cri_server("dockershim") as server:
        yield server


@pytest.fixture(params=["hollow", pytest.param("dockershim", marks=pytest.mark.docker)])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Cri]:
    """A client of each server in turn; pods have addresses, and the usual image is here."""
    async with connected(request.getfixturevalue(request.param)) as client:
        await client.use_pod_range()
        await client.have_image()
        yield client


@pytest.fixture
async def shim(dockershim: CriServer) -> AsyncIterator[Cri]:
    """A client of dockershim alone, for what only real containers can do."""
    async with connected(dockershim) as client:
        await client.use_pod_range()
        yield client
