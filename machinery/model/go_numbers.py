"""Numbers and durations as Go's standard library reads them, with its words for what is none.

They stand in queries, where clients know them from Kubernetes' answers.
https://pkg.go.dev/strconv#ParseInt, https://pkg.go.dev/time#ParseDuration
"""

from __future__ import annotations

import re
from typing import Final

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST: Final = 40  # characters of a text that an error quotes, and digits that are read
_DURATION: Final = re.compile(r"([0-9]*\.?[0-9]*)([^0-9.]*)")
_UNITS_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_LARGEST_S: Final = (1 << 63) / 1e9


def parse_int(text: str) -> int:
    """Read a whole number of 64 bits.

    Raises:
        ValueError: it is none.
    """
    return _parsed(text, "ParseInt", -(1 << 63), (1 << 63) - 1)


def parse_uint(text: str) -> int:
    """Read a whole number of 63 bits that is not below 0: revisions have a sign bit, which is never set.

    Raises:
        ValueError: it is none.
    """
    if text[:1] in {"+", "-"}:
        raise _problem("ParseUint", text, "invalid syntax")
    return _parsed(text, "ParseUint", 0, (1 << 63) - 1)


def _parsed(text: str, function: str, least: int, most: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise _problem(function, text, "invalid syntax")
    if len(text) > _LONGEST or not least <= int(text) <= most:
        raise _problem(function, text, "value out of range")
    return int(text)


def _problem(function: str, text: str, problem: str) -> ValueError:
    return ValueError(f"strconv.{function}: parsing {_quoted(text)}: {problem}")


def _quoted(text: str) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_duration(text: str) -> float:
    """Read a duration (300ms, -1.5h, 2h45m) as seconds.

    Raises:
        ValueError: it is none.
    """
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    total_s = 0.0
    if not rest:
        raise _invalid(text)
    for number, unit in _parts(text, rest):
        if unit not in _UNITS_S:
            problem = f"unknown unit {_quoted(unit)}" if unit else "missing unit"
            raise ValueError(f"time: {problem} in duration {_quoted(text)}")
        total_s += float(number) * _UNITS_S[unit]
    if total_s >= _LARGEST_S:
        raise _invalid(text)
    return -total_s if text.startswith("-") else total_s


def _parts(text: str, rest: str) -> list[tuple[str, str]]:
    parts = [(found[1], found[2]) for found in _DURATION.finditer(rest) if found[0]]
    if any(number in {"", "."} for number, _ in parts):
        raise _invalid(text)
    return parts


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {_quoted(text)}")


def format_duration(duration_s: float) -> str:
    """Write a duration in milliseconds' precision as Go does: 0s, 15ms, 1.5s, 1m30s, 1h0m5s; it is not below 0."""
    milliseconds = round(duration_s * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    whole, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(whole, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if whole else "") + seconds
