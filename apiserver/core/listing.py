"""Which revision a list or a watch is about, and where the next page of a list begins. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
A continue token is what Kubernetes' own is: base64url of {"v": "meta.k8s.io/v1", "rv": revision, "start": key},
the key below the resource's prefix. A revision below 0 means that of the next page is the newest: such a token comes with
the error of a page whose revision is compacted. It is no secret and no proof: whoever presents it gets what the request's own
namespace and selectors allow.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from apiserver.core import field_errors
from machinery.model.errors import BadRequest, Cause, Expired, Invalid
from machinery.model.go_numbers import parse_uint

_VERSION: Final = "meta.k8s.io/v1"
EXACT: Final = "Exact"
NOT_OLDER_THAN: Final = "NotOlderThan"
_MATCH: Final = "resourceVersionMatch"
_LARGEST: Final = (1 << 63) - 1  # revisions are int64
_LONGEST_QUOTED: Final = 40  # characters of what a caller has sent


NEWEST: Final = -1


@dataclass(frozen=True, slots=True)
class Continue:
    """Where a page begins: at the first key from `start` on, as of a revision; below 0 it is the newest."""

    revision: int
    start: str  # below the resource's prefix: "namespace/name\0"

    def encode(self) -> str:
        """Write it as a token."""
        token = msgspec.json.encode({"v": _VERSION, "rv": self.revision, "start": self.start})
        return urlsafe_b64encode(token).rstrip(b"=").decode()


def after(place: str, revision: int) -> Continue:
    """Return the page after an object."""
    return Continue(revision, place + "\0")


def decode_continue(token: str, namespace: str) -> Continue:
    """Read a token; the page has to lie in the request's namespace ("" for all).

    Raises:
        BadRequest: it is not ours.
    """
    try:
        raw = msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise _not_valid(str(error)) from error
    if not isinstance(raw, dict) or raw.get("v") != _VERSION:
        known = raw.get("v") if isinstance(raw, dict) else ""
        raise _not_valid(f"server does not recognize this encoded version {known!s:.{_LONGEST_QUOTED}}")
    revision, start = raw.get("rv"), raw.get("start")
    if type(revision) is not int or not revision or abs(revision) > _LARGEST:
        raise _not_valid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    if not isinstance(start, str) or not start:
        raise _not_valid(f"encoded start key empty (version {_VERSION})")
    if namespace and not start.startswith(f"{namespace}/"):
        raise _not_valid(f"it begins outside of the namespace {namespace}")
    return Continue(revision, start)


def _not_valid(problem: str) -> BadRequest:
    return BadRequest(f"invalid continue token: continue key is not valid: {problem}")


def continue_expired(page: Continue) -> Expired:
    """Return the error of a page whose revision is compacted; with it the list can go on, in its newest state."""
    return Expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list.",
        continue_=Continue(NEWEST, page.start).encode(),
    )


def revision_expired() -> Expired:
    """Return the error of a list whose revision is compacted."""
    return Expired("The resourceVersion for the provided list is too old.")


def parse_revision(text: str) -> int | None:
    """Read a resourceVersion; None for "".

    Raises:
        BadRequest: it is no number.
    """
    if not text:
        return None
    try:
        return parse_uint(text)
    except ValueError as error:
        cause = field_errors.invalid("resourceVersion", text[:_LONGEST_QUOTED], str(error))
        message = f"invalid resource version: {cause.field}: {cause.message}"
        raise BadRequest(message, causes=(cause,)) from error


def parse_watch_revision(text: str, resource: str) -> int | None:
    """Read the resourceVersion of a watch of a resource ("pods"); None for "".

    Raises:
        Invalid: it is no number.
    """
    try:
        return parse_revision(text)
    except BadRequest as error:
        raise field_errors.invalid_object(resource, "", error.causes) from error


def check_list(match: str, resource_version: str, continue_: str, *, initial_events: bool | None) -> None:
    """Check the options of a list against each other.

    Raises:
        Invalid: they do not go together.
        BadRequest: a page has its own revision already.
    """
    found = _match_causes(match, resource_version, continue_) if match else []
    if initial_events is not None:
        found.append(field_errors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    _raise(found)
    if continue_ and resource_version not in {"", "0"}:
        raise BadRequest("specifying resource version is not allowed when using continue")


def _match_causes(match: str, resource_version: str, continue_: str) -> list[Cause]:
    found: list[Cause] = []
    if not resource_version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(field_errors.forbidden(_MATCH, text))
    if continue_:
        text = "resourceVersionMatch is forbidden when continue is provided"
        found.append(field_errors.forbidden(_MATCH, text))
    found += field_errors.one_of(_MATCH, match, [EXACT, NOT_OLDER_THAN, ""])
    if match == EXACT and resource_version == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(field_errors.forbidden(_MATCH, text))
    return found


def check_watch(match: str, continue_: str, *, initial_events: bool | None) -> None:
    """Check the options of a watch against each other.

    Raises:
        Invalid: they do not go together.
    """
    found: list[Cause] = []
    if initial_events is not None and match != NOT_OLDER_THAN:
        text = f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"
        found.append(field_errors.forbidden(_MATCH, text))
    if match and initial_events is None:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(field_errors.forbidden(_MATCH, text))
    if match:
        found += field_errors.one_of(_MATCH, match, [NOT_OLDER_THAN])
    if match and continue_:
        text = "resourceVersionMatch is forbidden when continue is provided"
        found.append(field_errors.forbidden(_MATCH, text))
    _raise(found)


def _raise(found: list[Any]) -> None:
    if found:
        error: Invalid = field_errors.invalid_object("ListOptions.meta.k8s.io", "", found)
        raise error
