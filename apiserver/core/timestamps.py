"""metav1.Time and metav1.MicroTime: RFC 3339 in, UTC with whole seconds or six decimals out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_REMEMBERED: Final = 256  # texts that are times, 35 letters at most: an object has the same one several times


@lru_cache(maxsize=_REMEMBERED)
def time(text: str) -> str:
    """Return the canonical metav1.Time.

    Raises:
        ValueError: the text is no RFC 3339 timestamp.
    """
    return _moment(text).isoformat(timespec="seconds") + "Z"


def micro_time(text: str) -> str:
    """Return the canonical metav1.MicroTime.

    Raises:
        ValueError: the text is no RFC 3339 timestamp.
    """
    return _moment(text).isoformat(timespec="microseconds") + "Z"


def _moment(text: str) -> datetime:
    problem = f'parsing time "{text[:60]}" as "2006-01-02T15:04:05Z07:00": it is no RFC 3339 timestamp'
    if not _FORM.fullmatch(text):
        raise ValueError(problem)
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{problem} ({error})") from error
