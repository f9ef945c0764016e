"""Fences on a real etcd, through both doors: a leader that slept past its lease writes nothing when it wakes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from apiserver.storage.etcd import EtcdStorage
from kubarium.identity.pki import Pki
from machinery.client.fenced import fenced
from machinery.model.errors import BadRequest, Deposed
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Fence
from machinery.model.resources import CONFIG_MAPS
from machinery.process.clock import SystemClock
from tests.support.apiserver import Served, serving
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.led_writer import MAP, candidate
from tests.support.requirements import need

pytestmark = pytest.mark.etcd


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdServer]:
    """One etcd for the module."""
    need("etcd")
    with etcd_server() as server:
        yield server


@pytest.fixture
async def served(pki: Pki, etcd: EtcdServer) -> AsyncIterator[Served]:
    """A whole apiserver on it, with the ConfigMap that leaders write."""
    storage = EtcdStorage([etcd.address])
    async with serving(pki, storage) as running:
        api = running.connect("grpc")
        namespace, name = MAP
        meta = ObjectMeta(namespace=namespace, name=name)
        await api.create(CONFIG_MAPS, ConfigMap(metadata=meta))
        yield running
        await api.delete(CONFIG_MAPS, name, namespace=namespace)
        await api.aclose()
    await storage.aclose()


@asynccontextmanager
async def writing(served: Served, transport: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run another candidate as a process of its own."""
    tls, config = served.tls(), served.config
    server = config.grpc_listen[0] if transport == "grpc" else f"https://{config.rest_listen[0]}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.led_writer", transport, server),
        *(tls.ca_file, tls.cert_file, tls.key_file),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> str:
    """Return the next line that the process says."""
    assert process.stdout
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_a_leader_that_slept_past_its_lease_writes_nothing_when_it_wakes(
    served: Served, transport: str
) -> None:
    """Stopped while it writes; another one takes over; woken, it is told that it was deposed, at its first write."""
    api, leads = served.connect(transport), asyncio.Event()
    namespace, name = MAP

    async def lead() -> None:
        leads.set()
        await asyncio.Event().wait()

    async with writing(served, transport) as other:
        assert await said(other) == "written"
        os.kill(other.pid, signal.SIGSTOP)
        elector = candidate(api, "test", SystemClock())
        standing = asyncio.ensure_future(elector.run(lead))
        async with asyncio.timeout(60):
            await leads.wait()
        before = await api.get(CONFIG_MAPS, name, namespace=namespace)
        os.kill(other.pid, signal.SIGCONT)
        assert "Deposed" in {await said(other), await said(other)}
        after = await api.get(CONFIG_MAPS, name, namespace=namespace)
        assert after.metadata.resourceVersion == before.metadata.resourceVersion
        mine = await fenced(api, elector.fence).patch(
            CONFIG_MAPS, name, {"data": {"test": "x"}}, namespace=namespace
        )
        assert mine.data == {**before.data, "test": "x"}
        standing.cancel()
        await asyncio.gather(standing, return_exceptions=True)
    await api.aclose()


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_every_write_of_a_deposed_leader_is_refused_at_both_doors(
    served: Served, transport: str
) -> None:
    """With an error of its own, which is no Conflict; a fence that cannot be read is a bad request."""
    api = served.connect(transport)
    namespace, name = MAP
    stale = Fence("kube-system", "nobody", "uid", "me", 1)
    writer = fenced(api, lambda: stale)
    with pytest.raises(Deposed, match='lease "kube-system/nobody" is not held any more by me'):
        await writer.patch(CONFIG_MAPS, name, {"data": {"x": "y"}}, namespace=namespace)
    with pytest.raises(Deposed):
        await writer.delete(CONFIG_MAPS, name, namespace=namespace)
    with pytest.raises(Deposed):
        await writer.create(CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="new", namespace=namespace)))
    assert (await api.get(CONFIG_MAPS, name, namespace=namespace)).data == {}
    unreadable = Fence("kube-system", "nobody", "uid", "me", -1)
    with pytest.raises(BadRequest, match="kubarium-fence"):
        await fenced(api, lambda: unreadable).delete(CONFIG_MAPS, name, namespace=namespace)
    await api.aclose()
