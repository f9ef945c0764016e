"""The head of a call as a server reads it: which method, until when, with which metadata (PROTOCOL-HTTP2 of gRPC).

Our own clients write each field as a literal of its own, first those that are the same in every call of a method, then the
trace of this one. Such blocks need no table, and what is in front of the trace is read once a connection. Every other
block goes to a decoder of the connection (RFC 7541), which is imported when the first such client comes. Nothing that a
client has sent is remembered longer than its connection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from machinery.rpc.hpack import Fields, Undecodable
from machinery.rpc.metadata import read_metadata
from machinery.rpc.status import Code

if TYPE_CHECKING:
    from hpack import Decoder

LARGEST_BLOCK: Final = 256 * 1024
"""Bytes that the fields of a head may have, counted as RFC 9113 (6.5.2) does: with 32 more for each."""

_PER_FIELD: Final = 32
_TRACE: Final = b"\x00\x0btraceparent"
_KEPT: Final = 64  # beginnings of heads that a connection remembers
_LONGEST_KEPT: Final = 1024  # bytes
_AGENT: Final = "user-agent"
_TIMEOUT: Final = re.compile("([0-9]{1,8})([HMSmun])")
_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_CONTENT_TYPE: Final = re.compile("application/grpc([+;].*)?")


class Refusal(NamedTuple):
    """Why a head begins no call: what is answered."""

    http_status: int
    code: Code
    text: str


class Head(NamedTuple):
    """How a call begins."""

    path: str
    timeout_s: float | None = None
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    encoding: str = "identity"  # of messages that say that they are compressed
    refusal: Refusal | None = None


class HeadReader:
    """Reads the heads of the calls of one connection."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._decoder: Decoder | None = None

    def read(self, block: bytes) -> Head:
        """Read the head of a call.

        Raises:
            Undecodable: the block cannot be read, or is too large.
        """
        begin, trace, rest = block.partition(_TRACE)
        if not trace:
            return head_of(self.fields(block))
        known = self._known.get(begin) or self._remember(begin)
        more = plain_fields(trace + rest) if known is not None else None
        if known is None or more is None or any(map(_is_special, more)):
            return head_of(self.fields(block))
        return Head(known[0], known[1], (*known[2], *more), known[3])

    def fields(self, block: bytes) -> Fields:
        """Read the fields of a block; each one of a connection has to be read, in their order.

        Raises:
            Undecodable: the block cannot be read, or is too large.
        """
        found = plain_fields(block)
        return self._decoded(block) if found is None else found

    def _remember(self, begin: bytes) -> Head | None:
        """Read the beginning of a head, where it ends with a field."""
        if len(begin) > _LONGEST_KEPT or (fields := plain_fields(begin)) is None:
            return None
        head = head_of(fields)
        if head.refusal is not None:
            return None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[begin] = head
        return head

    def _decoded(self, block: bytes) -> Fields:
        from hpack import Decoder, HPACKError

        if self._decoder is None:
            self._decoder = Decoder(LARGEST_BLOCK)
        try:
            fields = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise Undecodable(f"a header block that is not one: {error}") from error
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)


def plain_fields(block: bytes) -> Fields | None:
    """Read a block of nothing but literals that leave a table as it is; None where it has something else.

    Raises:
        Undecodable: it is too large.
    """
    found: list[tuple[str, str]] = []
    place, size = 0, len(block)
    room = LARGEST_BLOCK
    try:
        while place < size:
            if block[place]:  # an index, a table, or a name of the table
                return None
            length = block[place + 1]
            start, place = place + 2, place + 2 + length
            if length >= 0x7F:  # also where it is coded
                return None
            name = block[start:place]
            length, place = block[place], place + 1
            if length >= 0x7F:
                if length > 0x7F:
                    return None
                length, place = _long(block, place)
            start, place = place, place + length
            found.append((name.decode("latin-1"), block[start:place].decode("latin-1")))
            room -= _PER_FIELD + len(name) + length
            if room < 0:
                raise Undecodable("a header block is too large")
    except IndexError:
        return None
    return tuple(found) if place == size else None


def head_of(fields: Fields) -> Head:
    """Return what fields say of a call."""
    told = dict(fields)
    if refusal := _refusal(told):
        return Head(told.get(":path", ""), refusal=refusal)
    try:
        timeout_s = _timeout(told.get("grpc-timeout"))
    except ValueError as error:
        return Head(told[":path"], refusal=Refusal(200, Code.INVALID_ARGUMENT, str(error)))
    agent = ((_AGENT, told[_AGENT]),) if _AGENT in told else ()
    metadata = (*agent, *read_metadata(fields))
    return Head(told[":path"], timeout_s, metadata, told.get("grpc-encoding", "identity"))


def _refusal(told: dict[str, str]) -> Refusal | None:
    if ":path" not in told or ":method" not in told or any(name != name.lower() for name in told):
        return Refusal(
            400, Code.INVALID_ARGUMENT, "a request without :method or :path, or with an odd header"
        )
    if told[":method"] != "POST":
        return Refusal(405, Code.UNIMPLEMENTED, "a call of gRPC is a POST")
    if not _CONTENT_TYPE.fullmatch(told.get("content-type", "")):
        return Refusal(415, Code.UNIMPLEMENTED, "a call of gRPC has the content-type application/grpc")
    return None


def _is_special(field: tuple[str, str]) -> bool:
    name = field[0]
    return name.startswith((":", "grpc-")) or name.endswith("-bin") or name in {"te", "content-type", _AGENT}


def _timeout(text: str | None) -> float | None:
    if text is None:
        return None
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        raise ValueError(f"grpc-timeout: {text[:20]!r} is not a timeout")
    return int(found[1]) * _UNITS[found[2]]


def _long(block: bytes, place: int) -> tuple[int, int]:
    """Read a length that goes on behind its first byte (RFC 7541, 5.1)."""
    value = 0x7F
    for shift in (0, 7, 14):
        byte, place = block[place], place + 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise Undecodable("a number in a header block is too large")
