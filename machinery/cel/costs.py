"""What calls cost that are not O(1), by Kubernetes' table: at run time by what was passed, before by how large it may be.

A unit is about what selecting a field takes. Whatever Kubernetes counts is counted here alike, since an expression that it
admits has to be admitted; where a call can do more than it is charged for, the implementation bounds its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from machinery.cel.overloads import ONE, CallCost, CallEstimate, Estimate, Range, Sized
from machinery.cel.types import Kind
from machinery.cel.values import Value

PER_CHARACTER: Final = 0.1
PER_PATTERN_CHARACTER: Final = 0.25
NEW_LIST: Final = 10
NEW_MAP: Final = 30
NEW_MESSAGE: Final = 40
ELEMENTS_PER_UNIT: Final = 16  # of lists that are joined

_SIZED: Final = frozenset({Kind.STRING, Kind.BYTES})


def size_of(value: Value) -> int:
    """Return a value's size: characters, bytes, elements, entries; 1 for what has none."""
    return len(value) if isinstance(value, (str, bytes, list, Mapping)) else 1


def traversed(value: Value) -> int:
    """Return the cost of looking at all of a value."""
    if isinstance(value, (str, bytes)):
        return int(len(value) * PER_CHARACTER)
    if isinstance(value, list):
        return sum(map(traversed, value))
    if isinstance(value, Mapping):
        return sum(traversed(key) + traversed(inner) for key, inner in value.items())
    return 1


def parts_of(value: Value) -> int:
    """Return how many values are inside a value, at any depth."""
    if isinstance(value, list):
        return len(value) + sum(map(parts_of, value))
    if isinstance(value, Mapping):
        return len(value) + sum(map(parts_of, value.values()))
    return 0


def by_search_of_list(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of looking for a value in a list."""
    wanted, values = arguments
    return len(values) * max(1, parts_of(wanted))


def by_concatenation(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of joining two lists: one, and something for those that are long."""
    return 1 + (len(arguments[0]) + len(arguments[1])) // ELEMENTS_PER_UNIT


def by_pairs(factor: int) -> CallCost:
    """Return the cost of comparing each element of a list with each of another."""

    def cost(arguments: Sequence[Value], _: Value) -> int:
        one, other = arguments
        inside = max(parts_of(one) - len(one), parts_of(other) - len(other))
        return 1 + factor * len(one) * len(other) + inside

    return cost


def by_size(index: int = 0, factor: float = PER_CHARACTER) -> CallCost:
    """Return the cost of going through one argument."""
    return lambda arguments, _: ceil(size_of(arguments[index]) * factor)


def by_result(factor: float) -> CallCost:
    """Return the cost of making a result."""
    return lambda _, result: ceil(size_of(result) * factor)


def by_traversal(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of looking at all of the first argument."""
    return traversed(arguments[0])


def by_shorter(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of comparing two values."""
    one, other = arguments
    cost = ceil(min(size_of(one), size_of(other)) * PER_CHARACTER)
    return max(cost, parts_of(one)) if type(one) is type(other) else cost


def by_both(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of joining two texts."""
    one, other = arguments
    return ceil((len(one) + len(other)) * PER_CHARACTER)


def by_pattern(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of matching a text against a pattern."""
    text = ceil((1.0 + size_of(arguments[0])) * PER_CHARACTER)
    return text * ceil(size_of(arguments[1]) * PER_PATTERN_CHARACTER)


def by_search(arguments: Sequence[Value], _: Value) -> int:
    """Return the cost of looking for a text in another."""
    text, part = arguments
    return ceil(size_of(text) * PER_CHARACTER) * ceil(size_of(part) * PER_CHARACTER)


def estimate_size(index: int = 0, factor: float = PER_CHARACTER, *, keeps_size: bool = False) -> CallEstimate:
    """Return the estimate of going through one argument; `keeps_size` if the result is as large."""

    def estimate(arguments: Sequence[Sized]) -> Estimate:
        size = arguments[index].size
        return Estimate(size.scaled(factor), size if keeps_size else None)

    return estimate


def estimate_elements(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of comparing the elements of a list, or of going through a text."""
    first = arguments[0]
    if first.type.kind is not Kind.LIST:
        return Estimate(first.size.scaled(PER_CHARACTER))
    each = ONE
    if first.type.element.kind in _SIZED:
        each = each.plus(first.element.scaled(PER_CHARACTER))
    return Estimate(first.size.times(each))


def estimate_shorter(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of comparing two values."""
    high = min(arguments[0].size.high, arguments[1].size.high)
    return Estimate(Range(1 if high else 0, high).scaled(PER_CHARACTER))


def estimate_both(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of joining two texts."""
    size = arguments[0].size.plus(arguments[1].size)
    return Estimate(size.scaled(PER_CHARACTER), size)


def estimate_concatenation(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of joining two lists."""
    return Estimate(ONE, arguments[0].size.plus(arguments[1].size))


def estimate_pattern(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of matching a text against a pattern."""
    text = arguments[0].size.plus(ONE).scaled(PER_CHARACTER)
    pattern = arguments[1].size.scaled(PER_PATTERN_CHARACTER)
    return Estimate(text.times(pattern), Range(0, arguments[0].size.high))


def estimate_search(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of looking for a text in another."""
    text, part = (one.size.scaled(PER_CHARACTER) for one in arguments)
    return Estimate(text.times(part))


def estimate_to_bytes(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of encoding a text."""
    size = arguments[0].size
    return Estimate(size.scaled(PER_CHARACTER), size.times(Range(1, 4)))


def estimate_to_string(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of decoding bytes."""
    size = arguments[0].size
    return Estimate(size.scaled(PER_CHARACTER), Range(size.low // 4, size.high))
