import asyncio
import re

import pytest

from machinery.client.leader import LeadershipLost
from machinery.model.errors import DeadlineExceeded, Forbidden, Unavailable
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.profile import intervals
from machinery.model.resources import LEASES
from tests.support.election import AT_ONCE_S, calls_of, failing, finish

HOUR_S = 3600.0
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")  # as client-go's metav1.MicroTime is


async def test_one_of_two_candidates_leads_as_long_as_it_lives(election):
    """A renewed lease is never taken over."""
    tasks = [election.candidate("a"), election.candidate("b")]
    await election.clock.advance(200)
    assert len(election.leading) == 1
    assert election.most == 1
    await finish(*tasks)


@pytest.mark.parametrize("skew_s", [-3 * HOUR_S, 3 * HOUR_S])
async def test_what_the_holders_clock_shows_does_not_matter(either, skew_s):
    """A live leader whose clock is hours late keeps its lease; a dead one's whose is early does not keep it for hours."""
    first = either.candidate("a", skew_s=skew_s)
    await either.clock.advance(5)
    second = either.candidate("b")
    await either.clock.advance(60)
    assert either.leading == {"a"}
    renewed_s = await either.renewed_s() - skew_s
    await either.crash("a", first)
    waited_s = await either.waited_s("b", renewed_s)
    assert either.lease_s <= waited_s < either.lease_s + AT_ONCE_S
    await finish(second)


@pytest.mark.parametrize("watching", [True, False])
async def test_a_deleted_lease_is_still_its_holders(either, watching):
    """Deleting it stops nobody: the leader makes it anew, and a standby waits until it has seen it so long."""
    first, second = await either.leader_and_standby()
    if not watching:
        either.apis["b"].before_call = failing(Forbidden("no role"), "watch")
    for _ in range(10):
        await either.clock.advance(0.37 * either.lease_s)
        await either.server.user.delete(LEASES, "lock", namespace="kube-system")
    await either.clock.advance(either.lease_s)
    assert either.leading == {"a"}
    assert either.most == 1
    await finish(first, second)


async def test_a_leader_that_cannot_renew_stops_before_another_begins(either):
    """Cut off, it does nothing after the renew deadline; the other one waits for the whole lease. It ends when it learns of that."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(1)
    travel = either.apis["a"].before_call
    either.apis["a"].before_call = failing(Unavailable("cut off"))
    await either.clock.advance(3 * either.lease_s)
    assert either.leading == {"b"}
    assert either.most == 1
    assert not first.done()
    either.apis["a"].before_call = travel
    with pytest.raises(LeadershipLost):
        await first
    assert either.leading == {"b"}
    await finish(second)


async def test_a_leader_in_doubt_goes_on_when_nobody_has_led_since(either):
    """What it has to write waits meanwhile."""
    task = either.candidate("a")
    await either.clock.advance(1)
    travel, elector = either.apis["a"].before_call, either.electors["a"]
    either.apis["a"].before_call = failing(Unavailable("away"))
    await either.clock.advance(3 * either.lease_s)
    assert not either.leading
    waiting = asyncio.ensure_future(elector.held())
    await either.clock.advance(either.lease_s)
    assert not waiting.done()
    fence = elector.fence()
    either.apis["a"].before_call = travel
    await waiting
    assert (either.leading, elector.fence()) == ({"a"}, fence)
    await finish(task)


async def test_a_leader_in_doubt_does_not_go_on_after_another(either):
    """Also where that one has gone again, so that the lease is to be had: what is known may be old."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(1)
    travel = either.apis["a"].before_call
    either.apis["a"].before_call = failing(Unavailable("cut off"))
    await either.clock.advance(3 * either.lease_s)
    await finish(second)
    assert (await either.lease()).spec.holderIdentity == ""
    either.apis["a"].before_call = travel
    with pytest.raises(LeadershipLost):
        await first


async def test_a_leader_that_was_frozen_knows_that_it_leads_no_more(either):
    """Woken after its lease was taken, it may not act, leaves the lease to its new holder, and ends."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(1)
    either.clocks["a"].freeze()
    await either.clock.advance(3 * either.lease_s)
    assert "b" in either.leading
    assert not either.electors["a"].is_leading
    either.clocks["a"].thaw()
    with pytest.raises(LeadershipLost):
        await first
    assert either.leading == {"b"}
    assert (await either.lease()).spec.holderIdentity == "b"
    await finish(second)


async def test_a_renewal_is_one_request(either):
    """The lease is written over what was written last; nothing is read meanwhile."""
    task = either.candidate("a")
    await either.clock.advance(5)
    before = calls_of(either.apis["a"])
    await either.clock.advance(7 * either.lease_s)
    renewals = calls_of(either.apis["a"]) - before
    assert renewals.keys() == {"update"}
    assert renewals["update"] >= 21
    await finish(task)


async def test_a_lease_that_somebody_has_touched_is_read_again(either):
    """A label that a user adds costs nobody the leadership."""
    task = either.candidate("a")
    for number in range(10):
        await either.clock.advance(0.4 * either.lease_s)
        touched = {"metadata": {"labels": {"touched": str(number)}}}
        await either.server.user.patch(LEASES, "lock", touched, namespace="kube-system")
    await either.clock.advance(either.lease_s)
    assert either.leading == {"a"}
    assert (await either.lease()).metadata.labels == {"touched": "9"}
    await finish(task)


async def test_an_earlier_life_of_the_same_instance_is_not_waited_for(either):
    """It cannot act any more: its lease is taken at once; nobody else's is."""
    first = either.candidate("a-1")
    await either.clock.advance(5)
    await either.crash("a-1", first)
    second, other = either.candidate("a-2", past="a-1"), either.candidate("b")
    await either.clock.advance(AT_ONCE_S)
    assert either.leading == {"a-2"}
    assert (await either.lease()).spec.leaseTransitions == 1
    await finish(second, other)


async def test_renewals_that_are_lost_do_not_cost_the_leadership(either):
    """Nobody knows whether they were written: the lease is read again, and renewed in time."""
    task = either.candidate("a")
    await either.clock.advance(5)
    lost = 0

    async def lose(verb, _plural, _name):
        nonlocal lost
        if verb == "update" and lost < 2:
            lost += 1
            raise DeadlineExceeded("no answer in time")

    either.apis["a"].before_reply = lose
    await either.clock.advance(3 * either.lease_s)
    assert (lost, either.leading) == (2, {"a"})
    await finish(task)


async def test_no_request_of_a_leader_takes_all_the_time_that_is_left(election):
    """A lost answer leaves room for another try, and that for one more."""
    task = election.candidate("a")
    await election.clock.advance(5)
    limits, update = [], election.apis["a"].update

    async def hang(resource, obj, **options):
        limits.append(options["timeout_s"])
        if len(limits) % 3:
            await election.clock.sleep(options["timeout_s"])
            raise DeadlineExceeded("no answer in time")
        return await update(resource, obj, **options)

    election.apis["a"].update = hang
    await election.clock.advance(120)
    assert election.leading == {"a"}
    assert len(limits) > 8
    assert max(limits) <= intervals(election.profile).leader_renew_deadline_s / 2
    await finish(task)


async def test_a_takeover_is_counted(election):
    """LeaseTransitions tells how often the holder changed."""
    first = election.candidate("a")
    await election.clock.advance(5)
    await finish(first)
    second = election.candidate("b")
    await election.clock.advance(30)
    lease = await election.lease()
    assert lease.spec.holderIdentity == "b"
    assert lease.spec.leaseTransitions == 1
    await finish(second)


async def test_a_candidate_of_another_make_takes_part(election):
    """Its renewals count though it writes nothing else; what we write, it can read: whole seconds and MicroTimes."""
    spec = LeaseSpec(
        holderIdentity="kube-scheduler-7f_5c9e",
        leaseDurationSeconds=15,
        acquireTime="2026-01-01T00:00:00.000001Z",
        renewTime="2026-01-01T00:00:00.000001Z",
        leaseTransitions=4,
    )
    meta = ObjectMeta(name="lock", namespace="kube-system")
    await election.server.user.create(LEASES, Lease(metadata=meta, spec=spec))
    ours = election.candidate("a")
    for second in range(1, 40):
        await election.clock.advance(2)
        renewal = {"spec": {"renewTime": f"2026-01-01T00:00:{second:02d}.000001Z"}}
        await election.server.user.patch(LEASES, "lock", renewal, namespace="kube-system")
    assert election.leading == set()
    await election.clock.advance(15 + AT_ONCE_S)
    assert election.leading == {"a"}
    taken = (await election.lease()).spec
    assert (taken.holderIdentity, taken.leaseDurationSeconds, taken.leaseTransitions) == ("a", 15, 5)
    await finish(ours)
    released = (await election.lease()).spec
    assert (released.holderIdentity, released.leaseDurationSeconds, released.leaseTransitions) == ("", 1, 5)
    for written in (taken.acquireTime, taken.renewTime, released.acquireTime, released.renewTime):
        assert MICRO_TIME.fullmatch(written)
