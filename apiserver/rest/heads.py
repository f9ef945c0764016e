"""The heads of plain HTTP/1.1 requests, read strictly; whatever is unusual is left to a full parser.

Plain is: one of the five methods on a path, a Host, no transfer coding, no upgrade, no expectation, at most one
Content-Length, and a connection that stays. Clients send the same headers again and again, so a block of header
lines is parsed once and remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multidict import CIMultiDict, CIMultiDictProxy

LONGEST: Final = 16 * 1024  # bytes of a plain head
_MOST_FIELDS: Final = 64
_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1")
_FIELD: Final = re.compile(
    rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?[ \t]*"
)
_NOT_PLAIN: Final = frozenset(
    {
        "content-encoding",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_ONCE: Final = frozenset({"authorization", "connection", "content-length", "content-type", "host"})


class Unusual(Exception):  # noqa: N818 - no error: somebody else reads it
    """It is no plain request."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The headers, and what they come to."""

    headers: CIMultiDictProxy[str]
    content_length: int
    impersonates: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body."""

    method: str
    raw_path: str  # with the query
    fields: Fields
    size: int  # bytes of it, up to where the body begins


def read_head(data: bytes) -> Head | None:
    """Read the head that the data begins with; None where its end is still to come.

    Raises:
        Unusual: it is no plain request, or no request at all.
    """
    end = data.find(_END, 0, LONGEST)
    if end < 0:
        if len(data) >= LONGEST:
            raise Unusual
        return None
    line_end = data.find(b"\r\n")
    line = _REQUEST_LINE.fullmatch(data, 0, line_end)
    if line is None:
        raise Unusual
    fields = _fields(data[line_end + 2 : end])
    method, raw_path = line[1].decode(), line[2].decode()
    if fields.content_length and method == "GET":
        raise Unusual
    return Head(method, raw_path, fields, end + len(_END))


@lru_cache(maxsize=512)
def _fields(block: bytes) -> Fields:
    from multidict import CIMultiDict, CIMultiDictProxy

    headers: CIMultiDict[str] = CIMultiDict()
    for line in block.split(b"\r\n"):
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Unusual
        headers.add(field[1].decode(), (field[2] or b"").decode())
    _check(headers)
    names = {name.lower() for name in headers}
    length = _length(headers.get("Content-Length", "0"))
    return Fields(CIMultiDictProxy(headers), length, any(name.startswith("impersonate-") for name in names))


def _check(headers: CIMultiDict[str]) -> None:
    names = [name.lower() for name, _ in headers.items()]  # iterating over the keys gives each once
    repeated = any(names.count(name) > 1 for name in _ONCE)
    stays = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    if repeated or not stays or len(names) > _MOST_FIELDS or "host" not in names or _NOT_PLAIN & set(names):
        raise Unusual


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Unusual
    return int(text)
