"""A whole apiserver in the test's process, and a connection over each transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from machinery.client.api import Api
from tests.support.apiserver import Served, certificates, serving


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a small cluster."""
    folder: Path = tmp_path_factory.mktemp("pki")
    return certificates(folder)


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """Both doors, on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture(params=["grpc", "rest"])
async def api(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Api]:
    """The admin's connection."""
    connection = served.connect(request.param)
    yield connection
    await connection.aclose()


@pytest.fixture(params=["grpc", "rest"])
async def nobody(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Api]:
    """The connection of a user who has no role."""
    connection = served.connect(request.param, "nobody")
    yield connection
    await connection.aclose()
