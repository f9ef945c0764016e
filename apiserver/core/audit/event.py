"""One event of the audit log, from what is known of a request at a stage of it.

https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from apiserver.core.admission.attributes import User
from apiserver.core.audit.policy import NOT_RECORDED, Recorded
from apiserver.core.authz.attributes import Attributes

_LONGEST_AGENT: Final = 1024  # characters, as in Kubernetes
_CUT: Final = "...TRUNCATED"


@dataclass(slots=True, kw_only=True)
class Story:
    """What is known of one request so far. Objects are JSON; what a level leaves out is not collected."""

    audit_id: str
    uri: str
    received: str  # metav1.MicroTime
    attributes: Attributes
    sources: tuple[str, ...] = ()  # addresses: those that proxies tell of, then who is connected
    agent: str = ""
    user: User | None = None
    recorded: Recorded = NOT_RECORDED
    impersonated: User | None = None
    constraint: str = ""  # of a constrained impersonation
    status: dict[str, Any] | None = None  # of the answer
    request_object: bytes = b""
    response_object: bytes = b""
    uid: str = ""  # of the object, where the request says so
    resource_version: str = ""
    name: str = ""  # of a new object
    annotations: dict[str, str] = field(default_factory=dict)


def written(story: Story, stage: str, now: str) -> dict[str, Any]:
    """Write the event of a stage; `now` is a metav1.MicroTime."""
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": story.recorded.level.text,
        "auditID": story.audit_id,
        "stage": stage,
        "requestURI": story.uri,
        "verb": story.attributes.verb,
        "user": _person(story.user) if story.user is not None else {},
        "impersonatedUser": _person(story.impersonated) if story.impersonated is not None else None,
        "authenticationMetadata": {"impersonationConstraint": story.constraint} if story.constraint else None,
        "sourceIPs": list(story.sources) or None,
        "userAgent": _agent(story.agent) or None,
        "objectRef": _reference(story) if story.attributes.resource else None,
        "responseStatus": {"metadata": {}, **story.status} if story.status is not None else None,
        "requestObject": _object(story.request_object, story.recorded),
        "responseObject": _object(story.response_object, story.recorded),
        "requestReceivedTimestamp": story.received,
        "stageTimestamp": now,
        "annotations": dict(story.annotations) or None,
    }
    return {name: value for name, value in event.items() if value is not None}


def status_of(code: int, body: bytes = b"") -> dict[str, Any]:
    """Return the status of an answer: of a failure what its body says where that is a Status, and else the code alone."""
    if code < 400:
        return {"code": code}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("kind") != "Status":
        return {"code": code}
    kept = ("status", "message", "reason", "details", "code")
    return {name: found[name] for name in kept if name in found}


def _agent(text: str) -> str:
    return text if len(text) <= _LONGEST_AGENT else text[:_LONGEST_AGENT] + _CUT


def _person(user: User) -> dict[str, Any]:
    found: dict[str, Any] = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def _reference(story: Story) -> dict[str, Any]:
    asked = story.attributes
    found = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name or story.name,
        "uid": story.uid,
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "resourceVersion": story.resource_version,
        "subresource": asked.subresource,
    }
    return {name: value for name, value in found.items() if value}


def _object(json: bytes, recorded: Recorded) -> Any:
    """Return an object as it is written down; what is no JSON is left out."""
    if not json:
        return None
    try:
        found = msgspec.json.decode(json)
    except (msgspec.DecodeError, RecursionError):
        return None
    return _without_managed_fields(found) if recorded.omits_managed_fields else found


def _without_managed_fields(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    meta, items = found.get("metadata"), found.get("items")
    if isinstance(meta, dict) and "managedFields" in meta:
        found["metadata"] = {name: value for name, value in meta.items() if name != "managedFields"}
    if isinstance(items, list):
        found["items"] = [_without_managed_fields(item) for item in items]
    return found
