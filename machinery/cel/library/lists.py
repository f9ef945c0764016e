"""`isSorted`, `sum`, `min`, `max`, `indexOf` and `lastIndexOf` of lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import pairwise
from typing import Any, Final

from machinery.cel import costs
from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import Overload, method
from machinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    parameter,
)
from machinery.cel.values import Duration, UInt, Value, equal, to_duration, to_int, to_uint

_ORDERED: Final = (INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES)
_A: Final = parameter("A")


def _is_sorted(values: list[Any]) -> bool:
    return all(not after < before for before, after in pairwise(values))


def _smallest(values: list[Any]) -> Value:
    if not values:
        raise EvaluationError("min called on empty list")
    return min(values)


def _largest(values: list[Any]) -> Value:
    if not values:
        raise EvaluationError("max called on empty list")
    return max(values)


def _index(values: list[Value], wanted: Value) -> int:
    return next((at for at, value in enumerate(values) if equal(value, wanted)), -1)


def _last_index(values: list[Value], wanted: Value) -> int:
    return next((at for at in range(len(values) - 1, -1, -1) if equal(values[at], wanted)), -1)


_SUMS: Final[tuple[tuple[Type, Callable[[list[Any]], Value]], ...]] = (
    (INT, lambda values: reduce(lambda a, b: to_int(a + b), values, 0)),
    (UINT, lambda values: reduce(lambda a, b: to_uint(int(a) + int(b)), values, UInt(0))),
    (DOUBLE, lambda values: float(sum(values))),
    (
        DURATION,
        lambda values: reduce(lambda a, b: to_duration(a.nanoseconds + b.nanoseconds), values, Duration(0)),
    ),
)


def _functions() -> Iterator[Overload]:
    going: dict[str, Any] = {"cost": costs.by_traversal, "estimate": costs.estimate_elements}
    for one in _ORDERED:
        yield method("isSorted", (list_of(one),), BOOL, _is_sorted, **going)
        yield method("min", (list_of(one),), one, _smallest, **going)
        yield method("max", (list_of(one),), one, _largest, **going)
    for one, total in _SUMS:
        yield method("sum", (list_of(one),), one, total, **going)
    yield method("indexOf", (list_of(_A), _A), INT, _index, **going)
    yield method("lastIndexOf", (list_of(_A), _A), INT, _last_index, **going)


FUNCTIONS: Final = tuple(_functions())
