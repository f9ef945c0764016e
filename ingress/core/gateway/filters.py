"""What becomes of requests on their way: a route's filters and times, as the proxy's options.

https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ingress.core import text
from ingress.core.gateway.objects import (
    Filter,
    Header,
    HeaderFilter,
    PathModifier,
    Redirect,
    Timeouts,
    URLRewrite,
)
from ingress.core.rules import NO_OPTIONS, Headers, Moved, Options

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_PIECE: Final = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_UNITS_MS: Final = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST_MS: Final = 24 * 86_400_000  # what the proxy can count to
_PORTS: Final = {"http": 80, "https": 443}


class UnsupportedError(ValueError):
    """A value that the proxy does not follow; the text names it."""


class UnknownKindError(ValueError):
    """A reference to an object of a kind that nobody here knows; the text names it."""


class Sent(NamedTuple):
    """Where clients are sent to, at one listener."""

    scheme: str
    host: str  # "" for the one that they have asked for
    port: int  # 0: it is not written
    code: int
    moved: Moved | None


class Steps(NamedTuple):
    """What filters say."""

    options: Options = NO_OPTIONS
    redirect: Redirect | None = None
    moved: Moved | None = None  # of the redirection


def read_filters(filters: Iterable[Filter], prefix: str, before: Options = NO_OPTIONS) -> Steps:
    """Read the filters of a rule or of one of its backends; `prefix` is what ReplacePrefixMatch replaces.

    Raises:
        UnsupportedError: one is not followed.
        UnknownKindError: one is an object of another kind.
    """
    steps = Steps(before)
    for each in filters:
        steps = _read(each, prefix, steps)
    return steps


def _read(filter_: Filter, prefix: str, steps: Steps) -> Steps:
    options = steps.options
    match filter_:
        case Filter(type="RequestHeaderModifier", requestHeaderModifier=HeaderFilter() as given):
            return steps._replace(
                options=replace(options, request_headers=(*options.request_headers, read_headers(given)))
            )
        case Filter(type="ResponseHeaderModifier", responseHeaderModifier=HeaderFilter() as given):
            return steps._replace(
                options=replace(options, response_headers=(*options.response_headers, read_headers(given)))
            )
        case Filter(type="URLRewrite", urlRewrite=URLRewrite() as given):
            moved = _moved(given.path, prefix) or options.moved
            return steps._replace(options=replace(options, host=given.hostname or options.host, moved=moved))
        case Filter(type="RequestRedirect", requestRedirect=Redirect() as given):
            return steps._replace(redirect=given, moved=_moved(given.path, prefix))
        case Filter(type="ExtensionRef"):
            raise UnknownKindError("no filter of the type ExtensionRef is known")
        case _:
            raise UnsupportedError(f"filters of the type {filter_.type} are not supported")


def read_headers(given: HeaderFilter) -> Headers:
    """Return what is done to headers. Of several of one name, the first counts.

    Raises:
        UnsupportedError: a name or a value cannot be in a header.
    """
    removed = tuple(dict.fromkeys(each.lower() for each in given.remove))
    for name in removed:
        _check_name(name)
    return Headers(_named(given.written), _named(given.add), removed)


def _named(headers: Sequence[Header]) -> tuple[tuple[str, str], ...]:
    found: dict[str, tuple[str, str]] = {}
    for each in headers:
        _check_name(each.name)
        if not text.is_printable(each.value):
            raise UnsupportedError(
                f"the value of the header {each.name} is not of ASCII's printable characters"
            )
        found.setdefault(each.name.lower(), (each.name, each.value))
    return tuple(found.values())


def _check_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise UnsupportedError(f"{name[:80]!r} is not the name of a header")


def _moved(path: PathModifier | None, prefix: str) -> Moved | None:
    if path is None:
        return None
    if path.type == "ReplaceFullPath":
        return Moved(None, _path(path.replaceFullPath or "/"))
    if path.type == "ReplacePrefixMatch":
        return Moved(prefix, _path(path.replacePrefixMatch or "").rstrip("/"))
    raise UnsupportedError(f"{path.type} is no way to replace a path")


def _path(value: str) -> str:
    if not _PATH.fullmatch(value) or not value.startswith("/"[: len(value)]):
        raise UnsupportedError(f"{value[:80]!r} is not a path")
    return value


def sent_at(redirect: Redirect, moved: Moved | None, scheme: str, port: int) -> Sent:
    """Return where clients are sent to who have come to a port by a scheme."""
    to_scheme = redirect.scheme or scheme
    to_port = redirect.port or (_PORTS[to_scheme] if redirect.scheme else port)
    shown = 0 if to_port == _PORTS[to_scheme] else to_port
    return Sent(to_scheme, redirect.hostname, shown, redirect.statusCode, moved)


def with_timeouts(options: Options, timeouts: Timeouts) -> Options:
    """Return the options with the times that answers may take; zero is as long as the proxy can wait."""
    request, backend = (_duration_ms(each) for each in (timeouts.request, timeouts.backendRequest))
    found = [each for each in (request, backend) if each is not None]
    if not found:
        return options
    tries_once = request is not None and request < _LONGEST_MS
    return replace(options, answer_within_ms=min(found), tries_once=tries_once)


def _duration_ms(duration: str) -> int | None:
    if not duration:
        return None
    total = sum(int(number) * _UNITS_MS[unit] for number, unit in _PIECE.findall(duration))
    return min(total, _LONGEST_MS) or _LONGEST_MS
