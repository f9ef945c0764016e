"""Protocol Buffers' variable-length integers, for the few messages that are written without their classes.

https://protobuf.dev/programming-guides/encoding/#varints
"""

from __future__ import annotations


def varint(value: int) -> bytes:
    """Return a number that is not negative as a varint: seven bits a byte, the lowest first."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
