"""An apiserver on both stores, asked through both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import Storage
from apiserver.storage.memory import MemoryStorage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from tests.support.apiserver import Served, serving
from tests.support.custom_resources import Rest, rest_session, withdraw_all
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.requirements import need


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdServer]:
    """One etcd for a module: every test takes its definitions back."""
    need("etcd")
    with etcd_server() as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("etcd", marks=pytest.mark.etcd)])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """A store."""
    store: Storage = MemoryStorage()
    if request.param == "etcd":
        store = EtcdStorage([request.getfixturevalue("etcd").address])
    yield store
    await store.aclose()


@pytest.fixture
async def served(storage: Storage, pki: Pki) -> AsyncIterator[Served]:
    """An apiserver on it."""
    async with serving(pki, storage) as running:
        yield running


@pytest.fixture(params=["grpc", "rest"])
async def api(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Api]:
    """The admin's connection through each door."""
    connection = served.connect(request.param)
    yield connection
    await withdraw_all(connection)
    await connection.aclose()


@pytest.fixture
async def rest(served: Served) -> AsyncIterator[Rest]:
    """The admin's HTTP session."""
    async with rest_session(served) as session:
        yield session
