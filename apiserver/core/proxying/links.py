"""Rewrites the links of an HTML page piece by piece; everything else of it stays as it is, byte for byte.

Which attributes of which elements are links is what Kubernetes' proxy takes for links. A page is read as bytes: markup is ASCII
in every encoding that browsers take for text/html, except for UTF-16, which passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Final

_LINKS: Final = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
_MARKUP: Final = re.compile(
    rb"<!--.*?-->|<(?P<tag>[a-zA-Z][a-zA-Z0-9-]*)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL
)
_ATTRIBUTE: Final = re.compile(
    rb"(?P<name>[^\s=>\"'/]+)(?P<equals>\s*=\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"'>]+)"
)
_LARGEST_TAG: Final = 64 * 1024  # bytes; what is longer passes as it is


class LinkRewriter:
    """One page."""

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self._rest = b""  # markup that is not whole yet

    def feed(self, data: bytes) -> bytes:
        """Return what of the page can be passed on now."""
        text = self._rest + data
        whole = _MARKUP.sub(self._markup, text[: (cut := _whole(text))])
        self._rest = text[cut:]
        if len(self._rest) > _LARGEST_TAG:
            whole, self._rest = whole + self._rest, b""
        return whole

    def finish(self) -> bytes:
        """Return the end of the page."""
        rest, self._rest = self._rest, b""
        return rest

    def _markup(self, found: re.Match[bytes]) -> bytes:
        tag = found["tag"]
        links = _LINKS.get(tag.decode().lower()) if tag else None
        if not links:
            return found[0]

        def attribute(each: re.Match[bytes]) -> bytes:
            if each["name"].decode("latin-1").lower() not in links:
                return each[0]
            return each["name"] + each["equals"] + self._value(each["value"])

        return b"<" + tag + _ATTRIBUTE.sub(attribute, found["attributes"]) + b">"

    def _value(self, quoted: bytes) -> bytes:
        quote = quoted[:1] if quoted[:1] in {b'"', b"'"} else b""
        raw = quoted[1:-1] if quote else quoted
        before = unescape(raw.decode("utf-8", "surrogateescape"))
        after = self._rewrite(before)
        if after == before:
            return quoted
        escaped = after.replace("&", "&amp;").replace('"', "&#34;").replace("'", "&#39;")
        return (quote or b'"') + escaped.encode("utf-8", "surrogateescape") + (quote or b'"')


def _whole(text: bytes) -> int:
    """Return the place before the last piece of markup that is not whole yet."""
    comment = text.find(b"<!--", max(0, text.rfind(b"-->")))
    if comment >= 0:
        return comment
    place = text.rfind(b"<")
    return len(text) if place < 0 or _has_ended(text[place:]) else place


def _has_ended(tag: bytes) -> bool:
    """Whether what begins with a "<" is a whole tag, or none."""
    return _MARKUP.match(tag) is not None if tag[1:2].isalpha() else tag not in {b"<", b"<!", b"<!-"}
