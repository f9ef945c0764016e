"""Which start of a CronJob is due, and how many were missed.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-delay
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.cronjob.schedule import Schedule

MANY: Final = 100
_DELTA_S: Final = 0.1  # after a start is due it is looked at
_NOT_REGULAR: Final = "time difference between two schedules is less than 1 second"


@dataclass(frozen=True, slots=True)
class Starts:
    """What was due since a moment until now."""

    since_s: float
    last_s: float | None = None  # the most recent one, where it is among the last two intervals
    count: int = 0  # reckoned with the first interval, as Kubernetes does


def starts(schedule: Schedule, since_s: float, now_s: float) -> Starts:
    """Return what has been due since a moment.

    Raises:
        ValueError: the schedule has no second time.
    """
    first = _next(schedule, since_s)
    if now_s < first:
        return Starts(since_s)
    second = _next(schedule, first)
    if now_s < second:
        return Starts(since_s, first, 1)
    interval_s = round(second - first)
    if interval_s < 1:
        raise ValueError(_NOT_REGULAR)
    count = int(now_s - first) // interval_s + 1
    # One interval further back than it takes, as not all of them are alike.
    return Starts(since_s, _last(schedule, first + (count - 2) * interval_s, now_s), count)


def wait_s(schedule: Schedule, since_s: float, now_s: float) -> float:
    """Return how long it is until the next start.

    Raises:
        ValueError: the schedule has no next time.
    """
    try:
        found = starts(schedule, since_s, now_s)
    except ValueError:
        from_s = now_s
    else:
        from_s = found.last_s if found.last_s is not None else now_s if found.count else since_s
    return _next(schedule, from_s) + _DELTA_S - now_s


def _last(schedule: Schedule, from_s: float, now_s: float) -> float | None:
    last, at_s = None, schedule.next_after(from_s)
    while at_s is not None and at_s <= now_s:
        last, at_s = at_s, schedule.next_after(at_s)
    return last


def _next(schedule: Schedule, at_s: float) -> float:
    found = schedule.next_after(at_s)
    if found is None:
        raise ValueError(_NOT_REGULAR)
    return found
