"""JSON Pointer, RFC 6901, over a document that is never changed: each change gives a new root.

Only the containers on the way to the place are copied; the rest is shared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Tokens: TypeAlias = tuple[str, ...]
_INDEX: Final = re.compile("0|[1-9][0-9]*", re.ASCII)


class Missing(Exception):  # noqa: N818 - it names an outcome
    """A place is not there. The text says which part of the path leads nowhere."""


def tokens(pointer: str) -> Tokens:
    """Split a pointer: /metadata/labels/a~1b.

    Raises:
        ValueError: it is no JSON Pointer.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f'the JSON pointer "{pointer}" has to start with "/"')
    if re.search("~(?![01])", pointer):
        raise ValueError(f'in the JSON pointer "{pointer}" a "~" has to be followed by 0 or 1')
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def text(path: Tokens) -> str:
    """Write a pointer."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def look(document: Any, path: Tokens) -> Any:
    """Return the value at a place.

    Raises:
        Missing: it is not there.
    """
    for depth, part in enumerate(path):
        document = _step(document, part, path[: depth + 1])
    return document


def added(document: Any, path: Tokens, value: Any) -> Any:
    """Return the document with a value set in an object, or inserted in a list ("-": at its end).

    Raises:
        Missing: the place that should hold it is not there.
    """

    def add(holder: Any, part: str) -> Any:
        if isinstance(holder, dict):
            return {**holder, part: value}
        index = len(holder) if part == "-" else _index(part, len(holder) + 1, path)
        return [*holder[:index], value, *holder[index:]]

    return _changed(document, path, path, add) if path else value


def removed(document: Any, path: Tokens) -> Any:
    """Return the document without a place.

    Raises:
        Missing: it is not there.
    """

    def remove(holder: Any, part: str) -> Any:
        _step(holder, part, path)
        if isinstance(holder, dict):
            return {name: item for name, item in holder.items() if name != part}
        index = int(part)
        return [*holder[:index], *holder[index + 1 :]]

    return _changed(document, path, path, remove) if path else None


def replaced(document: Any, path: Tokens, value: Any) -> Any:
    """Return the document with another value at a place.

    Raises:
        Missing: it is not there.
    """

    def replace(holder: Any, part: str) -> Any:
        _step(holder, part, path)
        return _with(holder, part, value)

    return _changed(document, path, path, replace) if path else value


def _changed(document: Any, path: Tokens, whole: Tokens, change: Callable[[Any, str], Any]) -> Any:
    head, rest = path[0], path[1:]
    if not rest:
        if not isinstance(document, dict | list):
            raise Missing(_nowhere(whole))
        return change(document, head)
    inner = _step(document, head, whole)
    return _with(document, head, _changed(inner, rest, whole, change))


def _with(holder: Any, part: str, value: Any) -> Any:
    if isinstance(holder, dict):
        return {**holder, part: value}
    index = int(part)
    return [*holder[:index], value, *holder[index + 1 :]]


def _step(holder: Any, part: str, path: Tokens) -> Any:
    if isinstance(holder, dict) and part in holder:
        return holder[part]
    if isinstance(holder, list):
        return holder[_index(part, len(holder), path)]
    raise Missing(_nowhere(path))


def _index(part: str, limit: int, path: Tokens) -> int:
    if not _INDEX.fullmatch(part) or len(part) > 9 or int(part) >= limit:
        raise Missing(f"{_nowhere(path)}: there is no index {part}")
    return int(part)


def _nowhere(path: Tokens) -> str:
    return f'nothing is at "{text(path)}"'
