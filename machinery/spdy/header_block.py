"""Header blocks of SPDY/3: names and values, compressed by one zlib stream for each direction of a connection.

The zlib streams begin with a dictionary that the specification fixes (SPDY Protocol, draft 3, 2.6.10.1). Since each
block is compressed with what the blocks before it have taught, every block has to be read, also one that nobody wants.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

LARGEST_BLOCK: Final = 64 * 1024  # bytes of one block, uncompressed
_NUMBER: Final = struct.Struct(">I")

_WORDS: Final = (
    *("options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding"),
    *("accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection"),
    *("content-base", "content-encoding", "content-language", "content-length", "content-location"),
    *("content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host"),
    *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified"),
    *("location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer"),
    *("retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via"),
    *("warning", "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url"),
    *("public", "set-cookie", "keep-alive", "origin"),
)
_TEXT: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = (
    b"".join(_NUMBER.pack(len(word)) + word.encode() for word in _WORDS) + _TEXT.encode()
)  # its Adler-32 is e3c6a7c2


class Malformed(Exception):  # noqa: N818 - it says what the bytes are
    """What came is not SPDY/3.1: nothing that follows can be understood."""


class BadHeaders(Exception):  # noqa: N818 - it says what they are
    """A block is readable, but no stream may have such headers."""


class HeaderReader:
    """Reads the blocks of one direction, in the order in which they come."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Return the headers in a block; of several values of one name the first.

        Raises:
            Malformed: it is not compressed as agreed, larger than `LARGEST_BLOCK`, or does not hold what it announces.
            BadHeaders: a name is empty, not in lower case, or there twice.
        """
        try:
            plain = self._inflate.decompress(block, LARGEST_BLOCK + 1)
        except zlib.error as error:
            raise Malformed(f"a header block cannot be decompressed: {error}") from error
        if len(plain) > LARGEST_BLOCK:
            raise Malformed(f"a header block has more than {LARGEST_BLOCK} bytes")
        return _parse(plain)


class HeaderWriter:
    """Writes the blocks of one direction, in the order in which they are sent."""

    def __init__(self) -> None:
        # The headers that a server sends are few: the smallest state that zlib can have.
        self._deflate = zlib.compressobj(level=1, wbits=9, memLevel=1, zdict=DICTIONARY)

    def write(self, headers: Mapping[str, str]) -> bytes:
        """Return a block with headers, whose names are in lower case."""
        plain = _NUMBER.pack(len(headers)) + b"".join(
            _NUMBER.pack(len(text)) + text
            for field in headers.items()
            for text in (each.encode("latin-1") for each in field)
        )
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _parse(block: bytes) -> dict[str, str]:
    """Parse an uncompressed block: a number, and as many pairs of texts, each with its length before it."""
    texts, place = [], 4
    count = _number(block, 0)
    if count > len(block) // 8:
        raise Malformed(f"a header block of {len(block)} bytes announces {count} headers")
    for _ in range(2 * count):
        end = place + 4 + _number(block, place)
        if end > len(block):
            raise Malformed("a header block ends within a text")
        texts.append(block[place + 4 : end].decode("latin-1"))
        place = end
    if place != len(block):
        raise Malformed("a header block has bytes behind its last header")
    return _headers(texts[::2], texts[1::2])


def _number(block: bytes, place: int) -> int:
    if place + 4 > len(block):
        raise Malformed("a header block ends within a number")
    number: int = _NUMBER.unpack_from(block, place)[0]
    return number


def _headers(names: list[str], values: list[str]) -> dict[str, str]:
    for name in names:
        if not name or name != name.lower():
            raise BadHeaders(f"{name!r} is no name of a header")
    headers = {name: value.partition("\0")[0] for name, value in zip(names, values, strict=True)}
    if len(headers) < len(names):
        raise BadHeaders("a header is there twice")
    return headers
