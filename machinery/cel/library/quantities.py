"""Kubernetes' quantities, exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from machinery.cel import costs
from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import fixed, function, method
from machinery.cel.types import BOOL, DOUBLE, INT, STRING, abstract
from machinery.cel.values import INT_MAX, INT_MIN
from machinery.model.quantity import parse

QUANTITY: Final = abstract("kubernetes.Quantity")


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """An exact amount."""

    amount: Fraction

    type_name = "kubernetes.Quantity"


def parse_quantity(text: str) -> QuantityValue:
    """Return the amount that a text names.

    Raises:
        EvaluationError: it names none.
    """
    try:
        return QuantityValue(parse(text))
    except ValueError as why:
        raise EvaluationError(str(why)) from None


def _is_quantity(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _is_integer(one: QuantityValue) -> bool:
    return one.amount.denominator == 1 and INT_MIN <= one.amount.numerator <= INT_MAX


def _as_integer(one: QuantityValue) -> int:
    if not _is_integer(one):
        raise EvaluationError("cannot convert value to integer")
    return one.amount.numerator


def _compare(one: QuantityValue, other: QuantityValue) -> int:
    return (one.amount > other.amount) - (one.amount < other.amount)


def _sign(one: QuantityValue) -> int:
    return (one.amount > 0) - (one.amount < 0)


_CHEAP: Final = fixed(1)
_READ: Final[dict[str, Any]] = {"cost": costs.by_size(), "estimate": costs.estimate_size()}

FUNCTIONS: Final = (
    function("quantity", (STRING,), QUANTITY, parse_quantity, **_READ),
    function("isQuantity", (STRING,), BOOL, _is_quantity, **_READ),
    function("sign", (QUANTITY,), INT, _sign),
    method("sign", (QUANTITY,), INT, _sign),
    method("isInteger", (QUANTITY,), BOOL, _is_integer, estimate=_CHEAP),
    method("asInteger", (QUANTITY,), INT, _as_integer, estimate=_CHEAP),
    method("asApproximateFloat", (QUANTITY,), DOUBLE, lambda one: float(one.amount), estimate=_CHEAP),
    method("isGreaterThan", (QUANTITY, QUANTITY), BOOL, lambda a, b: a.amount > b.amount, estimate=_CHEAP),
    method("isLessThan", (QUANTITY, QUANTITY), BOOL, lambda a, b: a.amount < b.amount, estimate=_CHEAP),
    method("compareTo", (QUANTITY, QUANTITY), INT, _compare, estimate=_CHEAP),
    method("add", (QUANTITY, QUANTITY), QUANTITY, lambda a, b: QuantityValue(a.amount + b.amount)),
    method("add", (QUANTITY, INT), QUANTITY, lambda a, b: QuantityValue(a.amount + b)),
    method("sub", (QUANTITY, QUANTITY), QUANTITY, lambda a, b: QuantityValue(a.amount - b.amount)),
    method("sub", (QUANTITY, INT), QUANTITY, lambda a, b: QuantityValue(a.amount - b)),
)
