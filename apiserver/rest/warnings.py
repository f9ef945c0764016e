"""Warnings as headers, bounded as kube-apiserver's are: a body of megabytes must not make a head of megabytes.

Each is said once. They are whole as long as all of them together fit; above that each is cut, and those that come when
there is no more room are left out.
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/1693-warnings
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

_ALL: Final = 4 * 1024  # characters, except for what the quotes take
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ONE: Final = 256  # characters of one, where they do not fit


def bounded(warnings: Iterable[str]) -> list[str]:
    """Return the warnings that are sent, in their order: as in Kubernetes none that has a control character, as a line's end."""
    distinct = list(islice(dict.fromkeys(filter(_is_sent, warnings)), _ALL))
    if sum(map(len, distinct)) <= _ALL:
        return distinct
    sent: list[str] = []
    room = _ALL
    for text in distinct:
        if room <= 0:
            break
        sent.append(text[:_ONE])
        room -= len(sent[-1])
    return sent


def _is_sent(warning: str) -> bool:
    return bool(warning) and _CONTROL.search(warning) is None


def header(warning: str) -> str:
    """Write a warning as a header (RFC 7234, 5.5): code 299, nobody's in particular."""
    return f"299 - {_quoted(warning)}"


def _quoted(warning: str) -> str:
    safe = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in warning)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
