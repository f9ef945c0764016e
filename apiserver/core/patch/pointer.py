"""JSON Pointer, RFC 6901: how places of a document are named, and a draft in which they are changed."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import msgspec

Tokens: TypeAlias = tuple[str, ...]
_INDEX: Final = re.compile("0|[1-9][0-9]*", re.ASCII)
_MOST_SHIFTED: Final = 200_000_000  # elements of lists that make room or close ranks: some 100 ms
_MOST_COPIED: Final = (
    3 * 1024 * 1024
)  # bytes of JSON, as in Kubernetes: copies of copies would double it each time
_MOST_SHOWN, _LONGEST = 100, 1000  # parts and characters of a path in a message


class Missing(Exception):  # noqa: N818 - it names an outcome
    """A place is not there. The text says which part of the path leads nowhere."""


class TooMuch(Exception):  # noqa: N818 - it names an outcome
    """The changes would take too long. The text says what there is too much of."""


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


class Draft:
    """A document that is changed in place, while the one that it began as stays as it was.

    A container is copied when something in it changes for the first time, and never again: many changes cost as much as
    the document and their own number. Containers that are given to `add` and `replace` are not changed either.
    """

    def __init__(self, document: Any) -> None:
        self.document = document
        self._own: dict[int, Any] = {}  # by id; held, so that no other container gets the id
        self._shifted = self._copied = 0

    def look(self, path: Tokens) -> Any:
        """Return the value at a place.

        Raises:
            Missing: it is not there.
        """
        return look(self.document, path)

    def add(self, path: Tokens, value: Any) -> None:
        """Set a value in an object, or insert it in a list ("-": at its end).

        Raises:
            Missing: the place that should hold it is not there.
            TooMuch: so much was inserted before so many others that it would take too long.
        """
        if not path:
            self.document = value
            return
        holder, part = self._holder(path), path[-1]
        if isinstance(holder, dict):
            holder[part] = value
            return
        index = len(holder) if part == "-" else _index(part, len(holder) + 1, path)
        self._shift(len(holder) - index)
        holder.insert(index, value)

    def copy(self, source: Tokens, path: Tokens) -> None:
        """Add a value that stands elsewhere; a change of one does not show in the other.

        Raises:
            Missing: it is not there, or the place that should hold it is not.
            TooMuch: it was copied so much that it would take too long.
        """
        value = msgspec.json.encode(self.look(source))
        self._copied += len(value)
        if self._copied > _MOST_COPIED:
            raise TooMuch("copies too much")
        self.add(path, msgspec.json.decode(value))

    def remove(self, path: Tokens) -> None:
        """Remove a place.

        Raises:
            Missing: it is not there.
            TooMuch: so much was taken out before so many others that it would take too long.
        """
        if not path:
            self.document = None
            return
        holder, part = self._holder(path), path[-1]
        _step(holder, part, path)
        if isinstance(holder, dict):
            del holder[part]
            return
        self._shift(len(holder) - int(part))
        del holder[int(part)]

    def replace(self, path: Tokens, value: Any) -> None:
        """Put another value at a place.

        Raises:
            Missing: it is not there.
        """
        if not path:
            self.document = value
            return
        holder, part = self._holder(path), path[-1]
        _step(holder, part, path)
        holder[part if isinstance(holder, dict) else int(part)] = value

    def _holder(self, path: Tokens) -> Any:
        """Return what holds a place, for it to be changed: it and all around it are this draft's own."""
        self.document = holder = self._owned(self.document, path)
        for part in path[:-1]:
            inner = self._owned(_step(holder, part, path), path)
            holder[part if isinstance(holder, dict) else int(part)] = inner
            holder = inner
        return holder

    def _owned(self, container: Any, path: Tokens) -> Any:
        if not isinstance(container, dict | list):
            raise Missing(_nowhere(path))
        if id(container) in self._own:
            return container
        own = container.copy()
        self._own[id(own)] = own
        return own

    def _shift(self, count: int) -> None:
        self._shifted += count
        if self._shifted > _MOST_SHIFTED:
            raise TooMuch("moves too much of a list")


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
    shown = text(path[:_MOST_SHOWN])
    return (
        f'nothing is at "{shown[:_LONGEST]}{"…" if len(shown) > _LONGEST or len(path) > _MOST_SHOWN else ""}"'
    )
