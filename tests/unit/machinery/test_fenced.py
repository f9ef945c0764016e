"""A deposed leader's write is refused by the store: fences, from the elector to the store in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from machinery.client.fenced import fenced
from machinery.model.errors import BadRequest, Deposed
from machinery.model.k8s.core_v1 import ConfigMap, Event, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Fence, Selection
from machinery.model.resources import CONFIG_MAPS, EVENTS, LEASES
from machinery.wire import fence_header
from tests.support.builders import changed
from tests.support.election import Election, finish

MAP = ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"by": "a"})
WRITES = {
    "create": lambda api: api.create(CONFIG_MAPS, changed(MAP, metadata__name="b")),
    "update": lambda api: api.update(CONFIG_MAPS, changed(MAP, data={"by": "b"})),
    "patch": lambda api: api.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, namespace="default"),
    "delete": lambda api: api.delete(CONFIG_MAPS, "a", namespace="default"),
    "deletecollection": lambda api: api.delete_collection(CONFIG_MAPS, Selection("default")),
}


async def maps(election: Election) -> list[ConfigMap]:
    """Every ConfigMap of the namespace, except the cluster's own."""
    found = (await election.server.user.list(CONFIG_MAPS, Selection("default"))).items
    return [each for each in found if each.data]


async def deposed(election: Election) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
    """Make "a" lead and freeze, and "b" acquire its lease."""
    first, second = await election.leader_and_standby()
    await election.clock.advance(1)
    election.clocks["a"].freeze()
    await election.clock.advance(3 * election.lease_s)
    assert "b" in election.leading
    return first, second


@pytest.mark.parametrize("verb", WRITES)
async def test_a_leader_that_was_deposed_writes_nothing(election: Election, verb: str):
    """Whatever it writes, it is told that it does not lead; the new leader writes the same."""
    await election.server.user.create(CONFIG_MAPS, MAP)
    tasks = await deposed(election)
    before = await maps(election)
    with pytest.raises(Deposed, match='lease "kube-system/lock" is not held any more by a'):
        await WRITES[verb](fenced(election.apis["a"], election.electors["a"].fence))
    assert await maps(election) == before
    await WRITES[verb](fenced(election.apis["b"], election.electors["b"].fence))
    assert await maps(election) != before
    await finish(*tasks)


async def test_a_write_that_was_under_way_when_its_leader_was_deposed_does_no_harm(election: Election):
    """It was sent while its writer led, and arrives when another one does."""
    arrive = asyncio.Event()

    async def travel(verb: str, *_what: str) -> None:
        if verb == "create":
            await arrive.wait()

    first = election.candidate("a")
    await election.clock.advance(5)
    election.apis["a"].before_call = travel
    writing = asyncio.ensure_future(
        fenced(election.apis["a"], election.electors["a"].fence).create(CONFIG_MAPS, MAP, timeout_s=3600)
    )
    second = election.candidate("b")
    election.clocks["a"].freeze()
    await election.clock.advance(3 * election.lease_s)
    assert "b" in election.leading
    arrive.set()
    with pytest.raises(Deposed):
        await writing
    assert await maps(election) == []
    await finish(first, second)


async def test_a_renewal_does_not_refuse_its_own_leaders_writes(election: Election):
    """Neither one that the watch cache knows nor one that comes between the look at the lease and the write."""
    task = election.candidate("a")
    await election.clock.advance(5)
    fence = election.electors["a"].fence()
    api = fenced(election.apis["a"], lambda: fence)
    await election.clock.advance(600)
    await api.create(CONFIG_MAPS, MAP)
    store = election.server.storage
    key = "/registry/leases/kube-system/lock"
    update = store.update
    renewals = iter(range(3))

    async def renewed_first(*what: object, **options: object) -> object:
        if (lease := await store.get(key)) and next(renewals, None) is not None:
            await update(key, lease.value, lease.revision)
        return await update(*what, **options)

    store.update = renewed_first
    await api.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, namespace="default")
    store.update = update
    assert next(renewals, None) is None
    assert [each.data for each in await maps(election)] == [{"by": "a", "x": "y"}]
    await finish(task)


async def test_a_lease_that_was_released_or_made_anew_is_held_no_more(election: Election):
    """The holding ends with its release; a new lease of the name is another one, even if it names the same holder."""
    task = election.candidate("a")
    await election.clock.advance(5)
    fence = election.electors["a"].fence()
    await finish(task)
    for wrong in (fence, replace(fence, holder=""), replace(fence, name="never")):
        with pytest.raises(Deposed):
            await fenced(election.server.user, lambda wrong=wrong: wrong).create(CONFIG_MAPS, MAP)
    lease = await election.lease()
    await election.server.user.delete(LEASES, "lock", namespace="kube-system")
    spec = {"holderIdentity": "a", "leaseTransitions": fence.transitions}
    anew = type(lease)(metadata=ObjectMeta(name="lock", namespace="kube-system"))
    await election.server.user.create(LEASES, anew)
    await election.server.user.patch(LEASES, "lock", {"spec": spec}, namespace="kube-system")
    with pytest.raises(Deposed):
        await fenced(election.server.user, lambda: fence).create(CONFIG_MAPS, MAP)
    assert await maps(election) == []


async def test_who_never_led_has_no_fence(election: Election):
    """A standby's write does not even leave."""
    first, second = await election.leader_and_standby()
    await election.clock.advance(1)
    election.apis["b"].calls.clear()
    with pytest.raises(Deposed):
        await fenced(election.apis["b"], election.electors["b"].fence).create(CONFIG_MAPS, MAP)
    assert ("create", "configmaps", "a") not in election.apis["b"].calls
    await finish(first, second)


async def test_events_and_reads_need_no_fence(election: Election):
    """What a deposed leader saw it may still say, and look at."""
    tasks = await deposed(election)
    api = fenced(election.apis["a"], election.electors["a"].fence)
    about = ObjectReference(kind="Pod", namespace="default", name="p")
    meta = ObjectMeta(name="p.1", namespace="default")
    await api.create(EVENTS, Event(metadata=meta, involvedObject=about, reason="Seen", type="Normal"))
    assert (await api.get(EVENTS, "p.1", namespace="default")).reason == "Seen"
    await finish(*tasks)


@pytest.mark.parametrize(
    "fence",
    [
        Fence("kube-system", "kube-scheduler", "0b6e-4c", "host_5f1c", 3),
        Fence("a", "b", "c", "a holder/with@every+sign, even ö%", 2**31 - 1),
    ],
)
def test_a_fence_comes_back_from_its_header(fence: Fence):
    """Whatever its holder is called."""
    text = fence_header.write(fence)
    assert text.isascii()
    assert fence_header.read(text) == fence
    assert fence_header.of_metadata([("x", "y"), (fence_header.FENCE_KEY, text)]) == fence
    assert fence_header.of_metadata([("x", "y")]) is None
    assert fence_header.of_metadata(None) is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "a/b", "a/b@1+u", "a/b@-1+u+h", "a/b@1+u+h+i", "a@1+u+h", "a/b@9999999999999+u+h", "a/b@²+u+h"],
)
def test_a_header_that_is_no_fence_is_refused(text: str):
    """A write must not lose its fence on the way."""
    with pytest.raises(BadRequest, match="kubarium-fence"):
        fence_header.read(text)
