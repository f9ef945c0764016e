"""The heads of plain HTTP/1.1 requests, read strictly; whatever is unusual is left to a full parser.

Plain is: one of the five methods on a path, a Host, no transfer coding, no upgrade, no expectation, at most one
Content-Length, and a connection that stays.

Clients send the same header lines again and again, so what they come to is remembered. But for the lines that are
secret (a token) or new each time (`_NEW_EACH_TIME`): those are cut out of the block and read for themselves, and what
is left of it is found again. It is remembered only if all its names are known to be neither (`_STEADY`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from multidict import CIMultiDict, CIMultiDictProxy

LONGEST: Final = 16 * 1024  # bytes of a plain head
_MOST_FIELDS: Final = 64
_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1")
_NAME: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE: Final = bytes([0x09, *range(0x20, 0x7F)])
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
# Names as clients write them; written otherwise, they keep their block from being remembered.
_TOKEN: Final = b"\r\nAuthorization: "
_NEW_EACH_TIME: Final = re.compile(rb"\r\n(Content-Length|traceparent|kubarium-cause): ")
_STEADY: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "host",
        "kubarium-caller",
        "user-agent",
    }
)
_MOST_REMEMBERED: Final = 512  # blocks


class Unusual(Exception):  # noqa: N818 - no error: somebody else reads it
    """It is no plain request."""


class Fields(NamedTuple):
    """The headers, and what they come to."""

    headers: CIMultiDictProxy[str]
    content_length: int
    impersonates: bool


class Head(NamedTuple):
    """A request without its body; a tuple, since one is made for each."""

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


# By the block of lines that they were read from: steady ones, with the length of a body or without.
_remembered: Final[dict[bytes, Fields]] = {}


def _fields(block: bytes) -> Fields:
    begin = block.find(_TOKEN)
    if begin < 0:
        return _remembered.get(block) or _assembled(block)
    end = _line_end(block, begin + len(_TOKEN))
    rest = block[:begin] + block[end:]
    known = _remembered.get(rest) or _assembled(rest)
    if "Authorization" in known.headers or len(known.headers) >= _MOST_FIELDS:
        raise Unusual
    headers = known.headers.copy()
    headers.add("Authorization", _value(block[begin + len(_TOKEN) : end]))
    return Fields(CIMultiDictProxy(headers), known.content_length, known.impersonates)


def _assembled(block: bytes) -> Fields:
    rest, cut_out = _cut(block)
    known = _remembered.get(rest) or _read(rest)
    return _joined(block, rest, known, cut_out) if cut_out else known


def _cut(block: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    rest, cut_out, begin = b"", [], 0
    for mark in _NEW_EACH_TIME.finditer(block):
        rest += block[begin : mark.start()]
        begin = _line_end(block, mark.end())
        cut_out.append((mark[1].decode(), _value(block[mark.end() : begin])))
    return rest + block[begin:], cut_out


def _line_end(block: bytes, begin: int) -> int:
    end = block.find(b"\r\n", begin)
    return end if end >= 0 else len(block)


def _joined(block: bytes, rest: bytes, known: Fields, cut_out: list[tuple[str, str]]) -> Fields:
    """Give the fields of a block from those of its rest, and of what was cut out."""
    headers, length = known.headers.copy(), known.content_length
    for name, value in cut_out:
        if name in headers:
            return _read(block)  # the order of two with one name counts
        headers.add(name, value)
        length = _length(value) if name == "Content-Length" else length
    if len(headers) > _MOST_FIELDS:
        raise Unusual
    fields = Fields(CIMultiDictProxy(headers), length, known.impersonates)
    if len(cut_out) == 1 and cut_out[0][0] == "Content-Length" and rest in _remembered:
        _remember(block, fields)  # lengths come again
    return fields


def _read(block: bytes) -> Fields:
    lines = block.split(b"\r\n")
    if len(lines) > _MOST_FIELDS:
        raise Unusual
    headers = CIMultiDict([_field(line) for line in lines])
    names = [name.lower() for name, _ in headers.items()]  # iterating over the keys gives each once
    _check(headers, names)
    impersonates = any(name.startswith("impersonate-") for name in names)
    fields = Fields(CIMultiDictProxy(headers), _length(headers.get("Content-Length", "0")), impersonates)
    if _STEADY.issuperset(names):
        _remember(block, fields)
    return fields


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not (name and colon) or name.translate(None, _NAME):
        raise Unusual
    return name.decode(), _value(value)


def _value(value: bytes) -> str:
    if value.translate(None, _VALUE):
        raise Unusual
    return value.strip(b" \t").decode()


def _check(headers: CIMultiDict[str], names: list[str]) -> None:
    repeated = any(names.count(name) > 1 for name in _ONCE)
    stays = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    if repeated or not stays or "host" not in names or not _NOT_PLAIN.isdisjoint(names):
        raise Unusual


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Unusual
    return int(text)


def _remember(block: bytes, fields: Fields) -> None:
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()  # those that are in use are back at their next request
    _remembered[block] = fields
