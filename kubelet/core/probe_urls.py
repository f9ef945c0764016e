"""The URL of a probe or hook: what Go's net/url makes of the `path` in a manifest, and of a redirect. Pure.

The kubelet upstream parses `path` as a URL and puts scheme, host and port of the probe in their places, so that a path may
bring a query, a fragment (never sent) or user and password, also as a whole URL. What is no URL is a path, character by
character. Characters that may not stand in a path are percent-encoded (`/a b` is asked for as `/a%20b`); one that is
encoded already stays as it is written; a query is sent as it is written.

Source: `FormatURL` in kubernetes/pkg/probe/http and `Parse`, `EscapedPath`, `RequestURI` in Go's net/url.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_USERINFO: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST: Final = re.compile(r"(\[[^\]]*\]|[A-Za-z0-9\-._~!$&'()*+,;=<>\"%\x80-\U0010ffff]*)(:[0-9]*)?")
_ENCODED_PATH: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]%]*")
_UNESCAPED_IN_PATHS: Final = "$&+,/:;=@"


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """Where a request goes, and what its first line asks for."""

    scheme: str
    host: str
    port: int
    path: str  # percent-encoded; begins with "/", or is empty
    query: str = ""  # with its "?", where there is one
    userinfo: str = ""  # "user:password", percent-encoded, where there is one

    @property
    def netloc(self) -> str:
        """Host and port, as in a Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def target(self) -> str:
        """What the request's first line asks for."""
        return f"{self.path or '/'}{self.query}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}{self.query}"


class _NotUrlError(ValueError):
    """The path of a manifest is only a path."""


def probe_url(scheme: str, host: str, port: int, path: str) -> HttpUrl:
    """Return the URL that a probe of `path` asks for.

    Raises:
        ValueError: there is nothing to ask, since the path is "scheme:something".
    """
    try:
        path, query, userinfo = _parse(path)
    except _NotUrlError:
        path, query, userinfo = quote(path, safe=_UNESCAPED_IN_PATHS), "", ""
    rooted = path if path.startswith("/") or not path else f"/{path}"
    return HttpUrl(scheme.lower() or "http", host, port, rooted, query, userinfo)


def redirected(url: HttpUrl, location: str) -> HttpUrl:
    """Return where a Location header sends a request for `url`.

    Raises:
        ValueError: the header is no URL, or not one of HTTP.
    """
    if _CONTROL.search(location):
        raise ValueError("net/url: invalid control character in URL")
    parts = urlsplit(urljoin(str(url), location))
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f'unsupported protocol scheme "{parts.scheme}"')
    if not parts.hostname:
        raise ValueError("http: no Host in request URL")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    query = f"?{parts.query}" if parts.query else ""
    return HttpUrl(parts.scheme, parts.hostname, port, _escape_path(parts.path), query)


def _parse(text: str) -> tuple[str, str, str]:
    """Return path (percent-encoded), query (with its "?") and userinfo of a URL."""
    rest, _, fragment = text.partition("#")
    if _CONTROL.search(text) or rest.startswith(":") or _BAD_ESCAPE.search(fragment):
        raise _NotUrlError
    scheme = _SCHEME.match(rest)
    rest, mark, query = rest[scheme.end() if scheme else 0 :].partition("?")
    if not rest.startswith("/"):
        if scheme:
            raise ValueError("http: no Host in request URL")
        if ":" in rest.partition("/")[0]:
            raise _NotUrlError
    userinfo = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        userinfo, rest = _userinfo(authority), slash + rest
    if _BAD_ESCAPE.search(rest):
        raise _NotUrlError
    return _escape_path(rest), mark + query, userinfo


def _userinfo(authority: str) -> str:
    userinfo, _, host = authority.rpartition("@")
    if not _HOST.fullmatch(host) or not _USERINFO.fullmatch(userinfo) or _BAD_ESCAPE.search(authority):
        raise _NotUrlError
    return userinfo


def _escape_path(path: str) -> str:
    if _ENCODED_PATH.fullmatch(path):
        return path
    return quote(unquote_to_bytes(path), safe=_UNESCAPED_IN_PATHS)
