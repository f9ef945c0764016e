"""Regular expressions of users, matched in time that is linear in the text (RE2, whose syntax is Go's).

Python's own engine backtracks: `(a+)+$` stalls it for hours. RE2 cannot be stalled; its automata are bounded too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

_MEMORY_BYTES = 8 << 20  # of one pattern's automaton; what needs more is refused, and no time is lost on it
_REMEMBERED = 1024


class Match(Protocol):
    """A place where a pattern matches."""

    def group(self) -> str:
        """Return what matches there."""
        ...


class Pattern(Protocol):
    """A compiled pattern: `search` returns None where nothing in the text matches."""

    def search(self, text: str, /) -> Match | None:
        """Return the first match."""
        ...

    def finditer(self, text: str, /) -> Iterator[Match]:
        """Return the matches that do not overlap."""
        ...


@lru_cache(maxsize=_REMEMBERED)
def compile_pattern(pattern: str) -> Pattern:
    """Compile a pattern.

    Raises:
        ValueError: it is no regular expression of RE2, or a huge one.
    """
    import re2  # only where there are patterns

    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(f"error parsing regexp: {_text(error)}") from error
    return compiled


def _text(error: Exception) -> str:
    found = error.args[0] if error.args else error
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
