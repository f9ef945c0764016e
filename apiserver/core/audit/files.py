"""Which files an audit log consists of: the one that is written, and older ones beside it, named by when they were left.

audit.log   audit-2026-01-01T00-00-00.000.log   audit-2026-01-02T00-00-00.000.log.gz
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

_FORMAT: Final = "%Y-%m-%dT%H-%M-%S"
_STAMP: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2})\.([0-9]{3})")


def left_name(name: str, now_s: float) -> str:
    """Return what a file is called that is left now, in seconds since 1970."""
    stem, suffix = _parts(name)
    moment = datetime.fromtimestamp(now_s, UTC)
    return f"{stem}-{moment.strftime(_FORMAT)}.{moment.microsecond // 1000:03d}{suffix}"


def expired(names: Iterable[str], name: str, now_s: float, *, most: int, age_days: int) -> list[str]:
    """Return which of the files of a folder are old ones of a log that go: those over `most`, and those that are too old.

    0 means any number, and any age.
    """
    left = sorted((found for each in names if (found := _left(each, name))), reverse=True)
    oldest = datetime.fromtimestamp(now_s, UTC) - timedelta(days=age_days)
    return [
        each
        for number, (at, each) in enumerate(left)
        if (most and number >= most) or (age_days and at < oldest)
    ]


def _left(each: str, name: str) -> tuple[datetime, str] | None:
    stem, suffix = _parts(name)
    bare = each.removesuffix(".gz")
    if not (bare.startswith(f"{stem}-") and bare.endswith(suffix)):
        return None
    stamp = _STAMP.fullmatch(bare[len(stem) + 1 : len(bare) - len(suffix)])
    if stamp is None:
        return None
    try:
        moment = datetime.strptime(stamp[1], _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment + timedelta(milliseconds=int(stamp[2])), each


def _parts(name: str) -> tuple[str, str]:
    """Return a file's name without its last suffix, and that."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix}") if dot and stem else (name, "")
