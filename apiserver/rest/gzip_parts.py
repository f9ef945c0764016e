"""A gzip file put together from parts that were compressed on their own.

A list is a head with the revision, items that stay the same until the collection changes, and a tail. So the items
are compressed once for many answers. Deflate streams that end at a byte can be put behind each other, and the checksum
of the whole follows from those of the parts (CRC-32 is linear; the method is that of zlib's crc32_combine).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # no name, no time, fast, from anywhere
_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31  # x^0: the highest bit is the lowest power
_SIZE: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the content, compressed."""

    deflated: bytes
    crc: int
    size: int  # bytes of the content
    shift: int  # x^(8 * size): moves the checksum of what comes before to its place


def part(content: bytes, *, level: int = 1) -> Part:
    """Compress a piece that may stand anywhere."""
    compressor = zlib.compressobj(level=level, wbits=-zlib.MAX_WBITS)
    deflated = compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return Part(deflated, zlib.crc32(content), len(content), _power(len(content)))


def joined(parts: Sequence[Part]) -> Part:
    """Return parts that stand behind each other as one."""
    crc = size = 0
    for each in parts:
        crc = _times(each.shift, crc) ^ each.crc
        size += each.size
    return Part(b"".join([each.deflated for each in parts]), crc, size, _power(size))


def join(head: bytes, middle: Part, tail: bytes) -> bytes:
    """Return the gzip file of all three."""
    crc = _times(middle.shift, zlib.crc32(head)) ^ middle.crc
    crc = zlib.crc32(tail, crc)
    size = len(head) + middle.size + len(tail)
    ending = crc.to_bytes(4, "little") + (size % _SIZE).to_bytes(4, "little")
    return b"".join(
        (_HEADER, _deflated(head, zlib.Z_SYNC_FLUSH), middle.deflated, _deflated(tail, zlib.Z_FINISH), ending)
    )


def _deflated(content: bytes, flush: int) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush(flush)


def _times(left: int, right: int) -> int:
    """Multiply two polynomials modulo that of the checksum."""
    product, bit = 0, _ONE
    while left:
        if left & bit:
            product ^= right
            left ^= bit
        bit >>= 1
        right = right >> 1 ^ _POLYNOMIAL if right & 1 else right >> 1
    return product


def _power(size: int) -> int:
    """Return x^(8 * size)."""
    power = _ONE
    for bit, square in enumerate(_squares()):
        if size >> bit & 1:
            power = _times(square, power)
    return power


@cache
def _squares() -> tuple[int, ...]:
    """Return x^8, x^16, x^32 and so on: x to eight times each power of two that a size may have in it."""
    found = [1 << 23]  # x^8
    while len(found) < _SIZE.bit_length():
        found.append(_times(found[-1], found[-1]))
    return tuple(found)
