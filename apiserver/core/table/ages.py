"""Durations as kubectl writes them: 45s, 3m20s, 5h, 2d3h, 400d."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400


def human_age(now_s: float, timestamp: str) -> str:
    """Give the time since an RFC 3339 timestamp."""
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
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 0)}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(seconds, large)
    tail = f"{rest // small}{small_name}" if rest // small else ""
    return f"{whole}{large_name}{tail}"
