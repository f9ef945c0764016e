"""Regular expressions in RE2's syntax, in time that is linear in the text.

Go's patterns are RE2's; Python's `re` knows others, and some of them take exponential time. Compiled patterns are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from machinery.cel.errors import EvaluationError

_KEPT: Final = 512  # patterns
_MEMORY_BYTES: Final = 8 * 1024 * 1024  # of one pattern's automaton; with less it goes on, more slowly


@lru_cache(maxsize=_KEPT)
def compile_pattern(pattern: str) -> Any:
    """Return a pattern that has `search` and `finditer` as Python's have.

    Raises:
        EvaluationError: it is none.
    """
    import re2  # only where expressions have patterns

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    try:
        return re2.compile(pattern, options=options)
    except re2.error as why:
        said = why.args[0].decode() if why.args and isinstance(why.args[0], bytes) else str(why)
        raise EvaluationError(f"error parsing regexp: {said}") from None


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    Raises:
        EvaluationError: it is no pattern.
    """
    return compile_pattern(pattern).search(text) is not None


def find(text: str, pattern: str) -> str:
    """Return the first match, or "".

    Raises:
        EvaluationError: it is no pattern.
    """
    found = compile_pattern(pattern).search(text)
    return found.group() if found else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Return the matches that do not overlap, up to a limit (negative: all).

    Raises:
        EvaluationError: it is no pattern.
    """
    found: list[str] = []
    for match in compile_pattern(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found
