"""Both CRI servers: the hollow runtime, and dockershim over a real engine with real CNI plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.cri_servers import Cri, connected


@pytest.fixture(params=["hollow", pytest.param("dockershim", marks=pytest.mark.docker)])
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Cri]:
    """A client of each server in turn; pods have addresses, and the usual image is here."""
    async with connected(request.getfixturevalue(request.param)) as client:
        await client.use_pod_range()
        await client.have_image()
        yield client
