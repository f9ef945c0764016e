"""Schedules in the form of cron: minute, hour, day of the month, month, day of the week; or a word like @daily.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
The sentences of errors are those that users of kubectl know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

_NUMBER: Final = re.compile("[+-]?[0-9]{1,18}", re.ASCII)
_AMOUNT: Final = re.compile(r"(\d+\.?\d*|\.\d+)", re.ASCII)
_UNIT: Final = re.compile(r"[^\d.]+", re.ASCII)
_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_WORDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = "@every "
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)


_BOUNDS: Final = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


class Values(NamedTuple):
    """The values of one field; of the two fields for days, the one that is any counts only with the other."""

    among: frozenset[int]
    is_any: bool


@dataclass(frozen=True, slots=True)
class Times:
    """At these minutes."""

    minutes: Values
    hours: Values
    days: Values
    months: Values
    weekdays: Values  # 0 is Sunday


@dataclass(frozen=True, slots=True)
class Every:
    """After each of these intervals."""

    interval_s: int


Schedule: TypeAlias = Times | Every


def parse(text: str) -> Schedule:
    """Read a schedule; a time zone that stands before it (TZ=…) is for others to judge, and passed over.

    Raises:
        ValueError: it is none.
    """
    if text.startswith(("TZ=", "CRON_TZ=")):
        text = text.partition(" ")[2].strip()
    if text.startswith(_EVERY):
        return Every(_interval_s(text))
    if text.startswith("@"):
        if text not in _WORDS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _WORDS[text]
    fields = text.split()
    if len(fields) != len(_BOUNDS):
        raise ValueError(f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    return Times(*(_values(each, bounds) for each, bounds in zip(fields, _BOUNDS, strict=True)))


def _values(text: str, bounds: _Bounds) -> Values:
    among: set[int] = set()
    is_any = False
    for part in filter(None, text.split(",")):
        found, is_star = _range(part, bounds)
        among.update(found)
        is_any |= is_star
    return Values(frozenset(among), is_any)


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, *steps = text.split("/")
    ends = span.split("-")
    is_star = ends[0] in {"*", "?"}
    low, high = (bounds.low, bounds.high) if is_star else _ends(ends, text, bounds.names)
    step = 1
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    if steps:
        step = _number(steps[0])
        high = bounds.high if len(ends) == 1 else high  # "5/15" begins at 5
    if low < bounds.low:
        raise ValueError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise ValueError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise ValueError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if not step:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step), is_star and step == 1


def _ends(ends: list[str], text: str, names: Mapping[str, int]) -> tuple[int, int]:
    first = _named(ends[0], names)
    if len(ends) > 2:
        raise ValueError(f"too many hyphens: {text}")
    return first, _named(ends[1], names) if len(ends) == 2 else first


def _named(text: str, names: Mapping[str, int]) -> int:
    known = names.get(text.lower())
    return _number(text) if known is None else known


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number


def _interval_s(text: str) -> int:
    """Read "@every 1h30m": whole seconds, at least one."""
    duration = text.removeprefix(_EVERY)
    try:
        seconds = _duration_s(duration)
    except ValueError as error:
        raise ValueError(f"failed to parse duration {text}: {error}") from error
    return max(1, int(seconds))


def _duration_s(text: str) -> float:
    """Read a duration as Go writes them: 300ms, -1.5h, 2h45m."""
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    total = 0.0
    while amount := _AMOUNT.match(rest):
        rest = rest[amount.end() :]
        unit = _UNIT.match(rest)
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit[0] not in _UNITS_S:
            raise ValueError(f'time: unknown unit "{unit[0]}" in duration "{text}"')
        rest = rest[unit.end() :]
        total += float(amount[0]) * _UNITS_S[unit[0]]
        if not rest:
            return -total if text.startswith("-") else total
    raise ValueError(f'time: invalid duration "{text}"')
