"""One table each way: errors of `machinery.model.errors` ↔ gRPC codes, with the Status beside the code.

Both ends being ours, the Status in the trailing metadata decides; the code is for those who only know gRPC, and
for what the transport itself reports (a broken connection has no Status).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

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
    Deposed,
    Expired,
    Forbidden,
    InternalError,
    Invalid,
    MethodNotSupported,
    NotAcceptable,
    NotBuilt,
    NotFound,
    NotImplementedHere,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    as_api_error,
    from_status,
)

STATUS_KEY: Final = "kubarium-status-bin"
_TEXT_LIMIT: Final = 2_000  # characters of the message that stand beside the code as well
_STATUS_LIMIT: Final = 128 * 1024  # bytes; half of what a peer accepts in its trailers
_Code = grpc.StatusCode

_TO_CODE: Final[dict[type[ApiError], grpc.StatusCode]] = {
    BadRequest: _Code.INVALID_ARGUMENT,
    Unauthorized: _Code.UNAUTHENTICATED,
    Forbidden: _Code.PERMISSION_DENIED,
    NotFound: _Code.NOT_FOUND,
    MethodNotSupported: _Code.UNIMPLEMENTED,
    NotAcceptable: _Code.INVALID_ARGUMENT,
    AlreadyExists: _Code.ALREADY_EXISTS,
    Conflict: _Code.ABORTED,
    Expired: _Code.OUT_OF_RANGE,
    Deposed: _Code.FAILED_PRECONDITION,
    TooLarge: _Code.RESOURCE_EXHAUSTED,
    UnsupportedMediaType: _Code.INVALID_ARGUMENT,
    Invalid: _Code.INVALID_ARGUMENT,
    TooManyRequests: _Code.RESOURCE_EXHAUSTED,
    NotBuilt: _Code.UNIMPLEMENTED,
    NotImplementedHere: _Code.UNIMPLEMENTED,
    InternalError: _Code.INTERNAL,
    Unavailable: _Code.UNAVAILABLE,
    DeadlineExceeded: _Code.DEADLINE_EXCEEDED,
}

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


def http_status(error: ApiError) -> int:
    """Return the HTTP status of an error."""
    return error.code


def to_rpc(error: ApiError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Return the gRPC code, the text and the trailing metadata of an error."""
    status = error.to_status()
    body = msgspec.json.encode(status)
    if len(body) > _STATUS_LIMIT:
        body = msgspec.json.encode(_shortened(status))
    return _TO_CODE.get(type(error), _Code.INTERNAL), error.message[:_TEXT_LIMIT], ((STATUS_KEY, body),)


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


def _shortened(status: dict[str, Any]) -> dict[str, Any]:
    """Return what fits into a peer's header limit: the first causes, the first part of the text."""
    details = status.get("details", {})
    causes = [_short_cause(cause) for cause in details.get("causes", ())[:50]]
    return {**status, "message": status["message"][:20_000], "details": {**details, "causes": causes}}


def _short_cause(cause: dict[str, str]) -> dict[str, str]:
    return {key: text[:500] for key, text in cause.items()}


def rpc_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    """Return the error that gRPC itself would raise."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)
