"""What a side of a connection tells its shell: what has become of its calls."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from machinery.rpc.status import Metadata, RpcError


class Began(NamedTuple):
    """The peer has begun to answer a call that goes on, before its first message."""

    stream: int


class Message(NamedTuple):
    """A whole message of a call has come that goes on."""

    stream: int
    data: bytes


class Drained(NamedTuple):
    """All that a call had to send is sent, after some of it had to wait for the peer to take more."""

    stream: int


class Answered(NamedTuple):
    """A call with one answer is over: this is the answer, its status is OK."""

    stream: int
    data: bytes
    trailers: Metadata


class Ended(NamedTuple):
    """A call is over; without an error its status is OK."""

    stream: int
    error: RpcError | None
    trailers: Metadata = ()


class Broken(NamedTuple):
    """The peer does not speak HTTP/2 as agreed: the connection is of no use any more."""

    text: str


Event: TypeAlias = Began | Message | Drained | Answered | Ended | Broken
