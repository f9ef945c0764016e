"""Seats: who is served, who waits, in which order, and who is refused."""

from __future__ import annotations

from apiserver.core.flow.levels import Level
from apiserver.core.flow.schemas import Flow
from apiserver.core.flow.seats import Arrival, Seats

HIGH, LOW = Level("high", 1, 0), Level("low", 3, 67, queue_length=3, queued=5)
SEATED, WAITS, REFUSED = Arrival.SEATED, Arrival.WAITS, Arrival.REFUSED


def low(user: str = "a") -> Flow:
    """Return a flow of the lower level."""
    return Flow("", "low", user)


def high(user: str = "a") -> Flow:
    """Return a flow of the higher level, which lends nothing."""
    return Flow("", "high", user)


def seats() -> Seats[str]:
    """Four seats: one of the higher level, one of the lower, and two that the lower lends."""
    return Seats(4, (HIGH, LOW))


def test_a_flood_leaves_the_seats_of_others_alone() -> None:
    """However many wait, who is of another level is seated at once."""
    some = seats()
    assert [some.arrive(str(n), low()) for n in range(7)] == [SEATED] * 3 + [WAITS] * 3 + [REFUSED]
    assert some.arrive("mine", high()) is SEATED
    assert some.arrive("second", high()) is WAITS


def test_what_is_exempt_takes_no_seat() -> None:
    """It never waits, and leaves nothing."""
    some = seats()
    flow = Flow("exempt", "exempt", "")
    assert [some.arrive(str(n), flow) for n in range(50)] == [SEATED] * 50
    assert some.served() == {"high": 0, "low": 0}
    assert some.leave("7") == []


def test_seats_are_borrowed_while_they_are_free() -> None:
    """And the lender's next request comes before the borrower's."""
    some = seats()
    assert [some.arrive(f"h{n}", high()) for n in range(4)] == [SEATED] * 3 + [WAITS]
    assert some.arrive("l0", low()) is SEATED
    assert some.arrive("l1", low()) is WAITS
    assert some.leave("h0") == ["l1"]
    assert some.leave("h1") == ["h3"]


def test_flows_take_turns() -> None:
    """One request of each, however many one of them has waiting."""
    some = seats()
    for n in range(3):
        some.arrive(f"busy{n}", low())
    for n in range(3):
        some.arrive(f"a{n}", low("a"))
    for n in range(2):
        some.arrive(f"b{n}", low("b"))
    order = [seated for n in range(3) for seated in some.leave(f"busy{n}")]
    order += [seated for each in list(order) for seated in some.leave(each)]
    assert order == ["a0", "b0", "a1", "b1", "a2"]


def test_a_flow_that_comes_late_does_not_wait_for_the_whole_queue() -> None:
    """It begins where the others are."""
    some = seats()
    for n in range(3):
        some.arrive(f"busy{n}", low())
    for n in range(3):
        some.arrive(f"a{n}", low("a"))
    assert some.leave("busy0") == ["a0"]
    assert some.leave("busy1") == ["a1"]
    some.arrive("late", low("late"))
    assert some.leave("a0") == ["late"] or some.leave("a1") == ["late"]


def test_queues_are_bounded() -> None:
    """Of each flow, and of all flows of a level."""
    some = seats()
    for n in range(3):
        some.arrive(f"busy{n}", low())
    assert [some.arrive(f"a{n}", low("a")) for n in range(4)] == [WAITS] * 3 + [REFUSED]
    assert [some.arrive(f"b{n}", low("b")) for n in range(3)] == [WAITS] * 2 + [REFUSED]


def test_who_gives_up_is_forgotten() -> None:
    """Its place is another's, and no seat is lost to it."""
    some = seats()
    for n in range(3):
        some.arrive(f"busy{n}", low())
    for n in range(3):
        some.arrive(f"a{n}", low("a"))
    some.give_up("a0")
    some.give_up("nobody")
    assert some.arrive("a3", low("a")) is WAITS
    assert [some.leave(f"busy{n}") for n in range(3)] == [["a1"], ["a2"], ["a3"]]
    assert some.waiting() == {"high": 0, "low": 0}


def test_a_queue_that_many_leave_keeps_nothing_of_them() -> None:
    """As long as somebody waits, too."""
    some = seats()
    for n in range(4):
        some.arrive(f"stays{n}", low())
    for n in range(10_000):
        some.arrive(f"goes{n}", low("b"))
        some.give_up(f"goes{n}")
    assert some.waiting() == {"high": 0, "low": 1}
    assert some.kept < 100


def test_seats_are_divided_anew_while_requests_are_served() -> None:
    """Who is served or waits stays; more seats are given out at once, and a level that is gone ends with its last request."""
    some = seats()
    assert [some.arrive(f"l{n}", low()) for n in range(6)] == [SEATED] * 3 + [WAITS] * 3
    assert some.reconfigure(8, (HIGH, LOW)) == ["l3", "l4", "l5"]
    assert some.arrive("h0", high()) is SEATED
    assert some.reconfigure(4, (LOW,)) == []
    assert some.served() == {"low": 6, "high": 1}
    assert some.leave("h0") == []
    assert some.reconfigure(4, (LOW,)) == []
    assert some.served() == {"low": 6}
    assert some.arrive("late", low()) is WAITS
    assert [seated for n in range(6) for seated in some.leave(f"l{n}")] == ["late"]


def test_what_a_level_borrows_is_bounded_where_it_says_so() -> None:
    """By a part of its own share."""
    bounded = Level("high", 1, 0, borrowing_percent=100)
    some: Seats[str] = Seats(4, (bounded, LOW))
    assert [some.arrive(f"h{n}", high()) for n in range(3)] == [SEATED, SEATED, WAITS]
    assert some.leave("h0") == ["h2"]
