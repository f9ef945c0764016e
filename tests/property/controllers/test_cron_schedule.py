"""When a schedule is due, against a reference that looks at every minute of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.cronjob import missed
from controllers.cronjob.schedule import Schedule, read, zone_of
from machinery.model import cron
from tests.support.examples import examples

# Clocks that are turned by an hour, by half an hour, at midnight, never.
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Kolkata")
TURNS = (
    datetime(2026, 3, 8, 6, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),
    datetime(2026, 3, 29, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, tzinfo=UTC),
    datetime(2026, 4, 4, 14, tzinfo=UTC),
    datetime(2026, 10, 3, 15, tzinfo=UTC),
)
DAYS = 3


def shows(times: cron.Times, local: datetime) -> bool:
    """Whether a clock shows what a schedule asks for."""
    by_day, by_weekday = local.day in times.days.among, local.isoweekday() % 7 in times.weekdays.among
    either = not (times.days.is_any or times.weekdays.is_any)
    day = (by_day or by_weekday) if either else (by_day and by_weekday)
    return (
        day
        and local.month in times.months.among
        and local.hour in times.hours.among
        and local.minute in times.minutes.among
    )


def slowly(times: cron.Times, after: datetime, zone: tzinfo) -> datetime | None:
    """Look at each minute of some days."""
    at = after.replace(second=0, microsecond=0)
    for _ in range(DAYS * 24 * 60):
        at += timedelta(minutes=1)
        if shows(times, at.astimezone(zone)):
            return at
    return None


def field(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    """Draw one field of a schedule."""
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.integers(1, high)
    one = st.one_of(
        st.sampled_from(["*", "?", "*/1", *names]),
        numbers.map(str),
        ranges,
        st.tuples(st.one_of(st.just("*"), numbers.map(str), ranges), steps).map(
            lambda two: f"{two[0]}/{two[1]}"
        ),
    )
    return st.one_of(st.just("*"), one, st.lists(one, min_size=1, max_size=3).map(",".join))


SCHEDULES = st.tuples(
    field(0, 59), field(0, 23), field(1, 31), field(1, 12, "MAR", "nov"), field(0, 6, "SUN", "fri")
).map(" ".join)


@given(
    text=SCHEDULES,
    name=st.sampled_from(ZONES),
    turn=st.sampled_from(TURNS),
    minutes=st.integers(-30 * 60, 30 * 60),
    seconds=st.sampled_from([0, 1, 59.5]),
)
@examples(150)
def test_a_schedule_is_due_when_the_clock_shows_it(
    text: str, name: str, turn: datetime, minutes: int, seconds: float
) -> None:
    """Not in the hour that is left out in spring, and twice in the one that comes again in autumn."""
    zone = zone_of(name)
    after = turn + timedelta(minutes=minutes, seconds=seconds)
    schedule = read(text, zone)
    assert isinstance(schedule.rule, cron.Times)
    expected = slowly(schedule.rule, after, zone)
    found = schedule.next_after(after.timestamp())
    if expected is None:
        assert found is None or found > (after + timedelta(days=DAYS) - timedelta(minutes=1)).timestamp()
    else:
        assert found == expected.timestamp()


@given(text=SCHEDULES, since=st.integers(0, 3 * 86_400), now=st.integers(0, 2 * 86_400))
@examples(60)
def test_the_most_recent_start_is_found(text: str, since: int, now: int) -> None:
    """As if all of them had been walked through, where no interval is longer than the first one."""
    schedule = read(text, UTC)
    base = TURNS[0].timestamp()
    walked = list(_walk(schedule, base + since, base + since + now))
    try:
        found = missed.starts(schedule, base + since, base + since + now)
    except ValueError:
        return  # it has no second time
    following = schedule.next_after(walked[-1]) if walked else None
    if following is not None and _is_even([*walked, following]):
        assert found.last_s == walked[-1]
    assert (found.count == 0) == (not walked)


def _walk(schedule: Schedule, since_s: float, until_s: float) -> Iterator[float]:
    at_s = schedule.next_after(since_s)
    while at_s is not None and at_s <= until_s:
        yield at_s
        at_s = schedule.next_after(at_s)


def _is_even(times: list[float]) -> bool:
    """Whether no interval is longer than the first: only then is what Kubernetes reckons with it exact."""
    steps = [later - earlier for earlier, later in pairwise(times)]
    return not steps or steps[0] >= max(steps)


@pytest.mark.parametrize(
    ("text", "zone", "after", "due"),
    [
        ("30 2 * * *", "America/New_York", "2026-03-08T05:00:00", "2026-03-09T06:30:00"),
        ("0 3 * * *", "America/New_York", "2026-03-08T06:59:59", "2026-03-08T07:00:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:00:00", "2026-11-01T05:30:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:30:00", "2026-11-01T06:30:00"),
        ("15 1 * * *", "America/New_York", "2026-11-01T05:30:00", "2026-11-01T06:15:00"),
        ("0 2 * * *", "America/New_York", "2026-11-01T05:30:00", "2026-11-01T07:00:00"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:50:00", "2026-04-04T15:15:00"),
        ("0 0 * * *", "America/Havana", "2026-03-07T06:00:00", "2026-03-09T04:00:00"),
    ],
)
def test_clocks_are_turned(text: str, zone: str, after: str, due: str) -> None:
    """What is left out does not happen, what is shown twice happens twice."""
    found = read(text, zone_of(zone)).next_after(datetime.fromisoformat(f"{after}+00:00").timestamp())
    assert found == datetime.fromisoformat(f"{due}+00:00").timestamp()


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("@hourly", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@every 90s", "2026-01-01T00:00:01", "2026-01-01T00:01:31"),
        ("0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 31 2 *", "2026-03-01T00:00:00", None),
        ("0 0 29 2 *", "2097-01-01T00:00:00", None),
        ("0 0 13 * fri", "2026-02-01T00:00:00", "2026-02-06T00:00:00"),
        ("0 0 */2 * mon", "2026-01-06T00:00:00", "2026-01-07T00:00:00"),
        ("0 0 * * mon", "2026-01-06T00:00:00", "2026-01-12T00:00:00"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2026-01-01T00:00:01", "2026-01-02T00:00:00"),
        (", * * * *", "2026-01-01T00:00:00", None),
        ("0 0 , * mon", "2026-01-01T00:00:00", "2026-01-05T00:00:00"),
    ],
)
def test_schedules_as_people_write_them(text: str, after: str, due: str | None) -> None:
    """What is never due within five years is never due."""
    found = read(text, UTC).next_after(datetime.fromisoformat(f"{after}+00:00").timestamp())
    assert found == (None if due is None else datetime.fromisoformat(f"{due}+00:00").timestamp())


def test_a_clock_that_runs_fast_has_dates() -> None:
    """Its calendar begins anew after 400 years, on the same day of the week."""
    schedule = read("0 0 1 1 *", UTC)
    cycle_s = 146_097 * 86_400
    at = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    near = schedule.next_after(at)
    assert near is not None
    assert schedule.next_after(at + 50 * cycle_s) == near + 50 * cycle_s


def test_unknown_zones_are_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match="unknown time zone Mars/Base"):
        zone_of("Mars/Base")
    with pytest.raises(ValueError, match="provided bad location Mars/Base"):
        read("CRON_TZ=Mars/Base 0 0 * * *", UTC)
