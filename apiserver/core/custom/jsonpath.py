"""The part of kubectl's JSONPath that printer columns use: `.a.b`, `['a']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, filters.

    .status.conditions[?(@.type=="Ready")].status

`compile_path` makes a list of steps; `find` gives every value that they lead to, in the order of the document. Each
step looks at what the one before found, once: the work follows the values that are looked at.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

Step: TypeAlias = Callable[[Any], Iterable[Any]]

_NAME: Final = re.compile(r"\.?((?:[^.\[\]\\*]|\\.)+)", re.DOTALL)
_STAR: Final = re.compile(r"\.\*|\[\*\]")
_QUOTED: Final = re.compile(r"\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]", re.DOTALL)
_INDEX: Final = re.compile(r"\[(-?\d{1,9})\]", re.ASCII)
_SLICE: Final = re.compile(r"\[(-?\d{1,9})?:(-?\d{1,9})?(?::(\d{1,9}))?\]", re.ASCII)
_FILTER: Final = re.compile(
    r"\[\?\(\s*@((?:\.[^\s.\[\]=!<>()]+)+)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|\"[^\"]*\"|[^\s'\")]+)\s*)?\)\]"
)
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_path(text: str) -> tuple[Step, ...]:
    """Compile a path.

    Raises:
        ValueError: it is none, or one with parts that columns do not use here (`..`, unions, functions).
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if text[at:] == "." and not steps:
            break
        step, at = _next_step(text, at)
        steps.append(step)
    return tuple(steps)


def find(steps: Iterable[Step], value: Any) -> list[Any]:
    """Return every value that a path leads to; what is not there is left out."""
    found = [value]
    for step in steps:
        found = [inner for each in found for inner in step(each)]
    return found


def _next_step(text: str, at: int) -> tuple[Step, int]:
    for form, make in _STEPS:
        if match := form.match(text, at):
            return make(match), match.end()
    raise ValueError(f"unrecognized column definition {json.dumps(text)}")


def _field(name: str, value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _every(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _index(index: int, value: Any) -> Iterator[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        yield value[index]


def _slice(part: slice, value: Any) -> Iterable[Any]:
    return value[part] if isinstance(value, list) else ()


def _filter(names: tuple[str, ...], holds: Callable[[Any], bool] | None, value: Any) -> Iterator[Any]:
    for item in value if isinstance(value, list) else ():
        inner = item
        for name in names:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if inner is not None and (holds is None or holds(inner)):
            yield item


def _compared(sign: str, text: str) -> Callable[[Any], bool]:
    wanted: Any = text[1:-1] if text[0] in "'\"" else _literal(text)

    def holds(value: Any) -> bool:
        numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
        if type(value) is not type(wanted) and not (numbers and bool not in {type(value), type(wanted)}):
            return sign == "!="
        return _COMPARE[sign](value, wanted)

    return holds


def _literal(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _make_filter(match: re.Match[str]) -> Step:
    names = tuple(match[1].split(".")[1:])
    return partial(_filter, names, _compared(match[2], match[3]) if match[2] else None)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _make_slice(match: re.Match[str]) -> Step:
    bounds = [int(each) if each else None for each in match.groups()]
    return partial(_slice, slice(bounds[0], bounds[1], bounds[2] or None))


_STEPS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]], ...]] = (
    (_STAR, lambda _match: _every),
    (_INDEX, lambda match: partial(_index, int(match[1]))),
    (_SLICE, _make_slice),
    (_FILTER, _make_filter),
    (_QUOTED, lambda match: partial(_field, _unescaped(match[1][1:-1]))),
    (_NAME, lambda match: partial(_field, _unescaped(match[1]))),
)
