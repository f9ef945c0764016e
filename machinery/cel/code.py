"""Closures, what they cost, and the frame that they run in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from machinery.cel.values import Value

Frame: TypeAlias = list[Any]
Run: TypeAlias = Callable[[Frame], Value]

BUDGET: Final = 0
VARIABLES: Final = 1
FIRST_LOCAL: Final = 2


class Code(NamedTuple):
    """A closure, and what it costs in any case; its caller pays that before it runs."""

    run: Run
    cost: int


class Compiled(NamedTuple):
    """A whole expression's closure, its cost in any case, and how many places its frame has."""

    run: Run
    cost: int
    places: int


def constant(value: Value) -> Code:
    """Return the code of a value."""
    return Code(lambda _: value, 0)
