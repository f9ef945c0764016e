"""The operators and functions of cel-spec's standard library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import product
from typing import Any, Final

from machinery.cel import costs, regex
from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import Overload, function, method
from machinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    list_of,
    map_of,
    parameter,
    type_of,
)
from machinery.cel.values import (
    INT_MAX,
    INT_MIN,
    LONGEST_LIST,
    NONE,
    UINT_MAX,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    Value,
    contains,
    equal,
    format_double,
    format_duration,
    format_timestamp,
    is_number,
    no_overload,
    parse_duration,
    parse_timestamp,
    show,
    to_duration,
    to_int,
    to_key,
    to_length,
    to_timestamp,
    to_uint,
    type_name,
)

_A: Final = parameter("A")
_B: Final = parameter("B")
_LIST: Final = list_of(_A)
_MAP: Final = map_of(_A, _B)
_SECOND_NS: Final = 10**9


def _truncated(one: int, other: int) -> tuple[int, int]:
    """Return quotient and remainder, rounded towards zero as Go does."""
    quotient = abs(one) // abs(other)
    if (one < 0) is not (other < 0):
        quotient = -quotient
    return quotient, one - quotient * other


def _divide(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("division by zero")
    return to_int(_truncated(one, other)[0])


def _modulo(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("modulus by zero")
    if one == INT_MIN and other == -1:
        raise EvaluationError("integer overflow")
    return _truncated(one, other)[1]


def _divide_uint(one: UInt, other: UInt) -> UInt:
    if other == 0:
        raise EvaluationError("division by zero")
    return UInt(int(one) // int(other))


def _modulo_uint(one: UInt, other: UInt) -> UInt:
    if other == 0:
        raise EvaluationError("modulus by zero")
    return UInt(int(one) % int(other))


def _divide_double(one: float, other: float) -> float:
    if other:
        return one / other
    if math.isnan(one) or one == 0:
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1.0, other)


def _multiply_double(one: float, other: float) -> float:
    return one * other


def concatenate(one: list[Value], other: list[Value]) -> list[Value]:
    """Return the elements of both.

    Raises:
        EvaluationError: there are so many that the expression explodes.
    """
    if len(one) + len(other) > LONGEST_LIST:
        raise EvaluationError(f"a list has more than {LONGEST_LIST} elements")
    return [*one, *other]


def _join_texts(one: Any, other: Any) -> Any:
    to_length(len(one) + len(other))
    return one + other


def _arithmetic() -> Iterator[Overload]:
    for sign, of_int, of_uint, of_double in (
        ("+", lambda a, b: to_int(a + b), lambda a, b: to_uint(int(a) + int(b)), lambda a, b: a + b),
        ("-", lambda a, b: to_int(a - b), lambda a, b: to_uint(int(a) - int(b)), lambda a, b: a - b),
        ("*", lambda a, b: to_int(a * b), lambda a, b: to_uint(int(a) * int(b)), _multiply_double),
        ("/", _divide, _divide_uint, _divide_double),
    ):
        yield function(f"_{sign}_", (INT, INT), INT, of_int)
        yield function(f"_{sign}_", (UINT, UINT), UINT, of_uint)
        yield function(f"_{sign}_", (DOUBLE, DOUBLE), DOUBLE, of_double)
    yield function("_%_", (INT, INT), INT, _modulo)
    yield function("_%_", (UINT, UINT), UINT, _modulo_uint)
    yield function("-_", (INT,), INT, lambda a: to_int(-a))
    yield function("-_", (DOUBLE,), DOUBLE, lambda a: -a)
    yield function("!_", (BOOL,), BOOL, lambda a: not a)


def _joining() -> Iterator[Overload]:
    text: dict[str, Any] = {"cost": costs.by_both, "estimate": costs.estimate_both}
    yield function("_+_", (STRING, STRING), STRING, _join_texts, **text)
    yield function("_+_", (BYTES, BYTES), BYTES, _join_texts, **text)
    yield function(
        "_+_",
        (_LIST, _LIST),
        _LIST,
        concatenate,
        cost=costs.by_concatenation,
        estimate=costs.estimate_concatenation,
    )


def _times() -> Iterator[Overload]:
    def add(a: Any, b: Any) -> int:
        return int(a.nanoseconds + b.nanoseconds)

    def less(a: Any, b: Any) -> int:
        return int(a.nanoseconds - b.nanoseconds)

    yield function("_+_", (TIMESTAMP, DURATION), TIMESTAMP, lambda a, b: to_timestamp(add(a, b)))
    yield function("_+_", (DURATION, TIMESTAMP), TIMESTAMP, lambda a, b: to_timestamp(add(a, b)))
    yield function("_+_", (DURATION, DURATION), DURATION, lambda a, b: to_duration(add(a, b)))
    yield function("_-_", (TIMESTAMP, DURATION), TIMESTAMP, lambda a, b: to_timestamp(less(a, b)))
    yield function("_-_", (TIMESTAMP, TIMESTAMP), DURATION, lambda a, b: to_duration(less(a, b)))
    yield function("_-_", (DURATION, DURATION), DURATION, lambda a, b: to_duration(less(a, b)))


_COMPARISONS: Final[tuple[tuple[str, Callable[[Any, Any], bool]], ...]] = (
    ("_<_", lambda a, b: a < b),
    ("_<=_", lambda a, b: a <= b),
    ("_>_", lambda a, b: a > b),
    ("_>=_", lambda a, b: a >= b),
)


def _comparisons() -> Iterator[Overload]:
    for name, compare in _COMPARISONS:
        for one in (BOOL, INT, UINT, DOUBLE, TIMESTAMP, DURATION):
            yield function(name, (one, one), BOOL, compare)
        for one in (STRING, BYTES):
            yield function(
                name, (one, one), BOOL, compare, cost=costs.by_shorter, estimate=costs.estimate_shorter
            )
    comparing: dict[str, Any] = {"cost": costs.by_shorter, "estimate": costs.estimate_shorter}
    yield function("_==_", (_A, _A), BOOL, equal, **comparing)
    yield function("_!=_", (_A, _A), BOOL, lambda a, b: not equal(a, b), **comparing)


# Since v1.28 numbers of different types compare, in the order of their values.
ACROSS_NUMBERS: Final = tuple(
    function(name, (one, other), BOOL, compare)
    for name, compare in _COMPARISONS
    for one, other in product((INT, UINT, DOUBLE), repeat=2)
    if one is not other
)


def index(container: Value, key: Value) -> Value:
    """Return an element of a list, or what a map has under a key.

    Raises:
        EvaluationError: there is none.
    """
    found = optional_index(container, key)
    if found.present:
        return found.value
    if isinstance(container, list):
        raise EvaluationError(f"index out of bounds: {show(key)}")
    raise EvaluationError(f"no such key: {show(key)}")


def optional_index(container: Value, key: Value) -> Optional:
    """Return an element of a list, or what a map has under a key, if it is there.

    Raises:
        EvaluationError: it is no list or map, or no such key can be in it.
    """
    if isinstance(container, Optional):
        return optional_index(container.value, key) if container.present else NONE
    if isinstance(container, list):
        if type(key) is float and key.is_integer():
            key = int(key)
        if not isinstance(key, int) or type(key) is bool:
            raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
        return Optional(present=True, value=container[key]) if 0 <= key < len(container) else NONE
    if not isinstance(container, Mapping):
        no_overload(container, key)
    try:
        return Optional(present=True, value=container[to_key(key)])
    except KeyError:
        return NONE


def _in_map(key: Value, container: Mapping[Any, Value]) -> bool:
    try:
        return to_key(key) in container
    except EvaluationError:
        return False


def _containers() -> Iterator[Overload]:
    yield function("_[_]", (_LIST, INT), _A, index)
    yield function("_[_]", (_MAP, _A), _B, index)
    yield function(
        "@in",
        (_A, _LIST),
        BOOL,
        lambda a, b: contains(b, a),
        cost=costs.by_search_of_list,
        estimate=costs.estimate_size(1, 1),
    )
    yield function("@in", (_A, _MAP), BOOL, _in_map)
    for one in (STRING, BYTES, _LIST, _MAP):
        yield function("size", (one,), INT, len)
        yield method("size", (one,), INT, len)


def _strings() -> Iterator[Overload]:
    for name, test in (("startsWith", str.startswith), ("endsWith", str.endswith)):
        yield method(
            name, (STRING, STRING), BOOL, test, cost=costs.by_size(0), estimate=costs.estimate_size(1)
        )
    yield method(
        "contains",
        (STRING, STRING),
        BOOL,
        lambda a, b: b in a,
        cost=costs.by_search,
        estimate=costs.estimate_search,
    )
    for declare in (function, method):
        yield declare(
            "matches",
            (STRING, STRING),
            BOOL,
            regex.matches,
            cost=costs.by_pattern,
            estimate=costs.estimate_pattern if declare is method else None,
        )


def int_of(value: Value) -> int:
    """Return a value as an int.

    Raises:
        EvaluationError: it is none.
    """
    if isinstance(value, str):
        digits = value[1:] if value[:1] in {"+", "-"} else value
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 40:
            raise EvaluationError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
        if not INT_MIN <= int(value) <= INT_MAX:
            raise EvaluationError(f'strconv.ParseInt: parsing "{value}": value out of range')
        return int(value)
    if isinstance(value, float):
        if not -(2.0**63) < value < 2.0**63:
            raise EvaluationError("integer overflow")
        return int(value)
    if isinstance(value, Timestamp):
        return value.nanoseconds // _SECOND_NS
    if isinstance(value, Duration):
        return value.nanoseconds
    return to_int(int(value))


def uint_of(value: Value) -> UInt:
    """Return a value as a uint.

    Raises:
        EvaluationError: it is none.
    """
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()) or len(value) > 40:
            raise EvaluationError(f'strconv.ParseUint: parsing "{value}": invalid syntax')
        if int(value) > UINT_MAX:
            raise EvaluationError(f'strconv.ParseUint: parsing "{value}": value out of range')
        return UInt(value)
    if isinstance(value, float):
        if not -1.0 < value < 2.0**64:
            raise EvaluationError("unsigned integer overflow")
        return UInt(int(value))
    return to_uint(int(value))


def double_of(value: Value) -> float:
    """Return a value as a double.

    Raises:
        EvaluationError: it is none.
    """
    if not isinstance(value, str):
        return float(value)
    if "_" in value or value != value.strip() or not value.isascii():
        raise EvaluationError(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
    try:
        return float(value)
    except ValueError:
        raise EvaluationError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None


def bool_of(value: Value) -> bool:
    """Return a value as a bool.

    Raises:
        EvaluationError: it is none.
    """
    if isinstance(value, bool):
        return value
    if value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise EvaluationError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def string_of(value: Value) -> str:
    """Return a value as a string.

    Raises:
        EvaluationError: they are bytes that are not UTF-8.
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, float):
        return format_double(value)
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    if isinstance(value, Duration):
        return format_duration(value)
    return show(value) if isinstance(value, bool) else str(int(value)) if is_number(value) else str(value)


def _timestamp_of(value: Value) -> Timestamp:
    if isinstance(value, int):
        return to_timestamp(value * _SECOND_NS)
    return parse_timestamp(value) if isinstance(value, str) else value


def _conversions() -> Iterator[Overload]:
    for name, result, sources, convert in (
        ("int", INT, (INT, UINT, DOUBLE, STRING, TIMESTAMP, DURATION), int_of),
        ("uint", UINT, (UINT, INT, DOUBLE, STRING), uint_of),
        ("double", DOUBLE, (DOUBLE, INT, UINT, STRING), double_of),
        ("bool", BOOL, (BOOL, STRING), bool_of),
        ("string", STRING, (STRING, BOOL, INT, UINT, DOUBLE, TIMESTAMP, DURATION), string_of),
        ("timestamp", TIMESTAMP, (TIMESTAMP, STRING, INT), _timestamp_of),
    ):
        for source in sources:
            yield function(name, (source,), result, convert)
    yield function(
        "string", (BYTES,), STRING, string_of, cost=costs.by_size(0), estimate=costs.estimate_to_string
    )
    yield function(
        "bytes", (STRING,), BYTES, str.encode, cost=costs.by_size(0), estimate=costs.estimate_to_bytes
    )
    yield function("bytes", (BYTES,), BYTES, lambda a: a)
    yield function("duration", (DURATION,), DURATION, lambda a: a)
    yield function("duration", (STRING,), DURATION, parse_duration)
    yield function("duration", (INT,), DURATION, to_duration)
    yield function("type", (_A,), type_of(_A), lambda a: TypeValue(type_name(a)))
    yield function("dyn", (_A,), DYN, lambda a: a)


def _milliseconds(moment: Timestamp) -> int:
    return moment.nanoseconds % _SECOND_NS // 1_000_000


_CALENDAR: Final[tuple[tuple[str, Callable[[datetime], int]], ...]] = (
    ("getFullYear", lambda at: at.year),
    ("getMonth", lambda at: at.month - 1),
    ("getDate", lambda at: at.day),
    ("getDayOfMonth", lambda at: at.day - 1),
    ("getDayOfWeek", lambda at: at.isoweekday() % 7),
    ("getDayOfYear", lambda at: at.timetuple().tm_yday - 1),
    ("getHours", lambda at: at.hour),
    ("getMinutes", lambda at: at.minute),
    ("getSeconds", lambda at: at.second),
)
_SPANS: Final = (
    ("getHours", 3600 * _SECOND_NS),
    ("getMinutes", 60 * _SECOND_NS),
    ("getSeconds", _SECOND_NS),
    ("getMilliseconds", 1_000_000),
)


def _calendar_method(name: str, read: Callable[[datetime], int]) -> Iterator[Overload]:
    yield method(name, (TIMESTAMP,), INT, lambda moment: read(moment.at(None)))
    yield method(name, (TIMESTAMP, STRING), INT, lambda moment, zone: read(moment.at(zone)))


def _span_method(name: str, unit_ns: int) -> Overload:
    def read(span: Duration) -> int:
        amount = _truncated(span.nanoseconds, unit_ns)[0]
        return int(math.fmod(amount, 1000)) if unit_ns == 1_000_000 else amount

    return method(name, (DURATION,), INT, read)


def _calendar() -> Iterator[Overload]:
    for name, read in _CALENDAR:
        yield from _calendar_method(name, read)
    yield method("getMilliseconds", (TIMESTAMP,), INT, _milliseconds)
    yield method("getMilliseconds", (TIMESTAMP, STRING), INT, lambda moment, _: _milliseconds(moment))
    for name, unit_ns in _SPANS:
        yield _span_method(name, unit_ns)


FUNCTIONS: Final = (
    *_arithmetic(),
    *_joining(),
    *_times(),
    *_comparisons(),
    *_containers(),
    *_strings(),
    *_conversions(),
    *_calendar(),
)
