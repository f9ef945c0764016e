import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.model.errors import Forbidden, Unavailable
from machinery.model.profile import intervals
from tests.support.election import AT_ONCE_S, calls_of, failing, finish


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.9])
async def test_a_dead_leaders_lease_is_taken_when_its_duration_is_over(either, phase):
    """Neither before nor later, wherever between two renewals the leader dies."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(10 + phase * intervals(either.profile).leader_retry_s)
    renewed_s = await either.renewed_s()
    await either.crash("a", first)
    waited_s = await either.waited_s("b", renewed_s)
    assert either.lease_s <= waited_s < either.lease_s + AT_ONCE_S
    await finish(second)


async def test_a_clean_exit_hands_the_lease_over_at_once(either):
    """Released, it is neither waited out nor waited for."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(5)
    await finish(first)
    await either.clock.advance(AT_ONCE_S)
    assert either.leading == {"b"}
    await finish(second)


async def test_a_standby_asks_for_nothing_while_it_is_told_of_every_renewal(either):
    """One watch takes the place of all polls."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(120)
    assert calls_of(either.apis["b"]) == {"get": 1, "watch": 1}
    await finish(first, second)


async def test_a_broken_watch_is_followed_by_another(either):
    """Within one poll; nobody takes the leader for dead meanwhile, and a release is seen at once again."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(5)
    either.server.break_watches()
    await either.clock.advance(10 * either.longest_poll_s)
    assert either.leading == {"a"}
    await finish(first)
    await either.clock.advance(AT_ONCE_S)
    assert either.leading == {"b"}
    await finish(second)


async def test_history_that_is_gone_is_no_harm(either):
    """A watch that ends with Expired goes on from the lease as it is now."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(5)
    await either.server.forget_history()
    await either.clock.advance(10 * either.longest_poll_s)
    await finish(first)
    await either.clock.advance(AT_ONCE_S)
    assert either.leading == {"b"}
    await finish(second)


@pytest.mark.parametrize("error", [Unavailable("cut off"), Forbidden("no role")])
async def test_a_candidate_that_may_not_watch_polls(either, error):
    """It knows the last renewal a poll late, and waits the lease out, but not for one more poll."""
    first, second = await either.leader_and_standby()
    either.apis["b"].before_call = failing(error, "watch")
    await either.clock.advance(30)
    renewed_s = await either.renewed_s()
    await either.crash("a", first)
    waited_s = await either.waited_s("b", renewed_s)
    assert either.lease_s <= waited_s < either.lease_s + either.longest_poll_s + AT_ONCE_S
    await finish(second)


async def test_a_release_is_noticed_by_polling(either):
    """Within the longest poll, where there is no watch."""
    first, second = await either.leader_and_standby()
    either.apis["b"].before_call = failing(Forbidden("no role"), "watch")
    await either.clock.advance(30)
    await finish(first)
    await either.clock.advance(either.longest_poll_s + AT_ONCE_S)
    assert either.leading == {"b"}
    await finish(second)


@pytest.mark.deep
async def test_a_refused_watch_is_seldom_asked_for(election):
    """Polling costs what it always did, and hardly more."""
    first, second = await election.leader_and_standby()
    election.apis["b"].before_call = failing(Forbidden("no role"), "watch")
    await election.clock.advance(640)
    calls = calls_of(election.apis["b"])
    assert 300 < calls["get"] < 330
    assert calls["watch"] < 0.06 * calls["get"]
    await finish(first, second)


async def test_a_watch_that_has_fallen_silent_is_not_relied_on(either):
    """Renewals that it does not tell are found by looking; the dead leader's lease is still taken over in time."""
    first, second = await either.leader_and_standby()
    api = either.apis["b"]
    watch = api.watch

    async def silent(*what: Any, **options: Any) -> AsyncIterator[Any]:
        async for _ in watch(*what, **options):
            yield []
            await asyncio.Event().wait()

    api.watch = silent  # type: ignore[method-assign]  # a watch that never speaks
    await either.clock.advance(6 * either.lease_s)
    renewed_s = await either.renewed_s()
    await either.crash("a", first)
    waited_s = await either.waited_s("b", renewed_s)
    assert either.lease_s <= waited_s <= either.lease_s * 4 / 3 + AT_ONCE_S
    await finish(second)


async def test_of_several_standbys_one_takes_over_and_the_others_follow_it(either):
    """They come at the same moment; each of them tries once, and then waits for the next chance, which it takes."""
    first = either.candidate("a")
    await either.clock.advance(5)
    others = {name: either.candidate(name) for name in ("b", "c", "d")}
    await either.clock.advance(10)
    await either.crash("a", first)
    await either.clock.advance(5 * either.lease_s)
    [winner] = either.leading
    losers = others.keys() - {winner}
    assert [calls_of(either.apis[name])["update"] for name in losers] == [1, 1]
    renewed_s = await either.renewed_s()
    await either.crash(winner, others[winner])
    await either.clock.advance(3 * either.lease_s)
    [heir] = either.leading
    assert heir in losers
    assert either.began_s[heir] - renewed_s < either.lease_s + AT_ONCE_S
    assert either.most == 1
    await finish(*others.values())


async def test_a_free_lease_that_cannot_be_written_is_not_hammered(election):
    """A candidate whose writes fail tries once a retry period."""
    first, second = await election.leader_and_standby()
    await election.clock.advance(5)
    election.apis["b"].before_call = failing(Unavailable("not now"), "update")
    await finish(first)
    await election.clock.advance(100)
    assert 40 < calls_of(election.apis["b"])["update"] <= 52
    await finish(second)


async def test_a_write_whose_answer_was_lost_counts(either):
    """The watch tells the candidate that it holds the lease; it need not wait for it to expire, or for a poll."""
    first, second = await either.leader_and_standby()
    await either.clock.advance(5)
    lost = iter([Unavailable("lost")])

    async def lose(*_what: str) -> None:
        for error in lost:
            raise error

    either.apis["b"].before_reply = lose
    await finish(first)
    await either.clock.advance(AT_ONCE_S)
    assert either.leading == {"b"}
    assert calls_of(either.apis["b"])["update"] == 2
    await finish(second)
