"""Seats under any order of arrivals, ends and second thoughts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.flow.levels import LEVELS, shares_of
from apiserver.core.flow.schemas import Flow
from apiserver.core.flow.seats import Arrival, Seats
from tests.support.examples import examples

_FLOWS = st.builds(
    Flow, st.just(""), st.sampled_from([level.name for level in LEVELS]), st.sampled_from("abc")
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), _FLOWS),
        st.tuples(st.just("leave"), st.integers(0, 99)),
        st.tuples(st.just("give up"), st.integers(0, 99)),
    ),
    max_size=200,
)


@examples(200)
@given(total=st.integers(1, 30), steps=_STEPS)
def test_no_seat_is_lost_and_none_is_free_while_its_own_level_waits(
    total: int, steps: list[tuple[str, int | Flow]]
) -> None:
    """Each request is in one place; a level below its own seats never waits; all end when all leave."""
    seats, shares = Seats[int](total), shares_of(total)
    served: dict[int, str] = {}
    waiting: dict[int, str] = {}
    for number, (step, what) in enumerate(steps):
        if isinstance(what, Flow):
            arrival = seats.arrive(number, what)
            if arrival is not Arrival.REFUSED:
                (served if arrival is Arrival.SEATED else waiting)[number] = what.level
        elif step == "leave" and served:
            leaving = list(served)[what % len(served)]
            del served[leaving]
            for seated in seats.leave(leaving):
                served[seated] = waiting.pop(seated)
        elif step == "give up" and waiting:
            gone = list(waiting)[what % len(waiting)]
            del waiting[gone]
            seats.give_up(gone)
        assert {name: list(served.values()).count(name) for name in shares} == seats.served()
        assert {name: list(waiting.values()).count(name) for name in shares} == seats.waiting()
        assert len(served) <= sum(share.nominal for share in shares.values())
        for name in set(waiting.values()):
            assert seats.served()[name] >= shares[name].own
    while served:
        leaving = next(iter(served))
        del served[leaving]
        for seated in seats.leave(leaving):
            served[seated] = waiting.pop(seated)
    assert not waiting
