"""How a call ends: gRPC's status codes, and the error that a call raises which did not end well.

The codes are those of https://grpc.io/docs/guides/status-codes/.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
"""Keys in lower case and their values: bytes for those that end in "-bin", text in ASCII for others."""


class Code(IntEnum):
    """A status code."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """A call ended with another status than OK. `trailers` is the metadata that the server sent with it."""

    def __init__(self, code: Code, details: str = "", trailers: Metadata = ()) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details
        self.trailers = trailers


class NotConnected(RpcError):  # noqa: N818 - it says what is so, as the errors of the model
    """Nothing was sent, or nothing that the server has looked at: the call was not carried out."""

    def __init__(self, details: str) -> None:
        super().__init__(Code.UNAVAILABLE, details)


class Closed(RpcError):  # noqa: N818 - as above
    """This end has been closed: it makes no calls any more."""

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, "the channel is closed")


class MessageTooLarge(RpcError):  # noqa: N818 - as above
    """A message is larger than this end takes; it was not read."""

    def __init__(self, details: str) -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, details)
