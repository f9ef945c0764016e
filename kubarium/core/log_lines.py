"""Lines of logs, in the order in which they were written: those of several components become one story.

Components write `time=2026-05-01T12:00:00.123Z …`, etcd writes JSON with "ts". A line without a time (a traceback) belongs
to the one before.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

_STAMP = re.compile(r'(?:^time=|"ts":")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(Z|[+-]\d\d:?\d\d)')
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


class LogLine(NamedTuple):
    """A line, with its end, and who wrote it when."""

    at_s: float  # since the epoch; 0 before the first line that says
    component: str
    text: str


def read_lines(component: str, lines: Iterable[str]) -> list[LogLine]:
    """Read a component's log."""
    found, at_s = [], 0.0
    for text in lines:
        stamp = _STAMP.search(text)
        if stamp:
            at_s = datetime.fromisoformat("".join(stamp.groups())).timestamp()
        found.append(LogLine(at_s, component, text if text.endswith("\n") else f"{text}\n"))
    return found


def select_lines(lines: list[LogLine], *, tail: int | None, since_s: float | None) -> list[LogLine]:
    """Return the last `tail` lines of those that were written at `since_s` or later; None: all."""
    recent = lines if since_s is None else [line for line in lines if line.at_s >= since_s]
    return recent if tail is None else recent[len(recent) - tail if tail < len(recent) else 0 :]


def merged(logs: Iterable[list[LogLine]]) -> Iterator[LogLine]:
    """Put the lines of several components into one order; each one's own order stays."""
    return heapq.merge(*logs, key=lambda line: line.at_s)


def written(line: LogLine, widths: Mapping[str, int]) -> str:
    """Write a line with its component in front, where there are several."""
    if len(widths) < 2:
        return line.text
    return f"{line.component:<{max(widths.values())}} | {line.text}"


def read_duration_s(text: str) -> float:
    """Read a duration as kubectl writes it: 90s, 5m, 1h30m.

    Raises:
        ValueError: it is none.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"{text!r} is no duration; write it as 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
