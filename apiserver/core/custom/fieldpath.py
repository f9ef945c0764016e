"""Paths that schemas and definitions name: `.spec.size`, and with `['a.b']` where that is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from apiserver.core.values import Json

_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "'": "'",
    "\\": "\\",
}


class _Bad(Exception):  # noqa: N818 - it says why
    """A path does not fit; the message says why."""


def resolve(path: str, schema: Json, *, brackets: bool = True) -> tuple[Json, str]:
    """Return the schema that a path leads to, and why there is none ("": there is)."""
    try:
        for name in _names_of(path, brackets=brackets):
            schema = _inner(schema, name)
    except _Bad as bad:
        return {}, str(bad)
    return schema, ""


def normalized(path: str, schema: Json) -> str:
    """Return a path as errors write it: fields after dots, keys of maps in brackets; a path that does not fit, as it is."""
    written = ""
    try:
        for name in _names_of(path):
            is_field = bool(schema.get("properties"))
            schema = _inner(schema, name)
            written += f".{name}" if is_field else f"[{name}]"
    except _Bad:
        return path
    return written.removeprefix(".")


def _names_of(path: str, *, brackets: bool = True) -> list[str]:
    """Split a path into the names of fields and keys."""
    parts = iter(_TOKEN.findall(path))
    found = []
    for part in parts:
        if part == ".":
            found.append(_next(parts))
        elif part == "[":
            if not brackets:
                raise _Bad("array notation is not allowed")
            found.append(_quoted(_next(parts)))
            if (closing := _next(parts)) != "]":
                raise _Bad(f"expected ] but got {closing}")
        else:
            raise _Bad(f"expected [ or . but got: {part}")
    return found


def _next(parts: Iterator[str]) -> str:
    part = next(parts, None)
    if part is None:
        raise _Bad("unexpected end of JSON path")
    return part


def _quoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise _Bad(f"expected single quoted string but got {token}")
    for escape in _ESCAPE.finditer(token[1:-1]):
        if escape[1] not in _ESCAPES:
            raise _Bad(f"invalid string literal: invalid escape char {escape[0]}")
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], token[1:-1])


def _inner(schema: Json, name: str) -> Json:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    inner = properties.get(name) if properties else additional
    if not isinstance(inner, dict):
        raise _Bad("does not refer to a valid field")
    return inner
