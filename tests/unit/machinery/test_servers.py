"""Which server of several is asked, what is sent twice, and what is not."""

from __future__ import annotations

import pytest

from machinery.client.servers import NotSent, Servers
from machinery.model.errors import ApiError, Conflict, DeadlineExceeded, Unavailable
from machinery.process.clock import WALL

NAMES = ("one", "two", "three")


class Behaviour:
    """What each server does when it is asked: answer, or raise."""

    def __init__(self, **errors: ApiError) -> None:
        self.errors = errors
        self.asked: list[str] = []

    async def ask(self, name: str, _timeout_s: float) -> str:
        self.asked.append(name)
        if name in self.errors:
            raise self.errors[name]
        return f"{name} answers"


def starting_at_one(size: int = 3) -> Servers[str]:
    """Find a caller that begins at the first."""
    every = (Servers(NAMES[:size], caller=f"client-{number}", now=lambda: 0.0) for number in range(100))
    return next(servers for servers in every if servers.current == "one")


async def test_callers_do_not_all_begin_at_the_same_server():
    """By a hash of the name, so that each begins at the same one again after its restart."""
    begun = [Servers(NAMES, caller=f"kubelet@node-{number}", now=lambda: 0.0).current for number in range(30)]
    assert all(begun.count(name) >= 5 for name in NAMES)
    assert begun == [
        Servers(NAMES, caller=f"kubelet@node-{number}", now=lambda: 0.0).current for number in range(30)
    ]


async def test_a_server_that_answers_is_kept():
    """Also where its answer is a refusal."""
    servers, behaviour = starting_at_one(), Behaviour(one=Conflict("changed"))
    for _ in range(3):
        with pytest.raises(Conflict):
            await servers.call(behaviour.ask, timeout_s=1, attempts=3)
    assert behaviour.asked == ["one"] * 3


@pytest.mark.parametrize("error", [Unavailable("gone"), DeadlineExceeded("silent")])
async def test_a_read_is_repeated_at_another_server(error: ApiError):
    """And the next one goes there at once."""
    servers, behaviour = starting_at_one(), Behaviour(one=error)
    assert await servers.call(behaviour.ask, timeout_s=1, attempts=3) == "two answers"
    assert await servers.call(behaviour.ask, timeout_s=1, attempts=3) == "two answers"
    assert behaviour.asked == ["one", "two", "two"]


@pytest.mark.parametrize("error", [Unavailable("gone"), DeadlineExceeded("silent")])
async def test_a_write_whose_answer_is_missing_is_not_repeated(error: ApiError):
    """It may have been carried out; only the next one goes elsewhere."""
    servers, behaviour = starting_at_one(), Behaviour(one=error)
    with pytest.raises(type(error)):
        await servers.call(behaviour.ask, timeout_s=1)
    assert behaviour.asked == ["one"]
    assert await servers.call(behaviour.ask, timeout_s=1) == "two answers"


async def test_a_write_that_was_never_sent_goes_to_another_server():
    """Until one takes it, or each was tried."""
    servers, behaviour = starting_at_one(), Behaviour(one=NotSent("no"), two=NotSent("no"))
    assert await servers.call(behaviour.ask, timeout_s=1) == "three answers"
    assert behaviour.asked == ["one", "two", "three"]


async def test_a_write_that_no_server_could_be_sent_ends():
    """With the last one's error, after each was tried once."""
    servers = starting_at_one()
    behaviour = Behaviour(one=NotSent("1"), two=NotSent("2"), three=NotSent("3"))
    with pytest.raises(Unavailable, match="3"):
        await servers.call(behaviour.ask, timeout_s=1)
    assert behaviour.asked == ["one", "two", "three"]


def rest_s(servers: Servers[str], clock: list[float]) -> float:
    """Make "one" fail, and "two" after it; return how long it takes until "one" is asked again, in 10 ms steps."""
    servers.leave("one")
    begun_s = clock[0]
    while servers.choose() != "one":
        clock[0] += 0.01
        servers.leave("two")
        servers.answered("two")
    return clock[0] - begun_s


def test_a_server_that_failed_rests_longer_each_time():
    """100 ms, then 200 ms, at most a second; an answer makes the next rest short again."""
    clock = [0.0]
    every = (Servers(NAMES[:2], caller=f"client-{number}", now=lambda: clock[0]) for number in range(100))
    servers = next(servers for servers in every if servers.current == "one")
    rests = [rest_s(servers, clock) for _ in range(6)]
    assert rests == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0], abs=0.02)
    servers.answered("one")
    assert rest_s(servers, clock) == pytest.approx(0.1, abs=0.02)


def test_where_all_rest_they_take_turns():
    """Somebody has to be asked."""
    servers = Servers(NAMES, caller="client", now=lambda: 0.0)
    asked = []
    for _ in range(6):
        asked.append(servers.choose())
        servers.leave(asked[-1])
    assert set(asked[:3]) == set(asked[3:]) == set(NAMES)


async def test_many_failures_of_one_outage_count_once():
    """A hundred requests that break together are one failure, and lead to one change."""
    changes: list[tuple[str, str]] = []

    def note(left: str, next_: str, _error: ApiError | None) -> None:
        changes.append((left, next_))

    servers = Servers(NAMES, caller="client", on_change=note, now=WALL.monotonic_wall)
    first = servers.choose()
    for _ in range(100):
        servers.leave(first)
    assert changes == [(first, servers.choose())]


async def test_a_single_server_is_asked_again():
    """There is nobody else; what may be sent twice is, since a restart breaks the connection once."""
    behaviour, servers = Behaviour(one=Unavailable("gone")), Servers(["one"], now=WALL.monotonic_wall)
    with pytest.raises(Unavailable):
        await servers.call(behaviour.ask, timeout_s=1, attempts=2)
    assert behaviour.asked == ["one", "one"]
