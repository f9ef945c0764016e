"""The engine's timestamps (RFC 3339 with up to nine decimals, UTC) as nanoseconds, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_NS: Final = 1_000_000_000


def parse_ns(text: str) -> int:
    """Return nanoseconds since the epoch; 0 for "" and for the engine's "never" (year 1).

    Raises:
        ValueError: the text is no timestamp.
    """
    if not text or text.startswith("0001-"):
        return 0
    whole, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if dot else ""
    zone = rest[len(digits) :] if dot else ""
    moment = datetime.fromisoformat(whole + zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS + int(digits.ljust(9, "0")[:9] or 0)


def format_since(ns: int) -> str:
    """Write nanoseconds as the engine's `since` parameter: seconds and nine decimals."""
    return f"{ns // _NS}.{ns % _NS:09d}"
