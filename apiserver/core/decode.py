"""Read a request's JSON, and notice keys that it says twice: `strictness` tells of them.

msgspec is four times as fast and takes the last of two equal keys in silence. Where somebody asked, what it read is
written again: what lost a key has fewer quotation marks. Only then `json` with a hook looks for the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec

from apiserver.core.values import Json
from machinery.model.errors import BadRequest
from machinery.model.go_json import mismatch, syntax_error

_ESCAPE: Final = re.compile(
    rb"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


_UNTYPED: Final = "couldn't get version/kind; json parse error: "
_LONGEST_QUOTED: Final = 30  # bytes of a body that an error shows, as in Kubernetes
_NO_OBJECT: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)


class NotJson(BadRequest):
    """A body is no JSON; `problem` says why, as Go does."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"couldn't read the body as JSON: {problem}")
        self.problem = problem


class Repeated(dict[str, Any]):
    """An object with keys that it says more than once: as a dict it has the last value of each."""

    pairs: tuple[tuple[str, Any], ...] = ()  # all of them, as they stand there


def read_json(data: bytes, kind: str, *, find_repeated: bool = True) -> tuple[Json, bool]:
    """Return the object, and whether it says keys twice somewhere: there it is `Repeated`, if that was to be found.

    Raises:
        BadRequest: it is no JSON object; the message says that it has to be one of this kind.
    """
    try:
        obj, repeats = read_carefully(data) if find_repeated else (_read(data), False)
    except NotJson as error:
        raise unrecognized(kind, _UNTYPED + error.problem, data) from error
    if not isinstance(obj, dict):
        raise unrecognized(kind, _UNTYPED + mismatch(obj, _NO_OBJECT), data)
    for name in ("apiVersion", "kind"):
        if not isinstance(obj.get(name), str | None):
            said = mismatch(obj[name], "").partition(" into ")[0]
            raise unrecognized(kind, f"{_UNTYPED}{said} into Go struct field .{name} of type string", data)
    return obj, repeats


def unrecognized(kind: str, problem: str, data: bytes) -> BadRequest:
    """Return the error of a body of which not even the type can be read, in Kubernetes' words."""
    text = f"the object provided is unrecognized (must be of type {kind}): {problem} ({_summary(data)})"
    return BadRequest(text)


def _summary(data: bytes) -> str:
    shown = data[:_LONGEST_QUOTED]
    text = shown.decode(errors="replace") if shown[:1] == b"{" else shown.hex()
    return (f"{text} ..." if len(data) > _LONGEST_QUOTED else text) or "<empty>"


def read_any(data: bytes) -> Any:
    """Return the JSON value (a JSON Patch is a list).

    Raises:
        NotJson: it is none.
    """
    return _read(data)


def read_carefully(data: bytes) -> tuple[Any, bool]:
    """Return the JSON value, with objects that say keys twice as `Repeated`; and whether there is one.

    Raises:
        NotJson: it is none.
    """
    text = _without_lone_surrogates(data)
    if (found := _without_repeats(text)) is not None:
        return found, False
    repeats = False

    def gather(pairs: list[tuple[str, Any]]) -> Json:
        nonlocal repeats
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        repeats = True
        marked = Repeated(plain)
        marked.pairs = tuple(pairs)
        return marked

    try:
        obj = json.loads(text, object_pairs_hook=gather, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(syntax_error(data) or str(error)) from error
    return obj, repeats


def repeated_keys(value: Any) -> tuple[str, ...]:
    """Return the keys that a value says again, those further in before those around them.

    Raises:
        BadRequest: it is nested too deeply.
    """
    try:
        return tuple(_said_again(value))
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error


def _said_again(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _said_again(item)
    if isinstance(value, dict):
        known: set[str] = set()
        for key, item in value.pairs if isinstance(value, Repeated) else value.items():
            yield from _said_again(item)
            if key in known:
                yield key
            known.add(key)


def _without_repeats(text: bytes) -> Any:
    r"""Return a JSON value that says no key twice; None where it does, is null, or has to be looked at more closely.

    Each key, and each string, has two quotation marks, and whatever escapes a text has, they are as many when it is
    written again: one in a string is `\"` both times (or `\u0022`, which is looked at more closely).
    """
    if b"\\u0022" in text:
        return None
    try:
        value = msgspec.json.decode(text)
        again = msgspec.json.encode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # told by who looks more closely
    return value if again.count(b'"') == text.count(b'"') else None


def _read(data: bytes) -> Any:
    try:
        return msgspec.json.decode(_without_lone_surrogates(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(syntax_error(data) or str(error)) from error


def _without_lone_surrogates(data: bytes) -> bytes:
    r"""Replace by U+FFFD the escapes of half a character, as Go does: no string could hold them.

    Few bodies have a `\u` at all.
    """
    if b"\\u" not in data:
        return data
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], data)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
