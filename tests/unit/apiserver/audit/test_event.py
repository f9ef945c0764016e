"""Events read as Kubernetes writes them; old files go as the rotation says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.core.audit.event import Story, status_of, written
from apiserver.core.audit.files import expired, left_name
from apiserver.core.audit.policy import Level, Recorded
from apiserver.core.authz.attributes import Attributes
from apiserver.request import UserInfo

NOW, THEN = "2026-01-01T00:00:01.500000Z", "2026-01-01T00:00:01.000000Z"
OBJECT: dict[str, Any] = {"metadata": {"name": "a", "managedFields": [{"manager": "m"}]}, "data": {"k": "v"}}


def story(level: Level = Level.REQUEST_RESPONSE, *, omits: bool = False, **fields: Any) -> Story:
    asked = Attributes(verb="create", group="apps", version="v1", resource="deployments", namespace="ns")
    return Story(
        audit_id="id", uri="/uri?a=b", received=THEN, attributes=asked, recorded=Recorded(level, frozenset(), omits), **fields
    )  # fmt: skip


def test_an_event_says_who_did_what_and_what_came_of_it() -> None:
    """All of it, where all is known."""
    event = written(
        story(
            sources=("10.0.0.1",),
            agent="kubectl",
            user=UserInfo("jane", "7", ("devs",), {"team": ("a",)}),
            impersonated=UserInfo("joe", groups=("ops",)),
            constraint="impersonate:user-info",
            name="web",
            uid="u",
            status={"code": 201},
            request_object=msgspec.json.encode(OBJECT),
            response_object=msgspec.json.encode(OBJECT),
            annotations={"a": "b"},
        ),
        "ResponseComplete",
        NOW,
    )
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "id",
        "stage": "ResponseComplete",
        "requestURI": "/uri?a=b",
        "verb": "create",
        "user": {"username": "jane", "uid": "7", "groups": ["devs"], "extra": {"team": ["a"]}},
        "impersonatedUser": {"username": "joe", "groups": ["ops"]},
        "authenticationMetadata": {"impersonationConstraint": "impersonate:user-info"},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "kubectl",
        "objectRef": {
            "resource": "deployments",
            "namespace": "ns",
            "name": "web",
            "uid": "u",
            "apiGroup": "apps",
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": OBJECT,
        "responseObject": OBJECT,
        "requestReceivedTimestamp": THEN,
        "stageTimestamp": NOW,
        "annotations": {"a": "b"},
    }


def test_what_is_not_known_is_left_out() -> None:
    """A path that is no resource has no objectRef; long agents are cut."""
    bare = Story(
        audit_id="id", uri="/healthz", received=THEN, attributes=Attributes(verb="get", path="/healthz")
    )
    bare.agent = "a" * 2_000
    event = written(bare, "RequestReceived", NOW)
    assert event.keys() == {
        "kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "userAgent",
        "requestReceivedTimestamp", "stageTimestamp",
    }  # fmt: skip
    assert event["userAgent"] == "a" * 1_024 + "...TRUNCATED"


def test_managed_fields_are_left_out_where_the_policy_says_so() -> None:
    """Also of the items of a list; what is no JSON is left out everywhere."""
    listed = msgspec.json.encode({"kind": "List", "items": [OBJECT, OBJECT]})
    found = written(story(omits=True, request_object=listed, response_object=b"{"), "ResponseComplete", NOW)
    assert [item["metadata"] for item in found["requestObject"]["items"]] == [{"name": "a"}, {"name": "a"}]
    assert "responseObject" not in found


@pytest.mark.parametrize(
    ("code", "body", "status"),
    [
        (200, b"{}", {"code": 200}),
        (404, b"404 page not found", {"code": 404}),
        (
            409,
            b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"Conflict","code":409}',
            {"status": "Failure", "reason": "Conflict", "code": 409},
        ),
    ],
)
def test_a_failure_is_told_by_its_status(code: int, body: bytes, status: dict[str, Any]) -> None:
    """A success by its code alone."""
    assert status_of(code, body) == status


def test_old_files_are_those_of_this_log_only() -> None:
    """By their number, or by their age."""
    day = 86_400.0
    left = [left_name("audit.log", number * day) for number in range(5)]
    assert left[1] == "audit-1970-01-02T00-00-00.000.log"
    others = [
        "audit.log",
        "audit-x.log",
        "audit-1970-01-02T00-00-00.000.txt",
        "other-1970-01-02T00-00-00.000.log",
    ]
    packed = [*left[:4], f"{left[4]}.gz", *others, "audit-1970-99-02T00-00-00.000.log"]
    assert expired(packed, "audit.log", 5 * day, most=0, age_days=0) == []
    assert expired(packed, "audit.log", 5 * day, most=2, age_days=0) == [left[2], left[1], left[0]]
    assert expired(packed, "audit.log", 5 * day, most=0, age_days=3) == [left[1], left[0]]
