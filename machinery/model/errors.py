"""Every error that a request can end with, split by what the caller does next.

    ApiError                      a request did not succeed
    ├── Definite                  the server decided: nothing was written
    │   ├── BadRequest       400  mend the request
    │   ├── Unauthorized     401  say who you are
    │   ├── Forbidden        403  ask for a role
    │   ├── NotFound         404  it is not there
    │   ├── MethodNotSupported 405
    │   ├── NotAcceptable    406
    │   ├── AlreadyExists    409  read it
    │   ├── Conflict         409  read again, then decide again
    │   ├── Expired          410  list again
    │   ├── Deposed          412  stop: somebody else leads
    │   ├── TooLarge         413
    │   ├── UnsupportedMediaType 415
    │   ├── Invalid          422  mend the fields that `causes` names
    │   ├── TooManyRequests  429  wait `retry_after_s`, then again
    │   ├── NotImplementedHere 501  not built, and says so
    │   └── NotBuilt         501  the same of a whole kind, or a part of it: do without
    └── OutcomeUnknown            it may have happened: read again before you retry
        ├── InternalError    500
        ├── Unavailable      503  nobody answered
        └── DeadlineExceeded 504  nobody answered in time

An error is a Kubernetes `Status` in Python's clothes: `to_status` and `from_status` are exact inverses on
reason, code, message, details and causes. The tables to gRPC codes and HTTP statuses are in machinery/wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason among several, with the field that it is about (metav1.StatusCause)."""

    field: str  # a JSON path as Kubernetes writes it: spec.containers[0].image
    message: str
    reason: str = "FieldValueInvalid"

    def to_dict(self) -> dict[str, str]:
        """Return it as Kubernetes JSON."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request did not succeed. `message` is for people: what happened, to which object, what to do."""

    code: int = 500  # of the class, except for `Refused`
    reason: str = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        group: str = "",
        name: str = "",
        uid: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after_s: int = 0,
        continue_: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind  # the resource (plural) or kind that the request was for
        self.group = group
        self.name = name
        self.uid = uid
        self.causes = causes
        self.retry_after_s = retry_after_s  # wall seconds
        self.continue_ = continue_  # of an expired page: where a list can go on, of what is there now

    def to_status(self) -> dict[str, Any]:
        """Return it as a metav1.Status."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_} if self.continue_ else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if details := self._details():
            status["details"] = details
        return status

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {
            "name": self.name,
            "group": self.group,
            "kind": self.kind,
            "uid": self.uid,
            "causes": [cause.to_dict() for cause in self.causes],
            "retryAfterSeconds": self.retry_after_s,
        }
        return {key: value for key, value in details.items() if value}


class Definite(ApiError):  # noqa: N818 - it names an outcome
    """The server decided: nothing was written."""


class BadRequest(Definite):
    """The request makes no sense as it stands."""

    code, reason = 400, "BadRequest"


class Unauthorized(Definite):
    """The server does not know who asks."""

    code, reason = 401, "Unauthorized"


class Forbidden(Definite):
    """The one who asks may not do this."""

    code, reason = 403, "Forbidden"


class NotFound(Definite):
    """The object, or the resource, is not there."""

    code, reason = 404, "NotFound"


class MethodNotSupported(Definite):
    """The resource has no such verb."""

    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(Definite):
    """The server cannot answer in a form that the caller accepts."""

    code, reason = 406, "NotAcceptable"


class AlreadyExists(Definite):
    """An object of this name is there already."""

    code, reason = 409, "AlreadyExists"


class Conflict(Definite):
    """The object has changed since the caller read it."""

    code, reason = 409, "Conflict"


class Expired(Definite):
    """The resourceVersion is too old: the history is compacted. List again."""

    code, reason = 410, "Expired"


class Deposed(Definite):
    """The write was made under a leadership that has passed (`machinery.model.requests.Fence`). Never retried."""

    code, reason = 412, "Deposed"


class TooLarge(Definite):
    """The body is larger than the server takes."""

    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(Definite):
    """The body is in a form that the server does not read."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(Definite):
    """The object breaks a rule; `causes` names each field."""

    code, reason = 422, "Invalid"


class TooManyRequests(Definite):
    """Not now: try again after `retry_after_s`."""

    code, reason = 429, "TooManyRequests"


class NotImplementedHere(Definite):
    """Kubernetes has this, Kubarium has not built it."""

    code, reason = 501, "NotImplemented"


class NotBuilt(Definite):
    """Kubernetes has this kind, or this part of it, and Kubarium has not built it.

    Its reason is that of what is not there: by that clients know what a server does not have, and do without.
    """

    code, reason = 501, "NotFound"


class OutcomeUnknown(ApiError):  # noqa: N818 - it names an outcome
    """It may have happened, or not: read again before you retry."""


class InternalError(OutcomeUnknown):
    """The server failed in the middle."""

    code, reason = 500, "InternalError"


class Unavailable(OutcomeUnknown):
    """Nobody answered, or the connection broke."""

    code, reason = 503, "ServiceUnavailable"


class DeadlineExceeded(OutcomeUnknown):
    """Nobody answered in time."""

    code, reason = 504, "Timeout"


def _leaves(root: type[ApiError]) -> list[type[ApiError]]:
    return [
        leaf
        for child in root.__subclasses__()
        for leaf in ([child] if not child.__subclasses__() else _leaves(child))
    ]


BY_BOTH: dict[tuple[str, int], type[ApiError]] = {
    (leaf.reason, leaf.code): leaf for leaf in _leaves(ApiError)
}
BY_REASON: dict[str, type[ApiError]] = {leaf.reason: leaf for leaf in reversed(_leaves(ApiError))}
BY_CODE: dict[int, type[ApiError]] = {leaf.code: leaf for leaf in reversed(_leaves(ApiError))} | {
    409: Conflict
}


class Refused(Definite):
    """Somebody outside refused the request, in words of their own; code and reason are theirs, too.

    It is in none of the tables: over the wire it becomes the error that its code and reason name best.
    """

    def __init__(self, message: str, code: int, reason: str, details: dict[str, Any] | None = None) -> None:
        read = from_status({"details": details or {}, "reason": "", "code": code})
        super().__init__(
            message,
            kind=read.kind,
            group=read.group,
            name=read.name,
            uid=read.uid,
            causes=read.causes,
            retry_after_s=read.retry_after_s,
        )
        self.code = code
        self.reason = reason


def names_another(error: Invalid) -> bool:
    """Whether a patch was refused for the uid that it carries: another object has the name now.

    In a patch Kubernetes takes a uid for a change, of what cannot be changed; to whoever writes it, it is a precondition.
    """
    return any(cause.field == "metadata.uid" for cause in error.causes)


def as_api_error(error: BaseException) -> ApiError:
    """Return any error as an `ApiError`: itself, or else an InternalError with its name."""
    return error if isinstance(error, ApiError) else InternalError(f"{type(error).__name__}: {error}")


def from_status(status: dict[str, Any]) -> ApiError:
    """Read a metav1.Status of a failure; an unknown reason is read by its code, an unknown code as a 500."""
    details = status.get("details") or {}
    reason, code = status.get("reason", ""), status.get("code", 500)
    leaf = BY_BOTH.get((reason, code)) or BY_REASON.get(reason) or BY_CODE.get(code, InternalError)
    return leaf(
        status.get("message", ""),
        kind=details.get("kind", ""),
        group=details.get("group", ""),
        name=details.get("name", ""),
        uid=details.get("uid", ""),
        causes=tuple(
            Cause(item.get("field", ""), item.get("message", ""), item.get("reason", ""))
            for item in details.get("causes") or ()
        ),
        retry_after_s=details.get("retryAfterSeconds", 0),
        continue_=(status.get("metadata") or {}).get("continue", ""),
    )
