"""Values that may be missing: `optional.of`, `a.?b`, `or`, `orValue` and others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import function, method
from machinery.cel.standard import optional_index
from machinery.cel.types import BOOL, INT, list_of, map_of, optional_of, parameter
from machinery.cel.values import NONE, Duration, Optional, Timestamp, Value

_V: Final = parameter("V")
_K: Final = parameter("K")
_SOME: Final = optional_of(_V)
_EMPTY: Final = (Duration(0), Timestamp(-62_135_596_800 * 10**9))


def some(value: Value) -> Optional:
    """Return a value that is there."""
    return Optional(present=True, value=value)


def _unless_zero(value: Value) -> Optional:
    zero = value is None or value in _EMPTY if not isinstance(value, (list, Mapping)) else not value
    if isinstance(value, (bool, int, float, str, bytes)):
        zero = not value
    return NONE if zero else some(value)


def _value(one: Optional) -> Value:
    if not one.present:
        raise EvaluationError("optional.none() dereference")
    return one.value


def _unwrap(values: list[Optional]) -> list[Value]:
    return [one.value for one in values if one.present]


def _at(index: int) -> Callable[[list[Value]], Optional]:
    return lambda values: some(values[index]) if values else NONE


FUNCTIONS: Final = (
    function("optional.of", (_V,), _SOME, some),
    function("optional.none", (), _SOME, lambda: NONE),
    function("optional.ofNonZeroValue", (_V,), _SOME, _unless_zero),
    function("optional.unwrap", (list_of(_SOME),), list_of(_V), _unwrap),
    method("unwrapOpt", (list_of(_SOME),), list_of(_V), _unwrap),
    method("first", (list_of(_V),), _SOME, _at(0)),
    method("last", (list_of(_V),), _SOME, _at(-1)),
    method("value", (_SOME,), _V, _value),
    method("hasValue", (_SOME,), BOOL, lambda one: one.present),
    method("or", (_SOME, _SOME), _SOME, lambda one, other: one if one.present else other),
    method("orValue", (_SOME, _V), _V, lambda one, other: one.value if one.present else other),
    function("_[?_]", (list_of(_V), INT), _SOME, optional_index),
    function("_[?_]", (optional_of(list_of(_V)), INT), _SOME, optional_index),
    function("_[?_]", (map_of(_K, _V), _K), _SOME, optional_index),
    function("_[?_]", (optional_of(map_of(_K, _V)), _K), _SOME, optional_index),
    function("_[_]", (optional_of(list_of(_V)), INT), _SOME, optional_index),
    function("_[_]", (optional_of(map_of(_K, _V)), _K), _SOME, optional_index),
)
