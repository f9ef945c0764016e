"""How raw scores become 0 to 100."""

from __future__ import annotations

from typing import Final

MAX_SCORE: Final = 100


def more_is_better(raw: int, lowest: int, highest: int) -> int:
    """Return the share of the highest raw score among the candidates."""
    del lowest
    return MAX_SCORE * raw // highest if highest else 0


def less_is_better(raw: int, lowest: int, highest: int) -> int:
    """Return 100 less the share of the highest raw score."""
    del lowest
    return MAX_SCORE - MAX_SCORE * raw // highest if highest else MAX_SCORE
