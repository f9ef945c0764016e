"""The options of a request: its query, and of a delete its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apiserver.core import field_errors
from apiserver.core.decode import read_json
from apiserver.request import DeleteOptions, ListOptions, WriteOptions
from apiserver.request_checks import checked_deletion, checked_selection, dry_run_causes, invalid_option
from machinery.model.errors import BadRequest, Cause
from machinery.model.go_numbers import parse_duration, parse_int

Query = Mapping[str, str]
_FALSE: Final = frozenset({"0", "false"})
_UNSAFE: Final = "ignoreStoreReadErrorWithClusterBreakingPotential"
_NOT_WITH_UNSAFE: Final = (
    "dryRun",
    "propagationPolicy",
    "orphanDependents",
    "gracePeriodSeconds",
    "preconditions",
)


def boolean(query: Query, name: str) -> bool | None:
    """Read a boolean; None where the query does not have it. As in Kubernetes, all but 0 and false mean true."""
    text = query.get(name)
    return None if text is None else text.lower() not in _FALSE


def integer(query: Query, name: str) -> int | None:
    """Read an integer; None where the query does not have it.

    Raises:
        BadRequest: it is not an integer; in Kubernetes' words, which do not name it, so a cause does.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        return parse_int(text)
    except ValueError as error:
        cause = Cause(name, str(error), "FieldValueInvalid")
        raise BadRequest(str(error), causes=(cause,)) from error


def timeout_s(query: Query) -> float | None:
    """Read how long the caller waits for an answer, in wall seconds; None where that is not said, or is 0 and less.

    Raises:
        BadRequest: it is no duration.
    """
    text = query.get("timeout", "")
    try:
        seconds = parse_duration(text) if text else 0.0
    except ValueError as error:
        raise BadRequest(f"invalid timeout specified in the request URL - {error}") from error
    return seconds if seconds > 0 else None


def list_options(query: Query) -> ListOptions:
    """Read what is selected.

    Raises:
        BadRequest: a number is not one.
    """
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=max(0, integer(query, "limit") or 0),  # as in Kubernetes, one below 0 is none
        continue_=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
        allow_bookmarks=bool(boolean(query, "allowWatchBookmarks")),
        send_initial_events=boolean(query, "sendInitialEvents"),
        timeout_s=integer(query, "timeoutSeconds") or None,
    )
    return checked_selection(options)


def write_options(query: Query, user_agent: str, dry_run: list[str]) -> WriteOptions:
    """Read how to write; `dry_run` has every value of dryRun. Whether they make sense is asked later."""
    return WriteOptions(
        dry_run=bool(dry_run),
        field_validation=query.get("fieldValidation", ""),
        field_manager=query.get("fieldManager", ""),
        user_agent=user_agent,
        force=boolean(query, "force"),
    )


def delete_options(query: Query, body: bytes, dry_run: list[str], *, one: bool = True) -> DeleteOptions:
    """Read how to delete: the body decides where there is one, as in Kubernetes. `one`: it is not about a collection.

    Raises:
        BadRequest: the body is not DeleteOptions.
        Invalid: an option has a value that it cannot have.
    """
    given = _given(body) if body else _queried(query, dry_run)
    preconditions = given.get("preconditions") or {}
    options = DeleteOptions(
        grace_period_s=_grace(given),
        propagation_policy=_policy(given),
        uid=_text(preconditions, "uid"),
        resource_version=_text(preconditions, "resourceVersion"),
        dry_run=_dry_run(given.get("dryRun") or []),
        tells_pending=given.get("orphanDependents") is False,
    )
    if causes := _unsafe_causes(given, one=one):
        raise invalid_option("DeleteOptions", *causes)
    return checked_deletion(options)


def _given(body: bytes) -> dict[str, Any]:
    given, _ = read_json(body, "DeleteOptions", find_repeated=False)
    if given.get("kind", "DeleteOptions") not in ("DeleteOptions", ""):
        raise BadRequest(f"the body of a delete has to be DeleteOptions, not {given['kind']}")
    if not isinstance(given.get("preconditions") or {}, dict):
        raise BadRequest("preconditions has to be an object")
    return given


def _queried(query: Query, dry_run: list[str]) -> dict[str, Any]:
    return {
        "gracePeriodSeconds": integer(query, "gracePeriodSeconds"),
        "propagationPolicy": query.get("propagationPolicy"),
        "orphanDependents": boolean(query, "orphanDependents"),
        "dryRun": dry_run,
        _UNSAFE: boolean(query, _UNSAFE),
    }


def _unsafe_causes(given: Mapping[str, Any], *, one: bool) -> list[Cause]:
    """Refuse to delete what cannot be read: it goes with options of no other kind, and is for what is corrupt only."""
    if not given.get(_UNSAFE):
        return []
    if not one:
        text = "is not allowed with DELETECOLLECTION, try again after removing the option"
        return [field_errors.invalid(_UNSAFE, value=True, detail=text)]
    found = [name for name in _NOT_WITH_UNSAFE if given.get(name) not in (None, [])]
    if found:
        return [
            field_errors.invalid(_UNSAFE, value=True, detail=f"cannot be set together with .{name}")
            for name in found
        ]
    text = "is exclusively used to delete corrupt object(s), try again by removing this option"
    return [field_errors.invalid(_UNSAFE, value=True, detail=text)]


def _grace(given: Mapping[str, Any]) -> int | None:
    grace_s = given.get("gracePeriodSeconds")
    if grace_s is None:
        return None
    if not isinstance(grace_s, int) or isinstance(grace_s, bool):
        raise BadRequest(f"gracePeriodSeconds has to be an integer, not {grace_s!r}")
    return grace_s


def _policy(given: Mapping[str, Any]) -> str:
    policy, orphan = given.get("propagationPolicy"), given.get("orphanDependents")
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        raise invalid_option("DeleteOptions", field_errors.invalid("propagationPolicy", policy, text))
    if policy is not None and not isinstance(policy, str):
        raise BadRequest("propagationPolicy has to be a string")
    if orphan is not None:
        return "Orphan" if orphan else "Background"
    return policy or ""


def _dry_run(values: Any) -> bool:
    if not isinstance(values, list):
        raise BadRequest("dryRun has to be a list")
    if causes := dry_run_causes(values):
        raise invalid_option("DeleteOptions", *causes)
    return bool(values)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise BadRequest(f"preconditions.{name} has to be a string")
    return value
