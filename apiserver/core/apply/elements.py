"""Path elements: one step from a value to a part of it, as text in the form of FieldsV1.

    f:replicas                  a field of a struct, or a key of a map
    k:{"name":"web"}            the element of a list of type map that has these keys
    v:"kubernetes.io/pvc"       the element of a list of type set that has this value
    i:3                         an element by its place (only read: no list that is tracked has any)

A text is canonical (keys by name, no spaces), so that equal elements are equal texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

_REMEMBERED: Final = 4096  # keys and values of lists: an object has the same ones at each write
_LONGEST_REMEMBERED: Final = 256  # characters
_ESCAPED: Final = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})
_WHOLE_BELOW: Final = 2.0**63


def field(name: str) -> str:
    """Return the element of a field."""
    return "f:" + name


def name_of(element: str) -> str:
    """Return the name of a field, "" of another element."""
    return element[2:] if element.startswith("f:") else ""


def value(item: Any) -> str:
    """Return the element of a value in a set."""
    if type(item) is str and len(item) <= _LONGEST_REMEMBERED:
        return _string_value(item)
    return "v:" + _json(item)


@lru_cache(maxsize=_REMEMBERED)
def _string_value(item: str) -> str:
    return "v:" + _json(item)


def key(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """Return the element of a list's item with these keys."""
    if all(type(each) is int or (type(each) is str and len(each) <= _LONGEST_REMEMBERED) for each in values):
        return _short_key(names, values)
    return _key(names, values)


def one_key(name: str, value: Any) -> str:
    """Return the element of a list's item that is known by one key."""
    if type(value) is str and len(value) <= _LONGEST_REMEMBERED:
        return _short_key((name,), (value,))
    return key((name,), (value,))


def _key(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    return "k:" + _json(dict(sorted(zip(names, values, strict=True))))


_short_key = lru_cache(maxsize=_REMEMBERED)(_key)


def canonical(text: str) -> str:
    """Return an element that a client wrote in the one form that it has here.

    Raises:
        ValueError: it is no path element.
    """
    match text[:2]:
        case "f:":
            return text
        case "v:":
            return "v:" + _json(_decoded(text))
        case "k:":
            keys = _decoded(text)
            if not isinstance(keys, dict):
                raise ValueError(f"the keys of {_shown(text)} are no JSON object")  # noqa: TRY004 - of a client
            return "k:" + _json(dict(sorted(keys.items())))
        case "i:" if text[2:].isascii() and text[2:].removeprefix("-").isdigit() and len(text) < 20:
            return f"i:{int(text[2:])}"
    raise ValueError(f"{_shown(text)} is no path element: it has to begin with f:, k:, v: or i:")


def describe(path: Iterable[str]) -> str:
    """Write a path as messages have it: `.spec.containers[name="web"].image`."""
    return "".join(map(_described, path))


def _described(element: str) -> str:
    match element[:2]:
        case "f:":
            return f".{element[2:]}"
        case "v:":
            return f"[={element[2:]}]"
        case "k:":
            keys = _decoded(element)
            return f"[{','.join(f'{name}={_json(item)}' for name, item in keys.items())}]"
    return f"[{element[2:]}]"


def in_order(elements: Iterable[str]) -> list[str]:
    """Sort elements as FieldsV1 has them: fields, then keys, values and places, numbers by their size."""
    ordered = sorted(elements)
    if ordered and ordered[-1][0] > "f":  # "." and "f:" come before all others as texts, too
        ordered.sort(key=_rank)
    return ordered


@lru_cache(maxsize=_REMEMBERED)
def _rank(element: str) -> tuple[Any, ...]:
    match element[:2]:
        case "k:":
            return (2, tuple((name, *_value_rank(item)) for name, item in _decoded(element).items()))
        case "v:":
            return (3, _value_rank(_decoded(element)))
        case "i:":
            return (4, int(element[2:]))
    return (0 if element == "." else 1, element)


def _value_rank(item: Any) -> tuple[int, Any]:
    match item:
        case bool():
            return (2, item)
        case int() | float():
            return (0, item)
        case str():
            return (1, item)
    return (3, _json(item))


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text[2:])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"{_shown(text)} has no JSON behind its colon") from error


def _json(item: Any) -> str:
    """Write JSON as upstream does: signs that HTML knows are escaped, a whole number has no fraction."""
    if isinstance(item, dict):
        item = {name: _whole(each) for name, each in item.items()}
    return msgspec.json.encode(_whole(item)).decode().translate(_ESCAPED)


def _whole(item: Any) -> Any:
    if isinstance(item, float) and item.is_integer() and abs(item) < _WHOLE_BELOW:
        return int(item)
    return item


def _shown(text: str) -> str:
    return msgspec.json.encode(text[:60]).decode()
