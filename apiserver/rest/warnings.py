"""Warnings as headers, bounded as kube-apiserver's are: a body of megabytes must not make a head of megabytes.

Each is said once. They are whole as long as all of them together fit; above that each is cut, and those that come when
there is no more room are left out.
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/1693-warnings
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_ALL: Final = 4 * 1024  # characters, except for what the quotes take
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ONE: Final = 256  # characters of one, where they do not fit


def bounded(warnings: Iterable[str]) -> list[str]:
    """Return the warnings that are sent, in their order: as in Kubernetes none that has a control character, as a line's end.

    No more of them are looked at than it takes to fill the room.
    """
    whole: dict[str, None] = {}
    size = cut_size = 0
    for text in warnings:
        if text in whole or not _is_sent(text):
            continue
        whole[text] = None
        size += len(text)
        cut_size += min(len(text), _ONE)
        if size > _ALL and cut_size >= _ALL:
            break
    return list(whole) if size <= _ALL else list(_cut(whole))


def _cut(warnings: Iterable[str]) -> Iterator[str]:
    """Yield warnings that are cut, as long as there is room."""
    room = _ALL
    for text in warnings:
        if room <= 0:
            return
        yield text[:_ONE]
        room -= min(len(text), _ONE)


def _is_sent(warning: str) -> bool:
    return bool(warning) and _CONTROL.search(warning) is None


def header(warning: str) -> str:
    """Write a warning as a header (RFC 7234, 5.5): code 299, nobody's in particular."""
    return f"299 - {_quoted(warning)}"


def _quoted(warning: str) -> str:
    safe = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in warning)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
