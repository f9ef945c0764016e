"""A whole apiserver in the test's process, and the REST door as a program without a client library sees it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from tests.support.apiserver import Served, certificates, serving
from tests.support.rest_door import Client

NODE = Certificate("node-1", "system:node:node-1", ("system:nodes",), hosts=("node-1",))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of a small cluster, with one node's."""
    folder: Path = tmp_path_factory.mktemp("pki")
    made = certificates(folder)
    made.ensure(NODE)
    return made


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """Both doors, on a store in memory."""
    async with serving(pki) as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    """Return the session of an identity; "" shows no certificate."""
    opened: list[aiohttp.ClientSession] = []

    def connect(identity: str) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
        if identity:
            context.load_cert_chain(served.pki.certificate(identity), served.pki.key(identity))
        session = aiohttp.ClientSession(
            f"https://{served.config.rest_listen[0]}",
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(total=120),
        )
        opened.append(session)
        return session

    yield connect
    for session in opened:
        await session.close()


@pytest.fixture
async def admin(client: Client) -> aiohttp.ClientSession:
    """Who may do everything."""
    return client("admin")
