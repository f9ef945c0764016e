"""Values of expressions.

What JSON has is what Python's JSON readers make of it: None, bool, int, float, str, list and dict are CEL's null, bool, int,
double, string, list and map; bytes are bytes. The rest are the classes here and those that libraries bring. A bool is no
number, so equality is not Python's: see `equal`. Keys of maps that are bools are kept apart from 0 and 1 (`to_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isinf, isnan
from typing import Any, Final, NoReturn, TypeAlias

from machinery.cel.errors import EvaluationError

Value: TypeAlias = Any

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
LONGEST_TEXT: Final = 16 * 1024 * 1024  # characters; only an expression that explodes has more
LONGEST_LIST: Final = 2_000_000  # elements; a request of 3 MiB has fewer

_NANO: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S: Final = -62_135_596_800  # year 1
_LAST_S: Final = 253_402_300_799  # year 9999
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DURATION_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": _NANO,
    "m": 60 * _NANO,
    "h": 3600 * _NANO,
}


class UInt(int):
    """An unsigned integer, which CEL tells apart from a signed one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in nanoseconds since 1970 (UTC)."""

    nanoseconds: int

    def at(self, zone: str | None) -> datetime:
        """Return the wall time in a zone: a name of the IANA database, or "+02:00"; None is UTC.

        A zone's name is looked up in the system's database, the first time in a file: the one thing here that reads any.

        Raises:
            EvaluationError: there is no such zone.
        """
        moment = _EPOCH + timedelta(seconds=self.nanoseconds // _NANO)
        return moment if zone is None else moment.astimezone(_zone(zone))


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing; `present` tells a null that is there from nothing."""

    present: bool
    value: Value = None


NONE: Final = Optional(present=False)


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value: what `type(x)` returns and the name `int` stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class BoolKey:
    """A key of a map that is a bool."""

    value: bool


_KEYS: Final = {True: BoolKey(True), False: BoolKey(False)}  # noqa: FBT003 - they are what they are called
_NAMES: Final[dict[type, str]] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    list: "list",
    dict: "map",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    Optional: "optional_type",
    TypeValue: "type",
}


class MessageValue(dict[str, Value]):
    """An object that an expression made: `Name{field: value}`."""

    def __init__(self, name: str, fields: Mapping[str, Value]) -> None:
        super().__init__(fields)
        self.type_name = name


def type_name(value: Value) -> str:
    """Return the name of a value's type, as `type(value)` prints it."""
    name = _NAMES.get(type(value)) or getattr(value, "type_name", None)
    if isinstance(name, str):
        return name
    return "map" if isinstance(value, Mapping) else type(value).__name__


def no_overload(*_: Value) -> NoReturn:
    """Raise what cel-go says of an operation that these values do not have.

    Raises:
        EvaluationError: always.
    """
    raise EvaluationError("no such overload")


def to_int(number: int) -> int:
    """Return a number that fits into an int.

    Raises:
        EvaluationError: it does not.
    """
    if INT_MIN <= number <= INT_MAX:
        return number
    raise EvaluationError("integer overflow")


def to_uint(number: int) -> UInt:
    """Return a number that fits into a uint.

    Raises:
        EvaluationError: it does not.
    """
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise EvaluationError("unsigned integer overflow")


def to_duration(nanoseconds: int) -> Duration:
    """Return a span that fits into 64 bits of nanoseconds.

    Raises:
        EvaluationError: it does not.
    """
    if INT_MIN <= nanoseconds <= INT_MAX:
        return Duration(nanoseconds)
    raise EvaluationError("duration overflow")


def to_timestamp(nanoseconds: int) -> Timestamp:
    """Return a moment from year 1 to year 9999.

    Raises:
        EvaluationError: it is outside.
    """
    if _FIRST_S <= nanoseconds // _NANO <= _LAST_S:
        return Timestamp(nanoseconds)
    raise EvaluationError("timestamp overflow")


def to_length(length: int) -> int:
    """Return the length of a text that is not too long to be made.

    Raises:
        EvaluationError: it is.
    """
    if length <= LONGEST_TEXT:
        return length
    raise EvaluationError(f"a string has more than {LONGEST_TEXT} characters")


def to_key(value: Value) -> Value:
    """Return what a map has a key under.

    Raises:
        EvaluationError: no key can be of that type.
    """
    if type(value) is str or type(value) is int or type(value) is UInt:
        return value
    if type(value) is bool:
        return _KEYS[value]
    if type(value) is float and value.is_integer():
        return int(value)
    raise EvaluationError(f"unsupported key type: {type_name(value)}")


def from_key(key: Value) -> Value:
    """Return the value that a map has under what `to_key` made of it."""
    return key.value if type(key) is BoolKey else key


def show(value: Value) -> str:
    """Return a value as messages have it."""
    if type(value) is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    return format_timestamp(value) if isinstance(value, Timestamp) else str(value)


def is_number(value: Value) -> bool:
    """Whether a value is an int, a uint or a double."""
    return isinstance(value, (int, float)) and type(value) is not bool


def equal(one: Value, other: Value) -> bool:
    """Whether two values are equal: numbers of all types compare, and values of different types are not equal."""
    if type(one) is Optional and type(other) is Optional:
        return one.present is other.present and equal(one.value, other.value)
    if type(one) is type(other) and not isinstance(one, (list, dict)):
        return bool(one == other)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and _equal_maps(one, other)
    return is_number(one) and is_number(other) and bool(one == other)


def _equal_maps(one: Mapping[Any, Value], other: Mapping[Any, Value]) -> bool:
    return len(one) == len(other) and all(
        key in other and equal(value, other[key]) for key, value in one.items()
    )


def contains(values: Iterable[Value], wanted: Value) -> bool:
    """Whether an equal value is among others."""
    if type(wanted) is str:
        return wanted in values if isinstance(values, list) else any(wanted == one for one in values)
    return any(equal(wanted, one) for one in values)


def parse_duration(text: str) -> Duration:
    """Return the span that a text like "1h30m" names.

    Raises:
        EvaluationError: it names none.
    """
    if text in {"0", "+0", "-0"}:
        return Duration(0)
    if len(text) > 128 or not _DURATION.fullmatch(text):
        raise EvaluationError(f'time: invalid duration "{text}"')
    total = sum(_nanoseconds(amount, unit) for amount, unit in _DURATION_PART.findall(text))
    return to_duration(-total if text.startswith("-") else total)


def _nanoseconds(amount: str, unit: str) -> int:
    whole, _, fraction = amount.partition(".")
    factor = _UNITS_NS[unit]
    return int(whole or "0") * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)


def parse_timestamp(text: str) -> Timestamp:
    """Return the moment that an RFC 3339 text names.

    Raises:
        EvaluationError: it names none.
    """
    found = _RFC3339.fullmatch(text)
    if not found:
        raise EvaluationError(f'parsing time "{text}" as RFC 3339: it is no such time')
    try:
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _offset(found[8])
    except (ValueError, OverflowError):
        raise EvaluationError(f'parsing time "{text}" as RFC 3339: it is no such time') from None
    since = moment - _EPOCH
    fraction = int((found[7] or "0")[:9].ljust(9, "0"))
    return to_timestamp((since.days * 86_400 + since.seconds) * _NANO + fraction)


def format_timestamp(moment: Timestamp) -> str:
    """Return a moment as RFC 3339 has it, in UTC and without needless digits."""
    text = moment.at(None).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = f"{moment.nanoseconds % _NANO:09d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def format_duration(span: Duration) -> str:
    """Return a span in seconds, as CEL's `string()` has it."""
    sign, amount = ("-" if span.nanoseconds < 0 else ""), abs(span.nanoseconds)
    fraction = f"{amount % _NANO:09d}".rstrip("0")
    return f"{sign}{amount // _NANO}{'.' + fraction if fraction else ''}s"


def format_double(number: float) -> str:
    """Return a double as Go prints it with the fewest digits."""
    if isnan(number):
        return "NaN"
    if isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = repr(number).removesuffix(".0")
    mantissa, mark, exponent = text.partition("e")
    power = int(exponent) if mark else 0
    if not mark or -5 < power < 21:
        return f"{int(number)}" if number.is_integer() and abs(number) < 1e21 else text
    return f"{mantissa.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _offset(zone: str) -> timedelta:
    """Return what a zone like "+02:00" is ahead of UTC."""
    if zone in {"Z", "z"}:
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if zone[0] == "-" else ahead


def _zone(name: str) -> Any:
    from datetime import timezone  # seldom needed: the hours of a moment elsewhere
    from zoneinfo import ZoneInfo

    fixed = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name, re.ASCII)
    try:
        return timezone(_offset(f"{fixed[1] or '+'}{fixed[2]}:{fixed[3]}")) if fixed else ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise EvaluationError(f"unknown time zone {name}") from None
