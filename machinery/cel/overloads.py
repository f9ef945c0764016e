"""Functions as they are declared: a name with overloads, each with its types, what it costs and what it does.

An implementation takes its arguments' values (a method's receiver first) and returns a value or raises EvaluationError.
Costs are those that Kubernetes counts by: `cost` says what a call cost once it is known what it returned (None: 1), and
`estimate` what it will cost at least and at most by the sizes of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, NamedTuple, TypeAlias

from machinery.cel.types import Type
from machinery.cel.values import Value

UNBOUNDED: Final = 2**64 - 1


class Range(NamedTuple):
    """A size or a cost: at least, at most. What is beyond 64 bits counts as 2^64 - 1."""

    low: int
    high: int

    def plus(self, other: Range) -> Range:
        """Return the sum."""
        return Range(min(self.low + other.low, UNBOUNDED), min(self.high + other.high, UNBOUNDED))

    def times(self, other: Range) -> Range:
        """Return the product."""
        return Range(min(self.low * other.low, UNBOUNDED), min(self.high * other.high, UNBOUNDED))

    def scaled(self, factor: float) -> Range:
        """Return the product with a cost for each unit, rounded up."""
        return Range(_scale(self.low, factor), _scale(self.high, factor))

    def union(self, other: Range) -> Range:
        """Return the range that has both in it."""
        return Range(min(self.low, other.low), max(self.high, other.high))


def _scale(amount: int, factor: float) -> int:
    return UNBOUNDED if amount * factor >= UNBOUNDED else ceil(amount * factor)


UNKNOWN: Final = Range(0, UNBOUNDED)
ONE: Final = Range(1, 1)
ZERO: Final = Range(0, 0)


@dataclass(frozen=True, slots=True)
class Sized:
    """What an estimate may know of an argument: its type, its size, and the size of what is in it."""

    type: Type
    size: Range
    element: Range = UNKNOWN


class Estimate(NamedTuple):
    """What a call costs, and how large its result is where that is known."""

    cost: Range
    size: Range | None = None


CallCost: TypeAlias = Callable[[Sequence[Value], Value], int]
CallEstimate: TypeAlias = Callable[[Sequence[Sized]], Estimate]


def fixed(amount: int) -> CallEstimate:
    """Return an estimate that is always the same."""
    estimate = Estimate(Range(amount, amount))
    return lambda _: estimate


@dataclass(frozen=True, slots=True, eq=False)
class Overload:
    """One form of a function. A method has its receiver's type first among `parameters`."""

    name: str
    parameters: tuple[Type, ...]
    result: Type
    call: Callable[..., Any]
    member: bool = False
    cost: CallCost | None = None
    estimate: CallEstimate | None = None


Functions: TypeAlias = dict[str, tuple[Overload, ...]]


def function(
    name: str,
    parameters: Sequence[Type],
    result: Type,
    call: Callable[..., Any],
    *,
    cost: CallCost | None = None,
    estimate: CallEstimate | None = None,
) -> Overload:
    """Return the declaration of a global function."""
    return Overload(name, tuple(parameters), result, call, member=False, cost=cost, estimate=estimate)


def method(
    name: str,
    parameters: Sequence[Type],
    result: Type,
    call: Callable[..., Any],
    *,
    cost: CallCost | None = None,
    estimate: CallEstimate | None = None,
) -> Overload:
    """Return the declaration of a method; its receiver comes first."""
    return Overload(name, tuple(parameters), result, call, member=True, cost=cost, estimate=estimate)


def collect(*libraries: Sequence[Overload]) -> Functions:
    """Return overloads by the names of their functions."""
    found: dict[str, list[Overload]] = {}
    for library in libraries:
        for overload in library:
            found.setdefault(overload.name, []).append(overload)
    return {name: tuple(overloads) for name, overloads in found.items()}
