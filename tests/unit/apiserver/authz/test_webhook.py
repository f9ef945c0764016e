"""What a webhook authorizer is asked, and what its answer means."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.authz import webhook
from apiserver.core.authz.attributes import Attributes, Decision
from apiserver.request import UserInfo

JANE = UserInfo("jane", "7", ("devs",), {"team": ("a", "b")})


def test_a_review_says_who_asks_and_for_what() -> None:
    """What is empty is left out; selectors are taken apart."""
    asked = Attributes(
        verb="list",
        version="v1",
        resource="pods",
        namespace="apps",
        field_selector="spec.nodeName=n,status.phase!=Failed",
        label_selector="a=b,c notin (d),e,!f",
    )
    spec = webhook.review_spec(JANE, asked)
    resource = spec.pop("resourceAttributes")
    assert spec == {"user": "jane", "uid": "7", "groups": ["devs"], "extra": {"team": ["a", "b"]}}
    fields, labels = resource.pop("fieldSelector"), resource.pop("labelSelector")
    assert resource == {"verb": "list", "version": "v1", "resource": "pods", "namespace": "apps"}
    assert fields["requirements"] == [
        {"key": "spec.nodeName", "operator": "In", "values": ["n"]},
        {"key": "status.phase", "operator": "NotIn", "values": ["Failed"]},
    ]
    assert labels["requirements"] == [
        {"key": "a", "operator": "In", "values": ["b"]},
        {"key": "c", "operator": "NotIn", "values": ["d"]},
        {"key": "e", "operator": "Exists"},
        {"key": "f", "operator": "DoesNotExist"},
    ]
    nonsense = Attributes(verb="list", resource="pods", label_selector="a=(")
    assert webhook.review_spec(JANE, nonsense)["resourceAttributes"] == {"verb": "list", "resource": "pods"}
    path = webhook.review_spec(UserInfo("joe"), Attributes(verb="get", path="/healthz"))
    assert path == {"user": "joe", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    old = webhook.review("v1beta1", spec)
    assert (old["apiVersion"], old["spec"]["group"]) == ("authorization.k8s.io/v1beta1", ["devs"])


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        ({"allowed": True, "reason": "why not"}, Decision(allowed=True, reason="why not")),
        ({"allowed": False, "reason": "no"}, Decision(allowed=False, reason="no")),
        ({"allowed": False, "denied": True}, Decision(allowed=False, denied=True)),
        ({"allowed": True, "denied": True}, Decision(allowed=False, denied=True)),
    ],
)
def test_an_answer_is_yes_no_or_no_opinion(status: Any, decision: Decision) -> None:
    """Who says both means no."""
    assert webhook.decided(status) == decision


@pytest.mark.parametrize("status", [None, [], "yes", {"allowed": "yes"}, {"allowed": 1}, {"reason": 5}])
def test_nonsense_is_no_answer(status: Any) -> None:
    """Least of all a yes."""
    with pytest.raises(ValueError, match="no SubjectAccessReview"):
        webhook.decided(status)


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [
        ((), True),
        (("request.user == 'jane'",), True),
        (("request.user == 'jane'", "!('devs' in request.groups)"), False),
        (("request.extra['gone'] == ['x']", "request.user == 'joe'"), False),
        (("request.extra['gone'] == ['x']", "request.user == 'jane'"), None),
        (("request.resourceAttributes.namespace == 'x'",), None),
    ],
)
def test_conditions_say_what_a_webhook_is_asked(conditions: tuple[str, ...], asked: bool | None) -> None:
    """One that is false decides; else one without a value is an error (None)."""
    compiled = [webhook.compile_condition(text) for text in conditions]
    spec = webhook.review_spec(JANE, Attributes(verb="get", path="/healthz"))
    if asked is None:
        with pytest.raises(ValueError, match="cel evaluation error"):
            webhook.is_asked(compiled, spec)
    else:
        assert webhook.is_asked(compiled, spec) is asked
