"""What an RPC ended with, read as an error of `machinery.model.errors`; `machinery.wire.status` is the other way.

Both ends being ours, the Status in the trailing metadata decides; the code is for servers that only know gRPC, and for what
the transport itself reports (a broken connection has no Status).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
import grpc.aio
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
from machinery.wire.status import STATUS_KEY, to_rpc

_Code = grpc.StatusCode

_FROM_CODE: Final[dict[grpc.StatusCode, type[ApiError]]] = {
    _Code.INVALID_ARGUMENT: BadRequest,
    _Code.FAILED_PRECONDITION: BadRequest,
    _Code.UNAUTHENTICATED: Unauthorized,
    _Code.PERMISSION_DENIED: Forbidden,
    _Code.NOT_FOUND: NotFound,
    _Code.ALREADY_EXISTS: AlreadyExists,
    _Code.ABORTED: Conflict,
    _Code.OUT_OF_RANGE: Expired,
    _Code.RESOURCE_EXHAUSTED: TooManyRequests,
    _Code.UNIMPLEMENTED: NotImplementedHere,
    _Code.UNAVAILABLE: Unavailable,
    _Code.CANCELLED: Unavailable,
    _Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    _Code.INTERNAL: InternalError,
    _Code.UNKNOWN: InternalError,
    _Code.DATA_LOSS: InternalError,
}


def to_rpc_error(error: ApiError) -> grpc.aio.AioRpcError:
    """Return an error as a gRPC client raises it: with its Status where a server decided, without where none spoke."""
    code, text, metadata = to_rpc(error)
    trailers = grpc.aio.Metadata(*(metadata if isinstance(error, Definite) else ()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details=text)


def from_rpc(exc: grpc.aio.AioRpcError) -> ApiError:
    """Read the error that an RPC ended with."""
    for key, value in exc.trailing_metadata() or ():
        if key == STATUS_KEY:
            return from_status(msgspec.json.decode(value))
    leaf = _FROM_CODE.get(exc.code(), InternalError)
    return leaf(exc.details() or exc.code().name.lower().replace("_", " "))


def rpc_as_api_error(error: BaseException) -> ApiError:
    """Return any error as an `ApiError`: what an RPC ended with is read."""
    return from_rpc(error) if isinstance(error, grpc.aio.AioRpcError) else as_api_error(error)


@contextmanager
def api_errors() -> Iterator[None]:
    """Raise what RPCs end with as `ApiError`.

    Raises:
        ApiError: what the server answered, or gRPC says of the connection.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


@contextmanager
def rpc_errors() -> Iterator[None]:
    """Raise each `ApiError` as a gRPC client would.

    Raises:
        AioRpcError: in its place.
    """
    try:
        yield
    except ApiError as error:
        raise to_rpc_error(error) from error


def from_own_rpc(exc: grpc.aio.AioRpcError) -> ApiError:
    """Read the error that an RPC of a server of ours ended with.

    Such a server refuses with a Status. What is exhausted without one is the room for a message, in gRPC itself.
    """
    error = from_rpc(exc)
    has_status = any(key == STATUS_KEY for key, _ in exc.trailing_metadata() or ())
    return error if has_status or type(error) is not TooManyRequests else TooLarge(error.message)


def rpc_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    """Return the error that gRPC itself would raise."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)
