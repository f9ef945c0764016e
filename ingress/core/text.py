"""Words of HAProxy's configuration, out of whatever people write into their objects.

Nothing that is written may end its word, its line or its section. A word is quoted where it is not plain, what cannot be in a
line at all is refused, and what a word means to whom (a log format, a list of patterns) is another layer of quoting.

https://docs.haproxy.org/2.6/configuration.html#2.2 (quoting), #8.2.4 (log formats)
"""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@=+,*%-]+")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KEY: Final = re.compile(r"[\x21-\x7e]+")


class UnsafeTextError(ValueError):
    """A text that cannot be in a configuration."""


def is_printable(text: str) -> bool:
    """Whether a text can be a word of a line."""
    return bool(_PRINTABLE.fullmatch(text))


def word(text: str) -> str:
    """Return a text as one word of a line.

    Raises:
        UnsafeTextError: it has characters other than ASCII's printable ones.
    """
    if not is_printable(text):
        raise UnsafeTextError(f"{text[:80]!r} has characters that cannot be configured")
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def literal(text: str) -> str:
    """Return a text as a log format that evaluates to it, still to be made a word."""
    return text.replace("%", "%%")


def name(text: str) -> str:
    """Return the name of a section or a server, as it is.

    Raises:
        UnsafeTextError: it is none.
    """
    if not _NAME.fullmatch(text):
        raise UnsafeTextError(f"{text[:80]!r} is not a name")
    return text


def key(text: str) -> str:
    """Return a key of a map file, which ends at the first blank and is a comment after `#`.

    Raises:
        UnsafeTextError: it would be another key.
    """
    if not _KEY.fullmatch(text) or text.startswith("#"):
        raise UnsafeTextError(f"{text[:80]!r} cannot be looked up")
    return text
