"""What only a real etcd shows: servers that die, freeze, come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.interface import Written
from apiserver.storage.seam import READING
from machinery.client.seam_channel import through
from machinery.model.errors import DeadlineExceeded, OutcomeUnknown, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule
from machinery.model.seam import Ends
from machinery.process.clock import SystemClock
from machinery.process.faults import PlannedFaults
from machinery.process.recorder import Recorder
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.ports import free_ports
from tests.support.requirements import need

pytestmark = pytest.mark.etcd


@pytest.fixture
def server() -> Iterator[EtcdServer]:
    """An etcd of this test's own."""
    need("etcd")
    with etcd_server() as server:
        yield server


@pytest.fixture
async def storage(server: EtcdServer) -> AsyncIterator[EtcdStorage]:
    """A store on it, with little patience; more than a disk takes that others write to."""
    store = EtcdStorage([server.address], attempt_timeout_s=4)
    yield store
    await store.aclose()


async def test_acknowledged_writes_survive_a_crash(server: EtcdServer, storage: EtcdStorage) -> None:
    """What was acknowledged before kill -9 is there after the restart; in between there is Unavailable."""
    await storage.create("/a", b"one")
    server.kill()

    with pytest.raises(Unavailable):
        await storage.get("/a")
    server.start()
    stored = await eventually(storage.get, "/a")

    assert stored.value == b"one"


async def test_a_frozen_server_ends_a_write_with_its_outcome_unknown(
    server: EtcdServer,
    storage: EtcdStorage,
) -> None:
    """A write to a frozen etcd ends within its deadline, as OutcomeUnknown, and is not written twice."""
    outcome = await storage.create("/a", b"one")
    assert isinstance(outcome, Written)
    server.pause()
    try:
        with pytest.raises(OutcomeUnknown) as raised:
            await storage.update("/a", b"two", outcome.revision)
    finally:
        server.resume()

    stored = await eventually(storage.get, "/a")
    assert isinstance(raised.value, DeadlineExceeded | Unavailable)
    assert (stored.value, stored.revision - outcome.revision) in {(b"one", 0), (b"two", 1)}


class Wire:
    """The seam of a store's channels, which loses the answers that it is told to; the writes are carried out."""

    def __init__(self) -> None:
        self._faults = PlannedFaults(SystemClock())

    def seam(self, channel: Any, member: str) -> Any:
        """Put it into a channel."""
        return through(channel, self._faults, Ends("apiserver", member, "etcd"))

    def lose_an_answer(self) -> None:
        """Lose the answer to the next transaction; the connection breaks then."""
        self._faults.use(NO_PLAN)
        self._faults.use(FaultPlan((Rule(Fault.DROP_REPLY, method="Txn", count=1, delay_s=0.01),)))


async def test_a_write_whose_answer_was_lost_is_recognized(server: EtcdServer) -> None:
    """A create and an update that happened though no answer came are found out, and acknowledged."""
    wire = Wire()
    storage = EtcdStorage([server.address], seam=wire.seam)

    wire.lose_an_answer()
    created = await storage.create("/a", b"one")
    assert isinstance(created, Written)
    wire.lose_an_answer()
    updated = await storage.update("/a", b"two", created.revision)
    stored = await storage.get("/a")
    await storage.aclose()

    assert stored
    assert updated == Written(stored.revision)
    assert stored.revision == created.revision + 1


async def test_a_write_that_cannot_be_proven_is_of_unknown_outcome(server: EtcdServer) -> None:
    """A delete that happened though no answer came leaves nothing that proves it: OutcomeUnknown."""
    wire = Wire()
    storage = EtcdStorage([server.address], seam=wire.seam)
    created = await storage.create("/a", b"one")
    assert isinstance(created, Written)

    wire.lose_an_answer()
    with pytest.raises(OutcomeUnknown):
        await storage.delete("/a", created.revision)
    await storage.aclose()


async def test_another_member_is_asked_when_one_is_not_there(server: EtcdServer) -> None:
    """With a dead endpoint first in the list reads, writes and watches go to the living one."""
    (dead,) = free_ports(1)
    storage = EtcdStorage([f"http://127.0.0.1:{dead}", f"http://{server.address}"], attempt_timeout_s=4)

    assert isinstance(await eventually(storage.create, "/a", b"one"), Written)
    watch = storage.watch("/", 0)
    batches = [await anext(watch), await anext(watch)]
    await watch.aclose()
    await storage.aclose()

    assert [event.value for event in batches[1].events] == [b"one"]


async def test_a_watch_says_when_its_server_dies(server: EtcdServer, storage: EtcdStorage) -> None:
    """A watch whose server is killed ends with Unavailable, and tells the rest when it is taken up again."""
    first = await storage.create("/a", b"one")
    assert isinstance(first, Written)
    watch = storage.watch("/", 0)
    told = [await anext(watch), await anext(watch)]
    server.kill()
    with pytest.raises(Unavailable):
        await anext(watch)
    server.start()
    await eventually(storage.create, "/b", b"two")

    resumed = storage.watch("/", told[-1].revision)
    rest = [await anext(resumed), await anext(resumed)]
    await resumed.aclose()

    assert [event.key for event in rest[1].events] == ["/b"]


async def test_a_key_with_a_ttl_goes_by_itself(storage: EtcdStorage) -> None:
    """A key with a ttl is deleted by etcd after it, also when it was updated meanwhile."""
    outcome = await storage.create("/event", b"one", ttl_s=1)
    assert isinstance(outcome, Written)
    await storage.update("/event", b"two", outcome.revision)

    async with asyncio.timeout(60):
        while await storage.get("/event"):
            await asyncio.sleep(0.2)


async def eventually(call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Repeat a call while nobody answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call(*arguments)
            except OutcomeUnknown:
                await asyncio.sleep(0.05)


async def test_a_list_is_read_in_pages_that_are_bounded_by_bytes(
    server: EtcdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one answer may bring (64 MiB): the first page is small, and each later one not far above 4 MiB.

    A page that is too large nevertheless, since the last one said nothing about it, is asked for in parts.
    """
    pages = Recorder(SystemClock(), 200)
    store = EtcdStorage(
        [server.address],
        seam=lambda channel, member: through(
            channel, pages, Ends("apiserver", member, "etcd"), reading=READING
        ),
        attempt_timeout_s=30,  # 70 MB at once, on a disk that others write to
    )
    keys = [f"/large/{number:03}" for number in range(70)]
    await asyncio.gather(*(store.create(key, b"l" * 1_000_000) for key in keys))
    begun = len(pages.latest())

    listed = await store.list("/large/")
    sizes = [page.outcome.size for page in pages.latest()[begun:]]
    monkeypatch.setattr("apiserver.storage.etcd._FIRST_PAGE", 100)
    halved = await store.list("/large/", limit=69)
    await store.aclose()

    assert [item.key for item in listed.items] == keys
    assert sizes[0] < 33_000_000
    assert max(sizes[1:]) < 5_000_000
    assert [item.key for item in halved.items] == keys[:69]
    assert (halved.more, halved.remaining) == (True, 1)
