"""The heads of plain HTTP/1.1 requests, read by llhttp; whatever is unusual is left to aiohttp.

Plain is: one of the five methods on a path, one Host, no transfer coding, no expectation, and no body with a GET. The
bytes of a head decide that alone, so a connection can hand over what is not plain before any of it has been acted on.
What Go's server answers otherwise than aiohttp's is seen to here as well: lines that end without CR, transfer codings,
upgrades that nobody serves (they are ignored), `Connection: close`.

Clients send the same header lines again and again: what a block of lines was read as is remembered, unless a name in
it is not known to be neither secret (a token) nor new each time (a trace).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict, CIMultiDictProxy

LONGEST: Final = 16 * 1024  # bytes of a plain head
_MOST_FIELDS: Final = 64
_MOST_REMEMBERED: Final = 512  # blocks
_LONGEST_REMEMBERED: Final = 1024  # bytes of a block
_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1\r\n")
_OLDER_LINE: Final = re.compile(rb"[A-Z]+ \S+ HTTP/1\.0\r\n")
_ANY_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ (HTTP/[0-9]\.[0-9])\r?\n")
_CONTENT_LENGTH: Final = re.compile(
    rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE | re.MULTILINE
)
_METHODS: Final = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE".split())
_VERSIONS: Final = frozenset({b"HTTP/1.0", b"HTTP/1.1"})
_STATUS: Final = (
    b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server does not allow this '
    b'method on the requested resource","reason":"MethodNotAllowed","code":405}'
)
_UNKNOWN_METHOD: Final = (
    b"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b"
) % (len(_STATUS), _STATUS)
_UNKNOWN_VERSION: Final = (
    b"HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"505 HTTP Version Not Supported: unsupported protocol version"
)
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")
_TRANSFER_ENCODING: Final = re.compile(rb"^transfer-encoding:([^\n]*)", re.IGNORECASE | re.MULTILINE)
HOST: Final = re.compile(r"[A-Za-z0-9!$%&'()*+,.:;=\[\]_~-]*")
"""What a Host header may be; the table of characters is Go's, which is RFC 3986's and more."""
_NOT_PLAIN: Final = frozenset(
    {
        "content-encoding",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
    }
)
_ONCE: Final = ("authorization", "connection", "content-length", "content-type", "host")
_STEADY: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "kubarium-caller",
        "user-agent",
    }
)


class Unusual(Exception):  # noqa: N818 - no error: aiohttp reads it
    """It is not a plain request."""


class Fields(NamedTuple):
    """The headers, and what follows from them."""

    headers: CIMultiDictProxy[str]
    body_bytes: int  # as announced
    impersonates: bool  # whether a header says so
    closes: bool = False  # whether this is the last request of the connection
    upgrades: bool = False  # whether a header asks for another protocol


class Head(NamedTuple):
    """A request without its body; a tuple, since one is made for each."""

    method: str
    raw_url: str  # path and query, percent-encoded
    fields: Fields
    size: int  # bytes of the head itself, up to where the body begins


def read_head(data: bytes, *, is_known: bool = True) -> Head | None:
    """Read the head that the data begins with; None where its end is still to come.

    `is_known` says that the client has shown a certificate: only what such clients send is remembered.

    Raises:
        Unusual: it is not a plain request, or not a request at all.
    """
    end = data.find(_END, 0, LONGEST)
    if end < 0:
        if len(data) >= LONGEST:
            raise Unusual
        return None
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise Unusual
    size = end + len(_END)
    block = data[line.end() : size]
    fields = _remembered.get(block) or _read(block, is_known=is_known)
    method = line[1].decode()
    if fields.body_bytes and method == "GET":
        raise Unusual
    return Head(method, line[2].decode(), fields, size)


class ComingHead:
    """Counts the bytes of a head that somebody else reads, whichever way they are cut."""

    __slots__ = ("_tail", "has_ended", "size")

    def __init__(self) -> None:
        self.size = 0  # bytes so far
        self.has_ended = False
        self._tail = b""  # may be the beginning of the end

    def add(self, data: bytes) -> None:
        """Count bytes, up to the end."""
        if self.has_ended:
            return
        joined = self._tail + data
        end = joined.find(_END)
        self.has_ended = end >= 0
        self.size += (end + len(_END) if self.has_ended else len(joined)) - len(self._tail)
        self._tail = joined[1 - len(_END) :]


def with_crlf(data: bytes) -> bytes:
    """Return data with CR LF at the end of each line of the head that it begins with, where that is whole.

    Go's server takes LF alone (RFC 9112, 2.2); llhttp, rightly, does not.
    """
    end = _EMPTY_LINE.search(data)
    if end is None:
        return data
    head = data[: end.end()]
    if head.count(b"\n") == head.count(b"\r\n"):
        return data
    return _LINE_END.sub(b"\r\n", head) + data[end.end() :]


def with_one_length(data: bytes) -> bytes:
    """Return data with one Content-Length in the head that it begins with, where that says the same length several times.

    A recipient may take those for one (RFC 9110, 8.6), and Go's server does.
    """
    end = data.find(_END)
    lengths = _CONTENT_LENGTH.findall(data, 0, end + 2) if end >= 0 else []
    if len(lengths) < 2 or len(set(lengths)) > 1:
        return data
    first = _CONTENT_LENGTH.search(data)
    assert first is not None  # noqa: S101 - there are two
    return data[: first.end()] + _CONTENT_LENGTH.sub(b"", data[first.end() : end + 2]) + data[end + 2 :]


def first_alone(data: bytes) -> bytes | None:
    """Return the request of HTTP/1.0 that data begins with, whole and without what follows it; None where it is another.

    Unless it asks for more (`keep-alive`), the connection ends with its answer.
    """
    line, end = _OLDER_LINE.match(data), data.find(_END)
    if line is None or end < 0:
        return None
    head = data[:end].lower()
    length = _CONTENT_LENGTH.search(data, 0, end + 2)
    size = end + len(_END) + (int(length[1]) if length else 0)
    return None if b"keep-alive" in head or len(data) < size else data[:size]


def refused_line(data: bytes) -> bytes:
    """Return the answer to a request whose first line nobody serves: its method, or its version; b"" to any other."""
    line = _ANY_LINE.match(data)
    if line is None:
        return b""
    if line[2] not in _VERSIONS:
        return _UNKNOWN_VERSION
    return b"" if line[1] in _METHODS else _UNKNOWN_METHOD


def has_unknown_coding(data: bytes) -> bool:
    """Whether data begins with a head that names another transfer coding than `chunked`, or several."""
    end = _EMPTY_LINE.search(data)
    if end is None or b" HTTP/1.1" not in data[: data.find(b"\n")]:  # before 1.1 there were none
        return False
    codings = _TRANSFER_ENCODING.findall(data, 0, end.end())
    return bool(codings) and [coding.strip().lower() for coding in codings] != [b"chunked"]


def tokens(value: str) -> frozenset[str]:
    """Return the words of a header that is a list."""
    return frozenset(word.strip().lower() for word in value.split(","))


_remembered: Final[dict[bytes, Fields]] = {}  # by the block of lines


def _read(block: bytes, *, is_known: bool) -> Fields:
    lines = _Lines()
    try:
        with suppress(HttpParserUpgrade):  # all lines are read by then
            HttpRequestParser(lines).feed_data(b"POST / HTTP/1.1\r\n" + block)
        headers = CIMultiDict((name.decode("ascii"), value.decode("ascii")) for name, value in lines.found)
    except (HttpParserError, UnicodeDecodeError) as error:
        raise Unusual from error
    names = [name.lower() for name, _ in headers.items()]  # iterating over the keys gives each once
    _check(headers, names, lines.ends)
    body_bytes = int(headers.get("Content-Length", "0"))  # digits, as the parser has seen to it
    impersonates = any(name.startswith("impersonate-") for name in names)
    closes = "close" in tokens(headers.get("Connection", ""))
    fields = Fields(CIMultiDictProxy(headers), body_bytes, impersonates, closes, "Upgrade" in headers)
    if is_known and len(block) <= _LONGEST_REMEMBERED and _STEADY.issuperset(names):
        _remember(block, fields)
    return fields


class _Lines:
    """What the parser finds; it calls these methods."""

    __slots__ = ("ends", "found")

    def __init__(self) -> None:
        self.ends = 0
        self.found: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found.append((name, value))

    def on_headers_complete(self) -> None:
        self.ends += 1


def _check(headers: CIMultiDict[str], names: list[str], ends: int) -> None:
    repeated = any(names.count(name) > 1 for name in _ONCE)
    if ends != 1 or repeated or len(names) > _MOST_FIELDS:
        raise Unusual
    if not HOST.fullmatch(headers.get("Host", " ")) or not _NOT_PLAIN.isdisjoint(names):
        raise Unusual


def _remember(block: bytes, fields: Fields) -> None:
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()  # those that are in use are back at their next request
    _remembered[block] = fields
