"""Read a request's JSON, and notice keys that it says twice.

msgspec is four times as fast and takes the last of two equal keys in silence, so it serves where nobody asked
(fieldValidation=Ignore); `json` with a hook serves where somebody did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NoReturn

import msgspec

from apiserver.core.values import Json
from machinery.model.errors import BadRequest

_ESCAPE: Final = re.compile(
    rb"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
MOST_DUPLICATES: Final = 100  # keys that are told, as in Kubernetes; what is wrong is clear by then
LONGEST_PATH: Final = 1000  # characters


class _Repeated(dict[str, Any]):
    """An object with keys that it says more than once."""

    repeated: tuple[str, ...] = ()


def read_json(data: bytes, *, find_duplicates: bool = True) -> tuple[Json, tuple[str, ...]]:
    """Return the object, and the paths of the first 100 keys that it says twice (the last one counts).

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
    return obj, tuple(islice(_paths(obj, ()), MOST_DUPLICATES)) if found else ()


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
    """Return the keys that stand there again, each once, in the order of their second place."""
    seen: set[str] = set()
    again: dict[str, None] = {}
    for key in keys:
        if key in seen:
            again[key] = None
        seen.add(key)
    return tuple(again)


def _paths(value: Any, steps: tuple[Any, ...]) -> Iterator[str]:
    """Yield the paths of the keys that are repeated; `steps` is linked, so that a path costs only where it is told."""
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            yield from (_path((steps, key)) for key in value.repeated)
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from _paths(item, (steps, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from _paths(item, (steps, index))


def _path(steps: tuple[Any, ...]) -> str:
    """Write a path as .spec.containers[0].name without the first dot; one that is too long is cut."""
    parts: list[str] = []
    while steps:
        steps, step = steps
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_PATH]}")
    return "".join(reversed(parts)).removeprefix(".")[:LONGEST_PATH]
