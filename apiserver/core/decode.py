"""Read a request's JSON, and notice keys that it says twice.

msgspec is four times as fast and takes the last of two equal keys in silence, so it serves where nobody asked
(fieldValidation=Ignore); `json` with a hook serves where somebody did.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

import msgspec

from apiserver.core.values import Json
from machinery.model.errors import BadRequest

_ESCAPE: Final = re.compile(
    rb"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class _Repeated(dict[str, Any]):
    """An object with keys that it says more than once."""

    repeated: tuple[str, ...] = ()


def read_json(data: bytes, *, find_duplicates: bool = True) -> tuple[Json, tuple[str, ...]]:
    """Return the object, and the paths of the keys that it says twice (the last one counts).

    Raises:
        BadRequest: it is no JSON object.
    """
    obj, duplicates = _read_carefully(data) if find_duplicates else (_read(data), ())
    if not isinstance(obj, dict):
        raise BadRequest("the body of the request has to be a JSON object")
    return obj, duplicates


def read_any(data: bytes) -> Any:
    """Return the JSON value (a JSON Patch is a list).

    Raises:
        BadRequest: it is no JSON.
    """
    return _read(data)


def _read(data: bytes) -> Any:
    try:
        return msgspec.json.decode(_without_lone_surrogates(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"couldn't read the body as JSON: {error}") from error


def _read_carefully(data: bytes) -> tuple[Any, tuple[str, ...]]:
    found: list[_Repeated] = []

    def gather(pairs: list[tuple[str, Any]]) -> Json:
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        marked = _Repeated(plain)
        marked.repeated = _twice([key for key, _ in pairs])
        found.append(marked)
        return marked

    try:
        text = _without_lone_surrogates(data)
        obj = json.loads(text, object_pairs_hook=gather, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"couldn't read the body as JSON: {error}") from error
    return obj, tuple(_paths(obj, "")) if found else ()


def _without_lone_surrogates(data: bytes) -> bytes:
    r"""Replace by U+FFFD the escapes of half a character, as Go does: no string could hold them.

    Few bodies have a `\u` at all.
    """
    if b"\\u" not in data:
        return data
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], data)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _twice(keys: list[str]) -> tuple[str, ...]:
    return tuple(key for index, key in enumerate(keys) if keys.index(key) < index)


def _paths(value: Any, path: str) -> list[str]:
    paths = []
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            paths += [f"{path}.{key}" if path else key for key in value.repeated]
        for key, item in value.items():
            paths += _paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            paths += _paths(item, f"{path}[{index}]")
    return paths
