"""Header blocks of HTTP/2 (RFC 7541), without a dynamic table.

Our side announces a table of size 0, so every block stands alone, and equal blocks mean the same: short ones are read once
and remembered. Blocks are written without Huffman codes. A block that needs what is not here is `Undecodable`, which
ends the connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final, TypeAlias

Fields: TypeAlias = tuple[tuple[str, str], ...]
"""The fields of a block, in its order; names may come more than once."""

_NAMES: Final = (
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control "
    "content-disposition content-encoding content-language content-length content-location content-range content-type "
    "cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since "
    "last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after "
    "server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
_STATIC: Final[Fields] = (  # RFC 7541, appendix A
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    *((":status", status) for status in ("200", "204", "206", "304", "400", "404", "500")),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    *((name, "") for name in _NAMES.split()),
)
_SHORT: Final = tuple(bytes((size,)) for size in range(0x7F))  # lengths of texts, as they are written
_REMEMBERED: Final = 512  # bytes of a block that is worth remembering: longer ones do not come again
_LONGEST: Final = 64 * 1024  # bytes of a text

# The code is canonical (RFC 7541, 5.2): the lengths of the codes give the codes. Longer ones than these belong to
# bytes that are not ASCII, which no header of gRPC has.
_BY_LENGTH: Final = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\",
}


class Undecodable(Exception):  # noqa: N818 - it says what the block is
    """A block that this reader does not understand."""


def write_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Write fields as literals that nobody puts into a table."""
    return b"".join(write_field(name, value) for name, value in fields)


def write_field(name: str, value: str) -> bytes:
    """Write one field."""
    return _written_name(name) + _text(value)


def read_block(block: bytes) -> Fields:
    """Read the fields.

    Raises:
        Undecodable: the block is malformed, or refers to a dynamic table.
    """
    return _remembered(block) if len(block) <= _REMEMBERED else _read(block)


def _read(block: bytes) -> Fields:
    try:
        return tuple(_fields(block))
    except IndexError:
        raise Undecodable("a header block breaks off") from None


_remembered: Final = lru_cache(maxsize=256)(_read)


def _fields(block: bytes) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(block):
        first = block[place]
        if first & 0x80:  # a field of the table
            index, place = _number(block, place, 7)
            yield _static(index)
        elif first & 0xE0 == 0x20:  # the size of the table
            size, place = _number(block, place, 5)
            if size:
                raise Undecodable("the peer uses a header table that was not offered")
        else:
            index, place = _number(block, place, 6 if first & 0x40 else 4)
            name, place = (_static(index)[0], place) if index else _read_text(block, place)
            value, place = _read_text(block, place)
            yield name, value


def _static(index: int) -> tuple[str, str]:
    if not 0 < index <= len(_STATIC):
        raise Undecodable(f"the header table has no entry {index}")
    return _STATIC[index - 1]


def _number(block: bytes, place: int, bits: int) -> tuple[int, int]:
    mask = (1 << bits) - 1
    value, place = block[place] & mask, place + 1
    if value < mask:
        return value, place
    for shift in range(0, 28, 7):
        byte, place = block[place], place + 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise Undecodable("a number in a header block is too large")


def _read_text(block: bytes, place: int) -> tuple[str, int]:
    coded = block[place] & 0x80
    size, place = _number(block, place, 7)
    end = place + size
    if end > len(block) or size > _LONGEST:
        raise Undecodable("a header block breaks off")
    raw = block[place:end]
    return (_decoded(raw) if coded else raw.decode("latin-1")), end


def _decoded(raw: bytes) -> str:
    codes, found = _codes(), bytearray()
    code, length = 1, 0  # the leading 1 keeps zeros
    for byte in raw:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (letter := codes.get(code)) is not None:
                found.append(letter)
                code, length = 1, 0
    if length > 7 or code != (1 << length + 1) - 1:  # what is left over are ones, to fill the byte
        raise Undecodable("a text in a header block is not ASCII")
    return found.decode("latin-1")


@cache
def _codes() -> dict[int, int]:
    """Return code → letter, each code with a leading 1."""
    codes, code, last = {}, 0, 5
    for length, letters in _BY_LENGTH.items():
        code <<= length - last
        for letter in letters:
            codes[1 << length | code] = letter
            code += 1
        last = length
    return codes


@lru_cache(maxsize=256)
def _written_name(name: str) -> bytes:
    return b"\x00" + _text(name)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 0x7F:
        return _SHORT[len(raw)] + raw
    size, rest = b"\x7f", len(raw) - 0x7F
    while rest > 0x7F:
        size, rest = size + bytes((rest & 0x7F | 0x80,)), rest >> 7
    return size + bytes((rest,)) + raw
