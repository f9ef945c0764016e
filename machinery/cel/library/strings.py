"""Methods of strings: cel-go's extension, with `format` and `strings.quote` since v1.29."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from machinery.cel import costs
from machinery.cel.errors import EvaluationError
from machinery.cel.library.string_format import format_string
from machinery.cel.overloads import Estimate, Range, Sized, function, method
from machinery.cel.types import DYN, INT, STRING, Kind, list_of
from machinery.cel.values import to_length

_QUOTED: Final = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)
_LOWER: Final = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
_UPPER: Final = str.maketrans({chr(code): chr(code - 32) for code in range(ord("a"), ord("z") + 1)})


def _out_of_range(index: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        if not part:
            return start
        raise _out_of_range(start)
    return start if not part else text.find(part, start)


def _last_index_of(text: str, part: str, before: int | None = None) -> int:
    if before is None:
        return text.rfind(part)
    if not 0 <= before <= len(text):
        raise _out_of_range(before)
    return text.rfind(part, 0, before + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    for index in (start, end):
        if not 0 <= index <= len(text):
            raise _out_of_range(index)
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    to_length(len(text) + times * len(new))
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _join(parts: list[str], separator: str = "") -> str:
    to_length(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _estimate_replace(arguments: Sequence[Sized]) -> Estimate:
    """Return the estimate of replacing all of the shortest parts by the longest text, and the other way round."""
    text, old, new = (one.size for one in arguments[:3])
    if old.low == 0:
        most, kept_most = text.high + 1, text.high
    elif new.high <= old.low:
        most, kept_most = 0, text.high
    else:
        most, kept_most = -(-text.high // old.low), 0
    if old.high == 0:
        least, kept_least = text.low + 1, text.low
    elif old.high <= new.low:
        least, kept_least = 0, text.low
    else:
        least, kept_least = -(-text.low // old.high), 0
    size = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return Estimate(text.scaled(2 * costs.PER_CHARACTER), size)


def _estimate_split(arguments: Sequence[Sized]) -> Estimate:
    text = arguments[0].size
    return Estimate(text.scaled(2 * costs.PER_CHARACTER), Range(0, text.high))


def _estimate_join(arguments: Sequence[Sized]) -> Estimate:
    parts = arguments[0]
    size = parts.size.times(parts.element) if parts.type.kind is Kind.LIST else Range(0, 0)
    if len(arguments) > 1:
        between = Range(max(parts.size.low - 1, 0), max(parts.size.high - 1, 0))
        size = size.plus(arguments[1].size.times(between))
    return Estimate(size.scaled(costs.PER_CHARACTER), size)


_ONCE: Final[dict[str, Any]] = {"cost": costs.by_size(), "estimate": costs.estimate_size(keeps_size=True)}
_TWICE: Final[dict[str, Any]] = {"cost": costs.by_size(0, 0.2)}
_SEARCH: Final[dict[str, Any]] = {"cost": costs.by_traversal, "estimate": costs.estimate_elements}
_STRINGS: Final = list_of(STRING)

FUNCTIONS: Final = (
    method("charAt", (STRING, INT), STRING, _char_at),
    method("indexOf", (STRING, STRING), INT, _index_of, **_SEARCH),
    method("indexOf", (STRING, STRING, INT), INT, _index_of, **_SEARCH),
    method("lastIndexOf", (STRING, STRING), INT, _last_index_of, **_SEARCH),
    method("lastIndexOf", (STRING, STRING, INT), INT, _last_index_of, **_SEARCH),
    method("lowerAscii", (STRING,), STRING, lambda text: text.translate(_LOWER), **_ONCE),
    method("upperAscii", (STRING,), STRING, lambda text: text.translate(_UPPER), **_ONCE),
    method("replace", (STRING, STRING, STRING), STRING, _replace, **_TWICE, estimate=_estimate_replace),
    method("replace", (STRING, STRING, STRING, INT), STRING, _replace, **_TWICE, estimate=_estimate_replace),
    method("split", (STRING, STRING), _STRINGS, _split, **_TWICE, estimate=_estimate_split),
    method("split", (STRING, STRING, INT), _STRINGS, _split, **_TWICE, estimate=_estimate_split),
    method("substring", (STRING, INT), STRING, _substring, **_ONCE),
    method("substring", (STRING, INT, INT), STRING, _substring, **_ONCE),
    method("trim", (STRING,), STRING, str.strip, **_ONCE),
    method("join", (_STRINGS,), STRING, _join, cost=costs.by_result(0.2), estimate=_estimate_join),
    method("join", (_STRINGS, STRING), STRING, _join, cost=costs.by_result(0.2), estimate=_estimate_join),
)

FUNCTIONS_129: Final = (
    method(
        "format",
        (STRING, list_of(DYN)),
        STRING,
        format_string,
        cost=costs.by_result(costs.PER_CHARACTER),
        estimate=costs.estimate_both,
    ),
    function(
        "strings.quote",
        (STRING,),
        STRING,
        lambda text: f'"{text.translate(_QUOTED)}"',
        cost=costs.by_size(),
        estimate=costs.estimate_size(keeps_size=True),
    ),
)
