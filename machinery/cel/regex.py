"""What expressions do with regular expressions; those of `machinery.model.patterns`, whose errors are told as CEL's."""

from __future__ import annotations

from machinery.cel.errors import EvaluationError
from machinery.model import patterns
from machinery.model.patterns import Pattern


def compile_pattern(pattern: str) -> Pattern:
    """Return a compiled pattern.

    Raises:
        EvaluationError: it is none.
    """
    try:
        return patterns.compile_pattern(pattern)
    except ValueError as why:
        raise EvaluationError(str(why)) from None


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
