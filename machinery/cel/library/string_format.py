"""`"...".format([...])`: the clauses %s %d %f %e %b %o %x %X, with a precision where it means something."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from machinery.cel.errors import EvaluationError
from machinery.cel.values import (
    Duration,
    Timestamp,
    TypeValue,
    Value,
    format_double,
    format_duration,
    format_timestamp,
    from_key,
    is_number,
    to_length,
    type_name,
)

_CLAUSE: Final = re.compile(r"%(?:(%)|(?:\.(\d{1,4}))?([a-zA-Z])|(.?))", re.DOTALL)
_MOST_DIGITS: Final = 1000


def format_string(text: str, arguments: list[Value]) -> str:
    """Return a text with its clauses replaced by arguments, in their order.

    Raises:
        EvaluationError: a clause is none, has no argument, or none of its type.
    """
    parts: list[str] = []
    at, used, length = 0, 0, 0
    for clause in _CLAUSE.finditer(text):
        parts.append(text[at : clause.start()])
        at = clause.end()
        if clause[1]:
            parts.append("%")
            continue
        if not clause[3]:
            raise EvaluationError(
                f'could not parse formatting clause: unrecognized formatting clause "{clause[4]}"'
            )
        if used >= len(arguments):
            raise EvaluationError(f"index {used} out of range")
        parts.append(_format(clause[3], clause[2], arguments[used]))
        length = to_length(length + len(parts[-1]))
        used += 1
    return "".join((*parts, text[at:]))


def _format(letter: str, precision: str | None, value: Value) -> str:
    digits = 6 if precision is None else int(precision)
    if digits > _MOST_DIGITS:
        raise EvaluationError(f"precision {digits} exceeds the maximum of {_MOST_DIGITS}")
    match letter:
        case "s":
            return _text(value)
        case "d":
            return _integer(value)
        case "f" | "e":
            return _double(letter, digits, value)
        case "b" | "o":
            return _in_base(letter, value)
        case "x" | "X":
            return _hexadecimal(letter, value)
    raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{letter}"')


def _wrong(wanted: str, value: Value) -> EvaluationError:
    return EvaluationError(f"error during formatting: {wanted}, was given {type_name(value)}")


def _text(value: Value, *, inside: bool = False) -> str:
    """Return a value as %s has it; strings in lists and maps are quoted."""
    if isinstance(value, str):
        return f'"{value}"' if inside else value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return f"[{', '.join(_text(one, inside=True) for one in value)}]"
    if isinstance(value, Mapping):
        return _map_text(value)
    return _scalar_text(value, inside=inside)


def _map_text(value: Mapping[Value, Value]) -> str:
    shown = sorted(
        (_text(from_key(key), inside=True), _text(inner, inside=True)) for key, inner in value.items()
    )
    return f"{{{', '.join(f'{key}: {inner}' for key, inner in shown)}}}"


def _scalar_text(value: Value, *, inside: bool) -> str:
    if isinstance(value, float):
        return format_double(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Timestamp):
        return f'timestamp("{format_timestamp(value)}")' if inside else format_timestamp(value)
    if isinstance(value, Duration):
        return f'duration("{format_duration(value)}")' if inside else format_duration(value)
    if isinstance(value, TypeValue):
        return value.name
    raise _wrong(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
        value,
    )


def _integer(value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        return _infinite(value)
    raise _wrong("decimal clause can only be used on integers", value)


def _infinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _double(letter: str, digits: int, value: Value) -> str:
    if not is_number(value):
        wanted = "fixed-point" if letter == "f" else "scientific"
        raise _wrong(f"{wanted} clause can only be used on doubles", value)
    return f"{value:.{digits}{letter}}" if math.isfinite(value) else _infinite(value)


def _in_base(letter: str, value: Value) -> str:
    if isinstance(value, int) and (letter == "b" or not isinstance(value, bool)):
        return f"{int(value):{letter}}"
    wanted = (
        "binary clause can only be used on integers and bools"
        if letter == "b"
        else "octal clause can only be used on integers"
    )
    raise _wrong(wanted, value)


def _hexadecimal(letter: str, value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{int(value):{letter}}"
    if isinstance(value, (str, bytes)):
        shown = (value.encode() if isinstance(value, str) else value).hex()
        return shown.upper() if letter == "X" else shown
    raise _wrong("only integers, byte buffers, and strings can be formatted as hex", value)
