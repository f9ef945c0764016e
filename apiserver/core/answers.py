"""The sentences of the registry's own errors and successes, in the words that users of kubectl know."""

from __future__ import annotations

from typing import Final

from apiserver.core.values import Json
from machinery.model.errors import (
    AlreadyExists,
    Cause,
    Conflict,
    DeadlineExceeded,
    MethodNotSupported,
    NotBuilt,
    NotFound,
)
from machinery.model.k8s import unserved
from machinery.model.kinds import KindNames

MODIFIED: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def not_found(kind: KindNames, name: str) -> NotFound:
    """Return the error of an object that is not there."""
    return NotFound(
        f'{kind.group_resource} "{name}" not found', kind=kind.plural, group=kind.group, name=name
    )


def already_exists(
    kind: KindNames, name: str, *, being_deleted: bool = False, generated: bool = False
) -> AlreadyExists:
    """Return the error of a name that is taken; `generated` when the server made it up, and found none that was free."""
    text = f'{kind.group_resource} "{name}" already exists'
    if generated:
        text += ", the server was not able to generate a unique name for the object"
    if being_deleted:
        text = f"object is being deleted: {text}"
    return AlreadyExists(
        text, kind=kind.plural, group=kind.group, name=name, retry_after_s=1 if generated else 0
    )


def conflict(kind: KindNames, name: str, problem: str = MODIFIED) -> Conflict:
    """Return the error of a write that is based on an older state of the object."""
    text = f'Operation cannot be fulfilled on {kind.group_resource} "{name}": {problem}'
    return Conflict(text, kind=kind.plural, group=kind.group, name=name)


def conflict_of_kind(kind: KindNames, name: str, problem: str) -> Conflict:
    """Return the error of a delete of another object than the one that is there; it names the kind, as Kubernetes does."""
    text = f'Operation cannot be fulfilled on {kind.group_kind} "{name}": {problem}'
    return Conflict(text, kind=kind.kind, group=kind.group, name=name)


def no_such_resource(group: str, resource: str) -> NotFound:
    """Return the error of a resource or subresource that is not there."""
    return NotFound("the server could not find the requested resource", kind=resource, group=group)


def not_built(group: str, version: str, resource: str) -> NotBuilt | None:
    """Return the error of a kind that Kubernetes has and this server does not; None where neither has it."""
    named = f"{resource}.{group}" if group else resource
    if kind := unserved.KINDS.get((group, version, resource)):
        text = f"{named} ({group or 'core'}/{version} {kind}) is not built yet"
        return NotBuilt(text, kind=resource, group=group)
    return None


def not_allowed(group: str, resource: str) -> MethodNotSupported:
    """Return the error of a verb that the resource does not have."""
    return MethodNotSupported(
        "the server does not allow this method on the requested resource", kind=resource, group=group
    )


def revision_too_large(wanted: int, current: int) -> DeadlineExceeded:
    """Return the error of a revision that is still to come (clients know it by its cause, and list anew)."""
    return DeadlineExceeded(
        f"Too large resource version: {wanted}, current: {current}",
        causes=(Cause("", "Too large resource version", "ResourceVersionTooLarge"),),
        retry_after_s=1,
    )


def success(code: int = 0) -> Json:
    """Return the Status of a request that has nothing else to answer."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**status, "code": code} if code else status


def deleted(kind: KindNames, name: str, uid: str) -> Json:
    """Return the Status of an object that is gone, or that waits for its finalizers."""
    details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": uid}
    return {**success(), "details": {key: value for key, value in details.items() if value}}
