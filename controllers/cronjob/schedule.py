"""When a schedule is due: the seconds at whose start the clock of its time zone shows what it asks for.

What the clock never shows, as its hour is left out in spring, does not happen; what it shows twice in autumn happens
twice. That, and the grammar (`machinery.model.cron`), is Kubernetes'; the search for a date is cronsim's, which is
asked in the local time of the zone and with nothing but lists of numbers.

Times are cluster seconds. The cluster's calendar is the one that its clock would show if it had run since 1970; the
Gregorian calendar repeats itself after 400 years, so that a clock that runs fast has dates that the calendar has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from math import floor
from typing import Final

from machinery.model import cron

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_S: Final = 146_097 * 86_400  # 400 years, a whole number of weeks
_YEARS: Final = 5  # that are searched
_MINUTE: Final = timedelta(minutes=1)
_ZONE_PREFIXES: Final = ("TZ=", "CRON_TZ=")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule in its time zone."""

    rule: cron.Schedule
    zone: tzinfo

    def next_after(self, at_s: float) -> float | None:
        """Return the first second after a moment that is due, None where there is none within five years."""
        if isinstance(self.rule, cron.Every):
            return floor(at_s) + self.rule.interval_s
        base_s = at_s - at_s % _CYCLE_S
        found = _next_after(self.rule, _EPOCH + timedelta(seconds=at_s - base_s), self.zone)
        return None if found is None else base_s + (found - _EPOCH).total_seconds()


def read(text: str, zone: tzinfo) -> Schedule:
    """Read a schedule; a time zone that it begins with (TZ=…) comes before `zone`.

    Raises:
        ValueError: it is none.
    """
    own = next((prefix for prefix in _ZONE_PREFIXES if text.startswith(prefix)), "")
    if own:
        name = text.removeprefix(own).partition(" ")[0]
        try:
            zone = zone_of(name)
        except ValueError as error:
            raise ValueError(f"provided bad location {name}: {error}") from error
    return Schedule(cron.parse(text), zone)


@lru_cache(maxsize=32)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; "" is UTC. Its rules are those that are installed with us, on any host.

    Raises:
        ValueError: there is none of this name.
    """
    if name in {"", "UTC"}:
        return UTC
    from importlib.resources import files  # seldom needed, as are the next ones
    from zoneinfo import ZoneInfo

    from machinery.model import time_zones

    if name not in time_zones.NAMES:
        raise ValueError(f"unknown time zone {name}")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def _next_after(times: cron.Times, at: datetime, zone: tzinfo) -> datetime | None:
    local = at.astimezone(zone)
    starts = [local.replace(tzinfo=None, microsecond=0, fold=0)]
    if (back := _turned_back(local, zone)) is not None:
        starts.append(starts[0] - back)  # the clock shows again what it has shown
    found = (_first_due(times, start, at, zone) for start in starts)
    return min((each for each in found if each is not None), default=None)


def _turned_back(local: datetime, zone: tzinfo) -> timedelta | None:
    """Return by how much the clock will be turned back before it has shown this time for the last time."""
    if local.fold:
        return None
    before, after = (zone.utcoffset(local.replace(tzinfo=None, fold=fold)) for fold in (0, 1))
    return before - after if before is not None and after is not None and before > after else None


def _first_due(times: cron.Times, start: datetime, after: datetime, zone: tzinfo) -> datetime | None:
    for local in _local_times(times, start):
        for fold in (0, 1):
            due = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            exists = due.astimezone(zone).replace(tzinfo=None) == local
            if exists and due > after:
                return due
    return None


def _local_times(times: cron.Times, start: datetime) -> Iterator[datetime]:
    """Return the local times after `start` that a schedule names, whether the clock shows them or not."""
    from cronsim import CronSim, CronSimError  # seldom needed

    expression = _expression(times)
    if expression is None:
        return
    try:
        found = CronSim(expression, start)
    except CronSimError:
        return  # a day that none of the months has
    for local in found:
        if local.year > start.year + _YEARS:
            return
        yield local


def _expression(times: cron.Times) -> str | None:
    """Write a schedule with nothing but numbers, None where it names no time at all."""
    if not (times.minutes.among and times.hours.among and times.months.among):
        return None
    days, weekdays = _numbers(times.days), _numbers(times.weekdays)
    if times.days.is_any or times.weekdays.is_any:  # then both have to fit
        if not (days and weekdays):
            return None
    elif not (days or weekdays):
        return None
    first = [_all_or(times.minutes, 60), _all_or(times.hours, 24), days or "*", _all_or(times.months, 12)]
    return " ".join([*first, weekdays or "*"])


def _numbers(values: cron.Values) -> str:
    return "*" if values.is_any else ",".join(map(str, sorted(values.among)))


def _all_or(values: cron.Values, whole: int) -> str:
    return "*" if len(values.among) == whole else ",".join(map(str, sorted(values.among)))
