"""The head of a request that is passed on, and the head of its answer, in the manner of Kubernetes' proxies.

What is between two neighbours only (RFC 9110, 7.6.1) is not passed on, nor are the credentials of who asks. Redirects are
rewritten, so that they lead through the proxy again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import join
from typing import Final
from urllib.parse import urlsplit, urlunsplit

Headers = list[tuple[str, str]]

_BETWEEN_NEIGHBOURS: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS: Final = frozenset(
    {"authorization", "expect", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-proto"}
)
_IMPERSONATE: Final = "impersonate-"
_CORS: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy is, as its caller sees it."""

    host: str  # of the Host header
    prefix: str  # the path of the proxy itself, without "/" at its end
    path: str  # what is behind it, percent-encoded; begins with "/"


def request_headers(
    headers: Iterable[tuple[str, str]], place: Place, client: str, *, upgrades: bool
) -> Headers:
    """Return the headers of a request as they are passed on."""
    given = list(headers)
    dropped = _BETWEEN_NEIGHBOURS | _OURS | _named_in_connection(given)
    kept = [
        (name, value)
        for name, value in given
        if name.lower() not in dropped and not name.lower().startswith(_IMPERSONATE)
    ]
    before = [value for name, value in kept if name.lower() == "x-forwarded-for"]
    kept = [(name, value) for name, value in kept if name.lower() != "x-forwarded-for"]
    kept += [
        ("X-Forwarded-For", ", ".join(filter(None, (*before, client)))),
        ("X-Forwarded-Uri", place.prefix + place.path),
        ("X-Forwarded-Host", place.host),
        ("X-Forwarded-Proto", "https"),
    ]
    if upgrades:
        kept += [("Connection", "Upgrade")]
        kept += [(name, value) for name, value in given if name.lower() == "upgrade"]
    return kept


def answer_headers(headers: Iterable[tuple[str, str]], place: Place) -> Headers:
    """Return the headers of an answer as its caller gets them."""
    given = list(headers)
    dropped = _BETWEEN_NEIGHBOURS | _CORS | _named_in_connection(given)
    return [
        (name, rewritten(value, place) if name.lower() == "location" else value)
        for name, value in given
        if name.lower() not in dropped
    ]


def upgrade_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of an answer that upgrades the connection: all of them, except for CORS."""
    return [(name, value) for name, value in headers if name.lower() not in _CORS]


def rewritten(url: str, place: Place) -> str:
    """Return a link that leads through the proxy, where the link given leads to the host behind it by an absolute path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.netloc not in {"", place.host} or not parts.path.startswith("/"):
        return url
    path = parts.path
    if not path.startswith(place.prefix):
        path = join(place.prefix, path.lstrip("/"))
    return urlunsplit(("https", place.host, path, parts.query, parts.fragment))


def is_html(headers: Mapping[str, str]) -> bool:
    """Whether an answer is a page whose links are rewritten, from its headers by lower-case names."""
    return headers.get("content-type", "").partition(";")[0].strip() == "text/html"


def _named_in_connection(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(
        token.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for token in value.split(",")
    )
