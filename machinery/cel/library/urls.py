"""URLs as Go reads those of requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, unquote

from machinery.cel import costs
from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import function, method
from machinery.cel.types import BOOL, STRING, abstract, list_of, map_of

URL: Final = abstract("kubernetes.URL")

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_WRITTEN: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%\[\]]*", re.ASCII)
_PORT: Final = re.compile(r"(:\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """The parts of a URL that expressions can ask for."""

    text: str
    scheme: str
    host: str
    escaped_path: str
    query: str

    type_name = "kubernetes.URL"

    @property
    def hostname(self) -> str:
        """The host without its port, and without the brackets of an IPv6 address."""
        if self.host.startswith("["):
            return self.host[1 : self.host.index("]")]
        return self.host.partition(":")[0]

    @property
    def port(self) -> str:
        """The port as it was written, or ""."""
        return self.host.rpartition("]")[2].partition(":")[2]


def parse_url(text: str) -> ParsedUrl:
    """Return the parts of an absolute URL, or of an absolute path.

    Raises:
        EvaluationError: it is none.
    """
    if not text or any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise _invalid(text, "net/url: invalid control character in URL" if text else "empty url")
    found = _SCHEME.match(text)
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("", text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/") and (not scheme or not rest):
        raise _invalid(text, "invalid URI for request")
    host = ""
    if scheme and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        host, rest = _host(text, authority.rpartition("@")[2]), slash + path
    if _ESCAPE.search(rest):
        raise _invalid(text, f'invalid URL escape "{rest[rest.index("%") : rest.index("%") + 3]}"')
    if not rest.startswith("/") and rest:
        return ParsedUrl(text, scheme, "", "", query)  # opaque, as mailto:a@b
    return ParsedUrl(text, scheme, host, _escaped(rest), query)


def _escaped(path: str) -> str:
    """Return a path as it was written if it may be written so, otherwise escaped."""
    return path if _WRITTEN.fullmatch(path) else quote(unquote(path), safe="/$&+,:;=@~")


def _invalid(text: str, why: str) -> EvaluationError:
    return EvaluationError(f'URL parse error during conversion from string: parse "{text}": {why}')


def _host(text: str, host: str) -> str:
    if host.startswith("["):
        end = host.find("]")
        if end < 0:
            raise _invalid(text, "missing ']' in host")
        if not _PORT.fullmatch(host[end + 1 :]):
            raise _invalid(text, f'invalid port "{host[end + 1 :]}" after host')
        return host
    name, colon, port = host.partition(":")
    if not _PORT.fullmatch(colon + port):
        raise _invalid(text, f'invalid port "{colon}{port}" after host')
    if any(character in name for character in ' <>"{}|\\^`'):
        raise _invalid(text, "invalid character in host name")
    return unquote(name) + colon + port


def _is_url(text: str) -> bool:
    try:
        parse_url(text)
    except EvaluationError:
        return False
    return True


def _query(url: ParsedUrl) -> dict[str, list[str]]:
    try:
        return parse_qs(url.query, keep_blank_values=True, max_num_fields=10_000)
    except ValueError as why:
        raise EvaluationError(f"the query of a URL is not read: {why}") from None


FUNCTIONS: Final = (
    function("url", (STRING,), URL, parse_url, cost=costs.by_size(), estimate=costs.estimate_size()),
    function("isURL", (STRING,), BOOL, _is_url, cost=costs.by_size(), estimate=costs.estimate_size()),
    method("getScheme", (URL,), STRING, lambda url: url.scheme),
    method("getHost", (URL,), STRING, lambda url: url.host),
    method("getHostname", (URL,), STRING, lambda url: url.hostname),
    method("getPort", (URL,), STRING, lambda url: url.port),
    method("getEscapedPath", (URL,), STRING, lambda url: url.escaped_path),
    method("getQuery", (URL,), map_of(STRING, list_of(STRING)), _query),
)
