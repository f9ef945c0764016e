"""Read a request's JSON, and notice keys that it says twice: `strictness` tells of them.

msgspec is four times as fast and takes the last of two equal keys in silence. Where somebody asked, what it read is
written again: what lost a key has fewer quotation marks. Only then `json` with a hook looks for the place.
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


class Repeated(dict[str, Any]):
    """An object with keys that it says more than once: as a dict it has the last value of each."""

    pairs: tuple[tuple[str, Any], ...] = ()  # all of them, as they stand there


def read_json(data: bytes, *, find_repeated: bool = True) -> tuple[Json, bool]:
    """Return the object, and whether it says keys twice somewhere: there it is `Repeated`, if that was to be found.

    Raises:
        BadRequest: it is no JSON object.
    """
    obj, repeats = read_carefully(data) if find_repeated else (_read(data), False)
    if not isinstance(obj, dict):
        raise BadRequest("the body of the request has to be a JSON object")
    return obj, repeats


def read_any(data: bytes) -> Any:
    """Return the JSON value (a JSON Patch is a list).

    Raises:
        BadRequest: it is no JSON.
    """
    return _read(data)


def read_carefully(data: bytes) -> tuple[Any, bool]:
    """Return the JSON value, with objects that say keys twice as `Repeated`; and whether there is one.

    Raises:
        BadRequest: it is no JSON.
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
        raise BadRequest(f"couldn't read the body as JSON: {error}") from error
    return obj, repeats


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
        raise BadRequest(f"couldn't read the body as JSON: {error}") from error


def _without_lone_surrogates(data: bytes) -> bytes:
    r"""Replace by U+FFFD the escapes of half a character, as Go does: no string could hold them.

    Few bodies have a `\u` at all.
    """
    if b"\\u" not in data:
        return data
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], data)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
