"""What an Ingress wants beyond its spec: some of the annotations of ingress-nginx, with their meaning there.

https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

PREFIX: Final = "nginx.ingress.kubernetes.io/"
_TRUTHS: Final = {"true": True, "false": False}
_SIZE: Final = re.compile(r"([0-9]{1,15})([kmg]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TARGET: Final = re.compile(r"/(?:[A-Za-z0-9\-._~!&'()*+,;=:@/]|%[0-9A-Fa-f]{2}|\$[1-9])*")
_LONGEST_TARGET: Final = 1024


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the annotations say.

    Attributes:
        redirects_to_tls: whether hosts with a certificate send those away who come in the clear.
        always_redirects: whether all hosts do.
        most_body_bytes: 0 for any number.
        rewrite_target: "" for none.
        has_patterns: whether paths of the type ImplementationSpecific are regular expressions.
    """

    redirects_to_tls: bool = True
    always_redirects: bool = False
    most_body_bytes: int = 0
    rewrite_target: str = ""
    has_patterns: bool = False


NO_WISHES: Final = Wishes()


def read_annotations(
    annotations: Mapping[str, str], defaults: Wishes = NO_WISHES
) -> tuple[Wishes, list[str]]:
    """Read an Ingress' annotations; return what they say, and what is wrong with some, which are left out.

    `defaults` is what goes for an Ingress that says nothing of its own.
    """
    own = {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}
    found = _Reader(own, f"annotation {PREFIX}")
    wishes = replace(
        _read_shared(found, defaults),
        rewrite_target=found.target("rewrite-target"),
        has_patterns=found.truth("use-regex", default=False),
    )
    return wishes, [*found.complaints, *found.unknown()]


def read_settings(data: Mapping[str, str]) -> tuple[Wishes, list[str]]:
    """Read what goes for all Ingresses of a class: the annotations, without their prefix, that are about no path of one's own."""
    found = _Reader(data, "key ")
    wishes = _read_shared(found, NO_WISHES)
    return wishes, [*found.complaints, *found.unknown()]


def _read_shared(found: _Reader, defaults: Wishes) -> Wishes:
    return Wishes(
        redirects_to_tls=found.truth("ssl-redirect", default=defaults.redirects_to_tls),
        always_redirects=found.truth("force-ssl-redirect", default=defaults.always_redirects),
        most_body_bytes=found.size("proxy-body-size", default=defaults.most_body_bytes),
    )


class _Reader:
    """Reads values by their keys; `what` is what a key is called in front of its name."""

    def __init__(self, values: Mapping[str, str], what: str) -> None:
        self._left = dict(values)
        self._what = what
        self.complaints: list[str] = []

    def truth(self, key: str, *, default: bool) -> bool:
        text = self._left.pop(key, None)
        if text is not None and text not in _TRUTHS:
            self._complain(key, text, "has to be true or false")
        return _TRUTHS.get(text or "", default)

    def size(self, key: str, *, default: int) -> int:
        text = self._left.pop(key, None)
        if text is None:
            return default
        read = _SIZE.fullmatch(text)
        if read is None:
            self._complain(key, text, "has to be a number of bytes, as 8m")
            return default
        return int(read[1]) * _UNITS[read[2].lower()]

    def target(self, key: str) -> str:
        text = self._left.pop(key, "")
        if text and (not _TARGET.fullmatch(text) or len(text) > _LONGEST_TARGET):
            self._complain(key, text, "has to be a path, with $1 to $9 for what groups have matched")
            return ""
        return text

    def unknown(self) -> list[str]:
        return [f"{self._what}{key} is not supported: it is ignored" for key in sorted(self._left)]

    def _complain(self, key: str, text: str, what: str) -> None:
        self.complaints.append(f"{self._what}{key}: {what}, not {text[:80]!r}; it is ignored")
