"""Both stores: in memory, and a real etcd."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import Storage
from apiserver.storage.memory import MemoryStorage
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.requirements import need


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdServer]:
    """One etcd for a module; every test uses keys of its own."""
    need("etcd")
    with etcd_server() as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("etcd", marks=pytest.mark.etcd)])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """An implementation of Storage."""
    store: Storage
    if request.param == "memory":
        store = MemoryStorage()
    else:
        store = EtcdStorage([request.getfixturevalue("etcd").address])
    yield store
    await store.aclose()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix that no other test writes to."""
    return f"/registry/{request.node.name}/"
