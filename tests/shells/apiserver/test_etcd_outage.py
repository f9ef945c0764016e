"""Whole apiservers on a real etcd: one that dies and comes back, and two that share it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from apiserver.storage.etcd import EtcdStorage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.leader import LeaderElector
from machinery.model import resources as kinds
from machinery.model.errors import ApiError, InternalError, Unavailable
from machinery.model.k8s.core_v1 import ConfigMap, Service, ServicePort, ServiceSpec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Selection, WatchEvent
from machinery.process.clock import WALL
from tests.support.apiserver import Served, serving
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.requirements import need
from tests.support.waiting import stays, until

pytestmark = pytest.mark.etcd


@pytest.fixture
def etcd() -> Iterator[EtcdServer]:
    """An etcd of the test's own, to be killed."""
    need("etcd")
    with etcd_server() as server:
        yield server


@asynccontextmanager
async def _serving(pki: Pki, etcd: EtcdServer, address: str = "10.77.0.1") -> AsyncIterator[Served]:
    storage = EtcdStorage([etcd.address])
    try:
        async with serving(pki, storage, advertise_address=address) as served:
            yield served
    finally:
        await storage.aclose()


async def _create(api: Api, name: str) -> ConfigMap:
    obj = ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))
    return await api.create(kinds.CONFIG_MAPS, obj)


async def _create_when_possible(api: Api, name: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await _create(api, name)
            except ApiError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_an_apiserver_outlives_its_etcd(pki: Pki, etcd: EtcdServer) -> None:
    """Requests fail while etcd is away, watches go on when it is back, and nothing acknowledged is lost."""
    mine = Selection("default")  # an apiserver writes ConfigMaps of its own into kube-system
    async with _serving(pki, etcd) as served:
        api = served.connect("grpc")
        await _create(api, "before")
        start = (await api.list(kinds.CONFIG_MAPS, mine)).revision
        told: list[str] = []

        async def follow() -> None:
            async for batch in api.watch(kinds.CONFIG_MAPS, mine, resource_version=str(start)):
                told.extend(event.object.metadata.name for event in batch if event.object)
                if "after" in told:
                    return

        following = asyncio.ensure_future(follow())
        await _create(api, "between")
        etcd.kill()
        with pytest.raises(Unavailable):
            await _create(api, "lost")
        await until(lambda: served.core.feed.problem, what="the watch has noticed, too")
        assert (await api.list(kinds.CONFIG_MAPS, resource_version="0")).items
        etcd.start()
        await _create_when_possible(api, "after")
        await asyncio.wait_for(following, 60)
        assert told[0] == "between"
        assert told[-1] == "after"
        await until(lambda: not served.core.feed.problem)
        shown = [each.metadata.name for each in (await api.list(kinds.CONFIG_MAPS)).items]
        assert {"after", "before", "between"} <= set(shown)
        await api.aclose()


async def test_two_apiservers_are_one_cluster(pki: Pki, etcd: EtcdServer) -> None:
    """Each sees at once what the other has acknowledged; addresses are given once; both are endpoints."""
    async with _serving(pki, etcd) as first, _serving(pki, etcd, "10.77.0.2") as second:
        one, two = first.connect("grpc"), second.connect("rest")
        for number in range(10):
            await _create(one, f"m{number}")
            assert f"m{number}" in [each.metadata.name for each in (await two.list(kinds.CONFIG_MAPS)).items]
        ports = [ServicePort(port=80)]
        wanted = [
            (
                api,
                Service(
                    metadata=ObjectMeta(name=f"{name}{n}", namespace="default"), spec=ServiceSpec(ports=ports)
                ),
            )
            for n in range(10)
            for name, api in (("a", one), ("b", two))
        ]
        created = await asyncio.gather(*(api.create(kinds.SERVICES, obj) for api, obj in wanted))
        assert len({each.spec.clusterIP for each in created}) == 20
        slice_ = await one.get(kinds.ENDPOINT_SLICES, "kubernetes", namespace="default")
        assert [each.addresses for each in slice_.endpoints] == [["10.77.0.1"], ["10.77.0.2"]]
        await one.aclose()
        await two.aclose()


async def test_a_restarted_apiserver_takes_watches_up_where_they_were(pki: Pki, etcd: EtcdServer) -> None:
    """Its caches begin a little before the newest revision, so clients need no new list."""
    mine = Selection("default")  # an apiserver writes ConfigMaps of its own into kube-system
    async with _serving(pki, etcd) as served:
        api = served.connect("grpc")
        start = (await api.list(kinds.CONFIG_MAPS, mine)).revision
        await _create(api, "missed")
        await api.aclose()
    async with _serving(pki, etcd) as served:
        api = served.connect("grpc")
        batch: Sequence[WatchEvent[ConfigMap]] = ()
        async with asyncio.timeout(60):
            async for batch in api.watch(kinds.CONFIG_MAPS, mine, resource_version=str(start)):
                if batch:
                    break
        assert [each.object.metadata.name for each in batch if each.object] == ["missed"]
        await api.aclose()


def _etcdctl(etcd: EtcdServer, *arguments: str) -> str:
    command = ["etcdctl", f"--endpoints=http://{etcd.address}", *arguments]
    environment = {**os.environ, "ETCDCTL_API": "3"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


async def _fill(api: Api) -> InternalError:
    """Write until etcd takes no more; return how it says so."""
    for number in range(200):
        data = {"key": "x" * 100_000}
        obj = ConfigMap(metadata=ObjectMeta(name=f"large-{number}", namespace="default"), data=data)
        try:
            await api.create(kinds.CONFIG_MAPS, obj)
        except InternalError as error:
            return error
    raise AssertionError("etcd's quota is never reached")


async def test_a_quota_that_is_reached_is_said_and_over_when_it_is_mended(pki: Pki) -> None:
    """Writes are a 500 with etcd's reason, reads and deletions go on, the apiserver is not ready until the alarm is disarmed."""
    need("etcd", "etcdctl")
    with etcd_server(quota_backend_bytes=str(4 * 2**20)) as etcd:
        async with _serving(pki, etcd) as served:
            api, health = served.connect("rest"), served.process.health
            error = await _fill(api)
            assert error.code == 500
            assert "database space exceeded" in error.message
            await until(lambda: "NOSPACE" in "".join(health.problems()))
            assert health.answer("/readyz")[0] == 503
            with pytest.raises(InternalError, match="database space exceeded"):
                await _create(api, "small")
            found = [each.metadata.name for each in (await api.list(kinds.CONFIG_MAPS)).items]
            for name in found:
                if name.startswith("large-"):
                    await api.delete(kinds.CONFIG_MAPS, name, namespace="default")
            _etcdctl(etcd, "compact", str(await served.core.storage.revision()))
            _etcdctl(etcd, "defrag")
            _etcdctl(etcd, "alarm", "disarm")
            await until(lambda: not health.problems())
            await _create(api, "small")
            await api.aclose()


async def test_a_leader_goes_on_when_a_frozen_etcd_is_back(pki: Pki, etcd: EtcdServer) -> None:
    """It holds its writes back when its deadline is over, and has lost nothing where nobody else could lead meanwhile."""
    async with _serving(pki, etcd) as served:
        api = served.connect("grpc")
        leading = asyncio.Event()

        async def lead() -> None:
            leading.set()
            await asyncio.get_running_loop().create_future()

        elector = _candidate(api, "first")
        first = asyncio.ensure_future(elector.run(lead))
        await asyncio.wait_for(leading.wait(), 60)
        leading.clear()
        fence = elector.fence()
        etcd.pause()
        await until(lambda: not elector.is_leading)
        stranger = asyncio.ensure_future(_candidate(api, "second").run(lead))
        held = asyncio.ensure_future(elector.held())
        await stays(lambda: not (leading.is_set() or held.done()), for_s=0.5)
        etcd.resume()
        await asyncio.wait_for(held, _LEASE_S / 3)
        assert elector.fence() == fence
        assert not first.done()
        for task in (first, stranger):
            task.cancel()
        await asyncio.gather(first, stranger, return_exceptions=True)
        await api.aclose()


_LEASE_S = 60.0


def _candidate(api: Api, identity: str) -> LeaderElector:
    return LeaderElector(
        api,
        namespace="kube-system",
        name="lock",
        identity=identity,
        clock=WALL,
        lease_duration_s=_LEASE_S,
        renew_deadline_s=2.0,
        retry_period_s=0.5,
    )


async def test_an_apiserver_starts_over_more_than_one_answer_may_bring(pki: Pki, etcd: EtcdServer) -> None:
    """70 objects of 1 MB of one kind (64 MiB is the most that it takes at once): it reads them all, and changes one."""
    storage = EtcdStorage([etcd.address])
    text = "x" * 1_000_000
    for number in range(70):
        obj = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"m{number:02}", "namespace": "default", "uid": f"u{number}"},
            "data": {"k": text},
        }
        await storage.create(f"/registry/configmaps/default/m{number:02}", msgspec.json.encode(obj))
    await storage.aclose()
    async with _serving(pki, etcd) as served:
        api = served.connect("grpc")
        names: list[str] = []
        continue_ = ""
        while len(names) < 70:
            page = await api.list(kinds.CONFIG_MAPS, Selection("default"), limit=10, continue_=continue_)
            names += [each.metadata.name for each in page.items]
            continue_ = page.continue_
        assert names == [f"m{number:02}" for number in range(70)]
        changed = await api.patch(kinds.CONFIG_MAPS, "m69", {"data": {"k": "y"}}, namespace="default")
        assert changed.data == {"k": "y"}
        await api.aclose()
