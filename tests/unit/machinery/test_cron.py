"""Schedules in the form of cron."""

from __future__ import annotations

import re

import pytest

from machinery.model import time_zones
from machinery.model.cron import Every, Times, parse


def times(text: str) -> Times:
    found = parse(text)
    assert isinstance(found, Times)
    return found


def test_a_field_lists_values_ranges_and_steps() -> None:
    """Names are those of months and days; a question mark is a star."""
    found = times("*/20,5 1-3 ? jan-MAR,12 sun,mon-tue")
    assert found.minutes.among == {0, 5, 20, 40}
    assert found.hours.among == {1, 2, 3}
    assert found.days.among == set(range(1, 32))
    assert found.months.among == {1, 2, 3, 12}
    assert found.weekdays.among == {0, 1, 2}


def test_a_start_with_a_step_goes_on_to_the_end() -> None:
    """And a range with a step to its own."""
    found = times("50/5 8-18/4 * * *")
    assert (found.minutes.among, found.hours.among) == ({50, 55}, {8, 12, 16})


def test_a_field_is_any_that_says_nothing() -> None:
    """A step is something that it says."""
    found = times("0 0 * */2 */1")
    assert (found.days.is_any, found.months.is_any, found.weekdays.is_any) == (True, False, True)


@pytest.mark.parametrize(
    ("word", "same"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("TZ=Europe/Berlin 0 * * * *", "0 * * * *"),
        ("CRON_TZ=UTC @hourly", "0 * * * *"),
    ],
)
def test_a_word_is_a_schedule(word: str, same: str) -> None:
    """A time zone before it is for others to judge."""
    assert parse(word) == parse(same)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5400),
        ("90s", 90),
        ("1.5h", 5400),
        ("300ms", 1),
        ("0", 1),
        ("-1h", 1),
        ("+2m", 120),
        ("1m500ms", 60),
    ],
)
def test_an_interval_is_whole_seconds(text: str, seconds: int) -> None:
    """One at least."""
    assert parse(f"@every {text}") == Every(seconds)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected exactly 5 fields, found 0: []"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * 13 *", "end of range (13) above maximum (12): 13"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("1- * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        ("1_0 * * * *", 'failed to parse int from 1_0: strconv.Atoi: parsing "1_0": invalid syntax'),
        ("@reboot", "unrecognized descriptor: @reboot"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every 5d", 'failed to parse duration @every 5d: time: unknown unit "d" in duration "5d"'),
        ("@every ", 'failed to parse duration @every : time: invalid duration ""'),
    ],
)  # fmt: skip
def test_what_is_no_schedule_says_why(text: str, problem: str) -> None:
    """In the words that users of kubectl know."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse(text)


def test_time_zones_are_known_by_their_names() -> None:
    """Links to others among them, and as they are written."""
    assert {
        "Europe/Berlin",
        "UTC",
        "America/Argentina/Ushuaia",
        "US/Pacific",
        "Etc/GMT+5",
    } <= time_zones.NAMES
    assert not {"europe/berlin", "Mars/Olympus", "Local", "localtime"} & time_zones.NAMES
