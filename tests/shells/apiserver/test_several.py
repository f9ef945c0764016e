"""Several apiservers on one etcd, one of which learns late what the others write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import EventBatch
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.client.rest_transport import Token, connect_rest
from machinery.model import resources as kinds
from machinery.model.errors import Conflict, Forbidden, NotFound, Unavailable
from machinery.model.k8s.authentication_v1 import TokenRequest
from machinery.model.k8s.core_v1 import ConfigMap, Namespace, ServiceAccount
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.process.clock import WALL
from tests.support import custom_resources as custom
from tests.support.apiserver import Served, serving
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.requirements import need
from tests.support.waiting import pause, until

pytestmark = pytest.mark.etcd

LAG_S = 0.3  # wall seconds; less than a read waits for the watch


class LateStorage(EtcdStorage):
    """A store whose watch is behind, as that of a busy apiserver is, and stands still where it is told to."""

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(addresses)
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def watch(self, prefix: str, after_revision: int) -> AsyncGenerator[EventBatch, None]:
        passed_s = 0.0
        async for batch in super().watch(prefix, after_revision):
            # What has come meanwhile is not held up once more: the watch is late by so much, however many have written.
            if batch.events and time.monotonic() > passed_s + LAG_S:
                await pause(LAG_S, "a busy apiserver")
                passed_s = time.monotonic()
            await self.flowing.wait()
            yield batch


@pytest.fixture
def etcd() -> Iterator[EtcdServer]:
    """An etcd of the test's own."""
    need("etcd")
    with etcd_server() as server:
        yield server


@asynccontextmanager
async def _serving(pki: Pki, storage: EtcdStorage, name: str) -> AsyncIterator[Served]:
    try:
        async with serving(pki, storage, name=name, advertise_address=f"10.77.0.{name[-1]}") as served:
            yield served
    finally:
        await storage.aclose()


@pytest.fixture
async def pair(pki: Pki, etcd: EtcdServer) -> AsyncIterator[tuple[Served, Served]]:
    """An apiserver, and one that is late."""
    async with (
        _serving(pki, EtcdStorage([etcd.address]), "apiserver-1") as first,
        _serving(pki, LateStorage([etcd.address]), "apiserver-2") as late,
    ):
        yield first, late


async def test_apiservers_that_begin_together_on_an_empty_store_agree(pki: Pki, etcd: EtcdServer) -> None:
    """What every cluster has is there once, whoever wrote it, and none of them gives up."""
    names = ("apiserver-1", "apiserver-2", "apiserver-3")
    async with AsyncExitStack() as stack:
        starting = (
            stack.enter_async_context(_serving(pki, EtcdStorage([etcd.address]), name)) for name in names
        )
        served = await asyncio.wait_for(asyncio.gather(*starting), 150)
        apis = [each.connect("grpc") for each in served]
        shown = [
            {each.metadata.uid for each in (await api.list(kinds.NAMESPACES)).items}
            | {each.metadata.uid for each in (await api.list(kinds.SERVICES)).items}
            for api in apis
        ]
        assert shown[0] == shown[1] == shown[2]
        for api in apis:
            await api.aclose()


async def test_what_one_has_written_another_one_builds_on_at_once(pair: tuple[Served, Served]) -> None:
    """A namespace that its cache does not show yet is there."""
    first, late = (each.connect("grpc") for each in pair)
    await first.create(kinds.NAMESPACES, Namespace(metadata=ObjectMeta(name="fresh")))
    made = await late.create(kinds.CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="m", namespace="fresh")))
    assert made.metadata.uid
    await first.aclose()
    await late.aclose()


async def test_a_definition_of_one_is_served_by_another_one_at_once(pair: tuple[Served, Served]) -> None:
    """Through both doors, in discovery, and so is its end: nobody is told that there is no such kind."""
    first, late, rest = pair[0].connect("grpc"), pair[1].connect("grpc"), pair[1].connect("rest")
    await custom.apply(first, custom.definition())
    await late.create(custom.TOYS, custom.toy("a"))
    await rest.create(custom.TOYS, custom.toy("b"))
    await first.delete(custom.CRDS, f"toys.{custom.GROUP}")
    await custom.gone(first)
    assert (await pair[0].core.storage.list(f"/registry/{custom.GROUP}/")).items == []
    await custom.apply(first, custom.definition(plural="games", kind="Game"))
    assert (await rest.list(custom.resource(plural="games", kind="Game"))).items == []
    for api in (first, late, rest):
        await api.aclose()


async def test_nobody_is_told_that_there_is_no_such_kind_where_nobody_can_know(
    pki: Pki, etcd: EtcdServer
) -> None:
    """An apiserver whose watch stands still cannot tell: its clients ask again, and find what is there."""
    storage = LateStorage([etcd.address])
    async with (
        _serving(pki, EtcdStorage([etcd.address]), "apiserver-1") as first,
        _serving(pki, storage, "apiserver-2") as late,
    ):
        apis = [late.connect("grpc"), late.connect("rest")]
        storage.flowing.clear()
        maker = first.connect("grpc")
        await custom.apply(maker, custom.definition())
        for told in await asyncio.gather(*(api.list(custom.TOYS) for api in apis), return_exceptions=True):
            assert isinstance(told, Unavailable)
        storage.flowing.set()
        for api in apis:
            await until(lambda api=api: _lists(api))
            with pytest.raises(NotFound):
                await api.list(custom.resource(plural="games", kind="Game"))
        for api in (*apis, maker):
            await api.aclose()


async def _lists(api: Api) -> bool:
    try:
        return not (await api.list(custom.TOYS)).items
    except Unavailable:
        return False


async def test_of_two_writes_on_one_revision_one_wins(pair: tuple[Served, Served]) -> None:
    """Through whichever apiservers they came."""
    first, late = (each.connect("grpc") for each in pair)
    for number in range(10):
        obj = ConfigMap(metadata=ObjectMeta(name=f"m{number}", namespace="default"))
        made = await first.create(kinds.CONFIG_MAPS, obj)
        both = await asyncio.gather(
            *(api.update(kinds.CONFIG_MAPS, made) for api in (first, late)), return_exceptions=True
        )
        refused = [each for each in both if isinstance(each, BaseException)]
        # Neither changes anything, so both may find what they want; a second change is never on an old revision.
        assert all(isinstance(each, Conflict) for each in refused)
        changed = [
            api.patch(
                kinds.CONFIG_MAPS,
                f"m{number}",
                {"metadata": {"resourceVersion": made.metadata.resourceVersion}, "data": {"by": name}},
                namespace="default",
            )
            for name, api in (("first", first), ("late", late))
        ]
        outcomes = await asyncio.gather(*changed, return_exceptions=True)
        assert sum(isinstance(each, Conflict) for each in outcomes) == 1
    await first.aclose()
    await late.aclose()


async def test_a_token_of_one_is_good_at_another_at_once(pair: tuple[Served, Served], tmp_path: Path) -> None:
    """Although that one has not heard of the ServiceAccount yet: it knows who asks, and that he may not."""
    first, late = pair
    api = first.connect("grpc")
    await api.create(
        kinds.SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default"))
    )
    reply = await api.post(
        kinds.SERVICE_ACCOUNTS, "robot", "token", TokenRequest(), TokenRequest, namespace="default"
    )
    file = tmp_path / "token"
    file.write_text(reply.status.token)
    credentials = Token(str(file), str(late.pki.certificate("ca")))
    robot = connect_rest(f"https://{late.config.rest_listen[0]}", credentials, caller="test", clock=WALL)
    with pytest.raises(Forbidden, match="system:serviceaccount:default:robot"):
        await robot.list(kinds.NODES)
    await robot.aclose()
    await api.aclose()
