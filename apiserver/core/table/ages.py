"""Durations as kubectl writes them: 45s, 3m20s, 5h, 2d3h, 400d."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400
_FORMS: Final = (  # below so many seconds: in this unit, and the rest in that one
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human_age(now_s: float, timestamp: str) -> str:
    """Return the time since an RFC 3339 timestamp."""
    try:
        then_s = datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return "<invalid>"
    return human_duration(now_s - then_s)


def human_duration(duration_s: float) -> str:
    """Write a duration with two or three digits that matter."""
    seconds = int(duration_s)
    if seconds < -1:
        return "<invalid>"
    for below, unit, name, small, small_name in _FORMS:
        if seconds < below:
            return _written(max(seconds, 0), unit, name, small, small_name)
    return f"{seconds // _YEAR}y"


def _written(seconds: int, unit: int, name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(seconds, unit)
    tail = f"{rest // small}{small_name}" if small and rest // small else ""
    return f"{whole}{name}{tail}"
