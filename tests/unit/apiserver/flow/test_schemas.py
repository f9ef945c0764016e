"""Which priority level a request belongs to, and what its flow is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.flow.configuration import FlowConfiguration, with_dangling
from apiserver.core.flow.levels import LEVELS, shares_of
from apiserver.core.flow.suggested import MANDATORY, SUGGESTED, plan
from apiserver.request import Request, UserInfo

AUTH = "system:authenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
CONFIGURATION = FlowConfiguration(SUGGESTED)


def asked(name: str, *groups: str, resource: str = "pods", group: str = "", namespace: str = "a") -> Request:
    """Write a request."""
    user = UserInfo(name, groups=groups)
    return Request(user=user, verb="update", resource=resource, group=group, namespace=namespace)


LEASE = {"resource": "leases", "group": "coordination.k8s.io", "namespace": "kube-system"}


@pytest.mark.parametrize(
    ("request_", "level", "key"),
    [
        (asked("admin", "system:masters", AUTH), "exempt", ""),
        (asked("system:kube-scheduler", AUTH, **LEASE), "leader-election", "system:kube-scheduler"),
        (asked("system:kube-scheduler", AUTH), "workload-high", "a"),
        (asked("system:kube-controller-manager", AUTH), "workload-high", "a"),
        (asked("system:node:n", "system:nodes", AUTH, **LEASE), "node-high", "system:node:n"),
        (asked("system:node:n", "system:nodes", AUTH, resource="nodes"), "node-high", "system:node:n"),
        (asked("system:node:n", "system:nodes", AUTH), "system", "system:node:n"),
        (asked("system:serviceaccount:kube-system:x", AUTH), "workload-high", "a"),
        (asked("system:serviceaccount:kube-system:x", AUTH, **LEASE), "leader-election", "system:serviceaccount:kube-system:x"),
        (asked("system:serviceaccount:b:x", AUTH, SERVICE_ACCOUNTS), "workload-low", "system:serviceaccount:b:x"),
        (asked("system:serviceaccount:b:x", AUTH, SERVICE_ACCOUNTS, **LEASE), "workload-low", "system:serviceaccount:b:x"),
        (asked("jane", AUTH, **LEASE), "global-default", "jane"),
        (asked("system:kube-proxy", AUTH), "workload-high", "system:kube-proxy"),
        (asked("system:anonymous", "system:unauthenticated"), "global-default", "system:anonymous"),
        (asked("a-ghost"), "catch-all", "a-ghost"),
    ],
)  # fmt: skip
def test_a_request_belongs_to_a_level(request_: Request, level: str, key: str) -> None:
    """By who asks, and what for."""
    flow = CONFIGURATION.classify(request_.user, request_)
    assert (flow.level, flow.key.partition("/")[2]) == (level, key)


@pytest.mark.parametrize("total", [1, 60, 600])
def test_every_level_has_seats_of_its_own(total: int) -> None:
    """And its share of all."""
    shares = shares_of(total)
    assert set(shares) == {level.name for level in LEVELS}
    assert all(1 <= share.own <= share.nominal for share in shares.values())
    assert sum(share.nominal for share in shares.values()) < total + len(LEVELS)
    if total == 600:
        assert shares["node-high"][:2] == (98, 74)


def schema(name: str, level: str, precedence: int, *rules: dict[str, Any], by: str = "") -> dict[str, Any]:
    """Write a FlowSchema."""
    own: dict[str, Any] = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    method = {"distinguisherMethod": {"type": by}} if by else {}
    return {"kind": "FlowSchema", "metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {**own, **method, "rules": list(rules)}}  # fmt: skip


def level(name: str, **limited: Any) -> dict[str, Any]:
    """Write a PriorityLevelConfiguration."""
    return {
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"type": "Limited", "limited": limited},
    }


def rule(*subjects: dict[str, Any], **resources: Any) -> dict[str, Any]:
    """Write a rule about updates of pods."""
    matched = {
        "verbs": ["update"],
        "apiGroups": [""],
        "resources": ["pods"],
        "namespaces": ["*"],
        **resources,
    }
    return {"subjects": list(subjects), "resourceRules": [matched]}


JANE = {"kind": "User", "user": {"name": "jane"}}
DEVS = {"kind": "Group", "group": {"name": "devs"}}
ROBOT = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "b", "name": "robot"}}
ROBOTS = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "b", "name": "*"}}


@pytest.mark.parametrize(
    ("rule_", "request_", "matches"),
    [
        (rule(JANE), asked("jane"), True),
        (rule(JANE), asked("joe"), False),
        (rule({"kind": "User", "user": {"name": "*"}}), asked("joe"), True),
        (rule(DEVS), asked("jane", "devs"), True),
        (rule(DEVS), asked("jane", "ops"), False),
        (rule(JANE, DEVS), asked("joe", "devs"), True),
        (rule(ROBOT), asked("system:serviceaccount:b:robot"), True),
        (rule(ROBOT), asked("system:serviceaccount:b:other"), False),
        (rule(ROBOTS), asked("system:serviceaccount:b:other"), True),
        (rule(ROBOTS), asked("system:serviceaccount:bb:other"), False),
        (rule(JANE, verbs=["get"]), asked("jane"), False),
        (rule(JANE, verbs=["*"]), asked("jane"), True),
        (rule(JANE, apiGroups=["apps"]), asked("jane"), False),
        (rule(JANE, resources=["secrets"]), asked("jane"), False),
        (rule(JANE, namespaces=["a"]), asked("jane"), True),
        (rule(JANE, namespaces=["b"]), asked("jane"), False),
        (rule(JANE), asked("jane", resource="pods", namespace=""), False),
        (rule(JANE, clusterScope=True, namespaces=[]), asked("jane", namespace=""), True),
        (rule(JANE, clusterScope=True, namespaces=[]), asked("jane"), False),
    ],
)
def test_a_schema_matches_by_who_asks_and_for_what(
    rule_: dict[str, Any], request_: Request, matches: bool
) -> None:
    """All of a rule has to match; whoever matches nothing is caught."""
    found = FlowConfiguration([level("mine"), schema("mine", "mine", 10, rule_)])
    flow = found.classify(request_.user, request_)
    assert flow.schema == ("mine" if matches else "catch-all")
    assert found.classify(request_.user, request_) is flow


def test_the_schema_with_the_least_precedence_comes_first_and_one_without_a_level_never() -> None:
    """Of equal ones that whose name is less; answers say by their uids which it was."""
    schemas = [schema(name, "mine", number, rule(JANE)) for name, number in (("c", 5), ("b", 4), ("a", 4))]
    found = FlowConfiguration([level("mine"), *schemas, schema("first", "gone", 1, rule(JANE))])
    request_ = asked("jane")
    flow = found.classify(request_.user, request_)
    assert (flow.schema, found.dangling) == ("a", {"first"})
    assert dict(flow.headers) == {
        "X-Kubernetes-Pf-Flowschema-Uid": "uid-a",
        "X-Kubernetes-Pf-Prioritylevel-Uid": "uid-mine",
    }


def test_a_level_has_what_its_object_says() -> None:
    """A hand of queues is what one flow may have waiting."""
    queuing = {"queues": 8, "handSize": 2, "queueLengthLimit": 5}
    response = {"type": "Queue", "queuing": queuing}
    found = FlowConfiguration([
        level("mine", nominalConcurrencyShares=7, lendablePercent=10, borrowingLimitPercent=50, limitResponse=response),
        level("rejects", nominalConcurrencyShares=1, limitResponse={"type": "Reject"}),
    ])  # fmt: skip
    levels = {each.name: each for each in found.levels}
    assert levels.keys() == {"mine", "rejects", "catch-all"}
    mine = levels["mine"]
    assert (mine.shares, mine.lendable_percent, mine.borrowing_percent) == (7, 10, 50)
    assert (mine.queue_length, mine.queued, levels["rejects"].queue_length) == (10, 40, 0)


def test_a_schema_says_whether_its_level_is_there() -> None:
    """Once; what else was said stays."""
    one = schema("a", "mine", 5, rule(JANE))
    written = with_dangling(one, dangles=True, now="2026-01-01T00:00:00Z")
    assert written is not None
    assert written["status"]["conditions"][0]["status"] == "True"
    assert with_dangling(written, dangles=True, now="") is None
    again = with_dangling(written, dangles=False, now="2026-01-01T00:00:00Z")
    assert again is not None
    assert [(each["type"], each["status"]) for each in again["status"]["conditions"]] == [
        ("Dangling", "False")
    ]


def test_what_a_cluster_begins_with_comes_back_unless_it_is_the_operators() -> None:
    """The mandatory ones in any case; the shares of `exempt` are nobody else's."""
    missing, changed = plan({})
    assert (len(missing), changed) == (len(SUGGESTED) + len(MANDATORY), [])
    there = {(obj["kind"], obj["metadata"]["name"]): deepcopy(obj) for obj in (*SUGGESTED, *MANDATORY)}
    assert plan(there) == ([], [])
    for name in ("system", "workload-low", "catch-all", "exempt"):
        own = there["PriorityLevelConfiguration", name]
        own["spec"] = {**own["spec"], "mine": 1}
        if name in {"workload-low", "catch-all", "exempt"}:
            own["metadata"]["annotations"] = {"apf.kubernetes.io/autoupdate-spec": "false"}
    _, changed = plan(there)
    assert {obj["metadata"]["name"] for obj in changed} == {"system", "catch-all"}
