"""`sets.contains`, `sets.equivalent` and `sets.intersects`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from machinery.cel import costs
from machinery.cel.overloads import Estimate, Range, Sized, function
from machinery.cel.types import BOOL, list_of, parameter
from machinery.cel.values import Value, contains

_LIST: Final = list_of(parameter("T"))


def _contains(one: list[Value], other: list[Value]) -> bool:
    return all(contains(one, value) for value in other)


def _estimate(factor: int) -> Callable[[Sequence[Sized]], Estimate]:
    def estimate(arguments: Sequence[Sized]) -> Estimate:
        product = arguments[0].size.times(arguments[1].size).times(Range(factor, factor))
        return Estimate(product.plus(Range(1, 1)))

    return estimate


FUNCTIONS: Final = (
    function("sets.contains", (_LIST, _LIST), BOOL, _contains, cost=costs.by_pairs(1), estimate=_estimate(1)),
    function(
        "sets.equivalent",
        (_LIST, _LIST),
        BOOL,
        lambda a, b: _contains(a, b) and _contains(b, a),
        cost=costs.by_pairs(2),
        estimate=_estimate(2),
    ),
    function(
        "sets.intersects",
        (_LIST, _LIST),
        BOOL,
        lambda a, b: any(contains(b, value) for value in a),
        cost=costs.by_pairs(1),
        estimate=_estimate(1),
    ),
)
