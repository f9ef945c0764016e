import asyncio

import pytest

from machinery.client.leader import LeaderElector, LeadershipLost
from machinery.model.errors import Unavailable
from machinery.model.resources import LEASES
from tests.support.memory_api import MemoryServer
from tests.support.virtual_clock import VirtualClock


class Election:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.server = MemoryServer()
        self.leading: set[str] = set()
        self.most = 0
        self.apis = {}

    def candidate(self, name: str) -> asyncio.Task[None]:
        self.apis[name] = self.server.api(name)
        elector = LeaderElector(
            self.apis[name],
            namespace="kube-system",
            name="lock",
            identity=name,
            clock=self.clock,
            jitter=lambda: 0.0,
        )
        return asyncio.ensure_future(elector.run(lambda: self.lead(name)))

    async def lead(self, name: str) -> None:
        self.leading.add(name)
        self.most = max(self.most, len(self.leading))
        try:
            await asyncio.Event().wait()
        finally:
            self.leading.discard(name)


@pytest.fixture
def election() -> Election:
    return Election()


async def finish(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_of_two_candidates_leads_as_long_as_it_lives(election):
    """A renewed lease is never taken over."""
    tasks = [election.candidate("a"), election.candidate("b")]
    await election.clock.advance(600)
    assert len(election.leading) == 1
    assert election.most == 1
    await finish(*tasks)


async def test_a_clean_exit_hands_the_lease_over_at_the_next_try(election):
    """Released, it is not waited out."""
    first = election.candidate("a")
    await election.clock.advance(5)
    second = election.candidate("b")
    await election.clock.advance(5)
    await finish(first)
    await election.clock.advance(5)
    assert election.leading == {"b"}
    await finish(second)


async def test_a_leader_that_cannot_renew_stops_before_another_begins(election):
    """Cut off, it gives up after the renew deadline; the other one waits for the whole lease."""
    first = election.candidate("a")
    await election.clock.advance(5)
    second = election.candidate("b")

    async def cut(*_what: str) -> None:
        raise Unavailable("cut off")

    election.apis["a"].before_call = cut
    await election.clock.advance(40)
    assert election.leading == {"b"}
    assert election.most == 1
    with pytest.raises(LeadershipLost):
        await first
    await finish(second)


async def test_a_takeover_is_counted(election):
    """LeaseTransitions tells how often the holder changed."""
    first = election.candidate("a")
    await election.clock.advance(5)
    await finish(first)
    second = election.candidate("b")
    await election.clock.advance(30)
    lease = await election.server.api().get(LEASES, "lock", namespace="kube-system")
    assert lease.spec.holderIdentity == "b"
    assert lease.spec.leaseTransitions == 1
    await finish(second)
