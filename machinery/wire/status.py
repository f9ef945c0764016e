"""Errors of `machinery.model.errors` as a server answers them: a gRPC code, with the Status beside it in the trailers.

`machinery.wire.rpc_errors` reads them again. The Status decides there; the code is for those who only know gRPC.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from machinery.model.errors import (
    BY_CODE,
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    DeadlineExceeded,
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
)
from machinery.rpc.status import Code

STATUS_KEY: Final = "kubarium-status-bin"
_TEXT_LIMIT: Final = 2_000  # characters of the message that stand beside the code as well
_STATUS_LIMIT: Final = 128 * 1024  # bytes; half of what a peer accepts in its trailers

_TO_CODE: Final[dict[type[ApiError], Code]] = {
    BadRequest: Code.INVALID_ARGUMENT,
    Unauthorized: Code.UNAUTHENTICATED,
    Forbidden: Code.PERMISSION_DENIED,
    NotFound: Code.NOT_FOUND,
    MethodNotSupported: Code.UNIMPLEMENTED,
    NotAcceptable: Code.INVALID_ARGUMENT,
    AlreadyExists: Code.ALREADY_EXISTS,
    Conflict: Code.ABORTED,
    Expired: Code.OUT_OF_RANGE,
    Deposed: Code.FAILED_PRECONDITION,
    TooLarge: Code.RESOURCE_EXHAUSTED,
    UnsupportedMediaType: Code.INVALID_ARGUMENT,
    Invalid: Code.INVALID_ARGUMENT,
    TooManyRequests: Code.RESOURCE_EXHAUSTED,
    NotBuilt: Code.UNIMPLEMENTED,
    NotImplementedHere: Code.UNIMPLEMENTED,
    InternalError: Code.INTERNAL,
    Unavailable: Code.UNAVAILABLE,
    DeadlineExceeded: Code.DEADLINE_EXCEEDED,
}


def http_status(error: ApiError) -> int:
    """Return the HTTP status of an error."""
    return error.code


def to_rpc(error: ApiError) -> tuple[Code, str, tuple[tuple[str, bytes], ...]]:
    """Return the gRPC code, the text and the trailing metadata of an error."""
    status = error.to_status()
    body = msgspec.json.encode(status)
    if len(body) > _STATUS_LIMIT:
        body = msgspec.json.encode(_shortened(status))
    return _code(error), error.message[:_TEXT_LIMIT], ((STATUS_KEY, body),)


def _code(error: ApiError) -> Code:
    known = _TO_CODE.get(type(error))
    return known or _TO_CODE.get(BY_CODE.get(error.code, InternalError), Code.INTERNAL)


def _shortened(status: dict[str, Any]) -> dict[str, Any]:
    """Return what fits into a peer's header limit: the first causes, the first part of the text."""
    details = status.get("details", {})
    causes = [_short_cause(cause) for cause in details.get("causes", ())[:50]]
    return {**status, "message": status["message"][:20_000], "details": {**details, "causes": causes}}


def _short_cause(cause: dict[str, str]) -> dict[str, str]:
    return {key: text[:500] for key, text in cause.items()}
