"""What an RPC ended with, read as an error of `machinery.model.errors`; `machinery.wire.status` is the other way.

Both ends being ours, the Status in the trailing metadata decides; the code is for servers that only know gRPC, and for what
the transport itself reports (a broken connection has no Status).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from machinery.model.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    DeadlineExceeded,
    Definite,
    Expired,
    Forbidden,
    InternalError,
    NotFound,
    NotImplementedHere,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    as_api_error,
    from_status,
)
from machinery.rpc.status import Code, RpcError
from machinery.wire.status import STATUS_KEY, to_rpc

_FROM_CODE: Final[dict[Code, type[ApiError]]] = {
    Code.INVALID_ARGUMENT: BadRequest,
    Code.FAILED_PRECONDITION: BadRequest,
    Code.UNAUTHENTICATED: Unauthorized,
    Code.PERMISSION_DENIED: Forbidden,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: AlreadyExists,
    Code.ABORTED: Conflict,
    Code.OUT_OF_RANGE: Expired,
    Code.RESOURCE_EXHAUSTED: TooManyRequests,
    Code.UNIMPLEMENTED: NotImplementedHere,
    Code.UNAVAILABLE: Unavailable,
    Code.CANCELLED: Unavailable,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.INTERNAL: InternalError,
    Code.UNKNOWN: InternalError,
    Code.DATA_LOSS: InternalError,
}


def to_rpc_error(error: ApiError) -> RpcError:
    """Return an error as a channel raises it: with its Status where a server decided, without where none spoke."""
    code, text, metadata = to_rpc(error)
    return RpcError(code, text, metadata if isinstance(error, Definite) else ())


def from_rpc(exc: RpcError) -> ApiError:
    """Read the error that an RPC ended with."""
    for key, value in exc.trailers:
        if key == STATUS_KEY:
            return from_status(msgspec.json.decode(value))
    leaf = _FROM_CODE.get(exc.code, InternalError)
    return leaf(exc.details or exc.code.name.lower().replace("_", " "))


def rpc_as_api_error(error: BaseException) -> ApiError:
    """Return any error as an `ApiError`: what an RPC ended with is read."""
    return from_rpc(error) if isinstance(error, RpcError) else as_api_error(error)


@contextmanager
def api_errors() -> Iterator[None]:
    """Raise what RPCs end with as `ApiError`.

    Raises:
        ApiError: what the server answered, or gRPC says of the connection.
    """
    try:
        yield
    except RpcError as error:
        raise from_rpc(error) from error


@contextmanager
def rpc_errors() -> Iterator[None]:
    """Raise each `ApiError` as a channel would.

    Raises:
        RpcError: in its place.
    """
    try:
        yield
    except ApiError as error:
        raise to_rpc_error(error) from error


def from_own_rpc(exc: RpcError) -> ApiError:
    """Read the error that an RPC of a server of ours ended with.

    Such a server refuses with a Status. What is exhausted without one is the room for a message, on one of the two ends.
    """
    error = from_rpc(exc)
    has_status = any(key == STATUS_KEY for key, _ in exc.trailers)
    return error if has_status or type(error) is not TooManyRequests else TooLarge(error.message)
