"""LimitRanges, ResourceQuotas, PodDisruptionBudgets, PriorityClasses and RuntimeClasses."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import (
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

AT_LEAST_0 = "must be greater than or equal to 0"
TIME = "2026-01-01T00:00:00Z"


def limit_range(*limits: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l"},
        "spec": {"limits": list(limits)},
    }


def limit(type_: str = "Container", **amounts: Json) -> Json:
    return limit_range({"type": type_, **amounts})


def quota(*scopes: str, hard: Json | None = None, selector: list[Json] | None = None) -> Json:
    own: Json = {"hard": hard or {}}
    if scopes:
        own["scopes"] = list(scopes)
    if selector is not None:
        own["scopeSelector"] = {"matchExpressions": selector}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": own}


def budget(**spec: Any) -> Json:
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": spec}


def priority(name: str = "high", **fields: Any) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1,
        **fields,
    }


def runtime(**fields: Any) -> Json:
    own = {"handler": "runsc", **fields}
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "sandboxed"}, **own}


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ({"max": {"cpu": "2"}}, {"default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}}),
        ({"min": {"cpu": "1"}}, {"defaultRequest": {"cpu": "1"}}),
        ({"min": {"cpu": "1"}, "max": {"cpu": "4"}, "default": {"cpu": "2"}}, {"default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}}),
        ({"max": {"cpu": "4"}, "defaultRequest": {"cpu": "1"}}, {"default": {"cpu": "4"}, "defaultRequest": {"cpu": "1"}}),
    ],
)  # fmt: skip
def test_a_range_says_what_containers_get(given: Json, filled: Json) -> None:
    """Their limit is the most, what they request their limit; of pods it says nothing."""
    [made] = created(limit(**given))["spec"]["limits"]
    assert made == {"type": "Container", **given, **filled}
    assert created(limit("Pod", max={"cpu": "1"}))["spec"]["limits"] == [{"type": "Pod", "max": {"cpu": "1"}}]


def test_a_range_without_a_name_is_given_one() -> None:
    """Its own uid."""
    assert created({**limit(), "metadata": {}})["metadata"]["name"] == "uid-1"


@pytest.mark.parametrize(
    "hard",
    [
        {"count/widgets.example.com": "3", "requests.example.com/gpu": "4", "hugepages-2Mi": "4Mi"},
        {"requests.hugepages-2Mi": "4Mi", "limits.ephemeral-storage": "1Gi", "services.nodeports": "0"},
        {"gold.storageclass.storage.k8s.io/requests.storage": "1Gi"},
    ],
)
def test_a_quota_bounds_what_has_a_name(hard: Json) -> None:
    """Objects of any kind, what nodes are extended by, and the storage of a class."""
    assert complaints(quota(hard=hard)) == []


def test_the_scopes_of_a_quota_stay() -> None:
    """In whatever order they are named."""
    stored = created(quota("BestEffort", "Terminating", hard={"pods": "1"}))
    assert update_complaints(quota("Terminating", "BestEffort", hard={"pods": "2"}), stored) == []
    assert update_complaints(quota("BestEffort", hard={"pods": "1"}), stored) == [
        'spec.scopes: Invalid value: ["BestEffort"]: field is immutable'
    ]
    assert status_complaints(stored, hard={"pods": "1"}, used={"pods": "-1"}) == [
        f'status.used[pods]: Invalid value: "-1": {AT_LEAST_0}'
    ]


def test_a_priority_and_a_handler_stay() -> None:
    """Pods have them already."""
    stored = created(priority())
    assert stored["preemptionPolicy"] == "PreemptLowerPriority"
    assert update_complaints(priority(value=2), stored) == [
        "value: Forbidden: may not be changed in an update."
    ]
    assert update_complaints(priority(preemptionPolicy="Never"), stored) == [
        'preemptionPolicy: Invalid value: "Never": field is immutable'
    ]
    described = updated(priority(description="x", globalDefault=True), stored)
    assert (described["description"], described["metadata"]["generation"]) == ("x", 1)
    stored = created(runtime())
    assert update_complaints(runtime(handler="kata"), stored) == [
        'handler: Invalid value: "kata": field is immutable'
    ]
    assert complaints(runtime(handler="a.b")) == ['handler: Invalid value: "a.b": must not contain dots']


def condition(**fields: Any) -> Json:
    return {
        "type": "DisruptionAllowed",
        "status": "True",
        "reason": "Enough",
        "lastTransitionTime": TIME,
        "message": "",
        **fields,
    }


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"conditions": [condition(reason="x" * 1025)]}, ["status.conditions[0].reason: Too long: may not be more than 1024 bytes"]),
        ({"conditions": [condition(message="x" * 32769)]}, ["status.conditions[0].message: Too long: may not be more than 32768 bytes"]),
    ],
)  # fmt: skip
def test_a_condition_of_a_budget_is_bounded(status: Json, said: list[str]) -> None:
    """Its reason and its message."""
    assert status_complaints(created(budget()), **status) == said


def test_the_spec_of_a_budget_changes() -> None:
    """And with it its generation."""
    stored = created(budget(minAvailable=1))
    assert stored["status"] == {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    }
    changed = updated(merged(stored, minAvailable="50%"), stored)
    assert (changed["spec"]["minAvailable"], changed["metadata"]["generation"]) == ("50%", 2)


def test_bounds_are_printed() -> None:
    """As kubectl shows them."""
    allowed = with_status(created(budget(minAvailable="50%")), disruptionsAllowed=2)
    assert list(row(allowed).values()) == ["b", "50%", "N/A", 2, "60s"]
    assert list(row(created(budget(maxUnavailable=1))).values()) == ["b", "N/A", "1", 0, "60s"]
    assert list(row(created(priority())).values()) == ["high", 1, False, "60s", "PreemptLowerPriority"]
    assert list(row(created(runtime())).values()) == ["sandboxed", "runsc", "60s"]
    assert row(created(limit())) == {"Name": "l", "Created At": TIME}
    counted = {"pods": "5", "limits.cpu": "4", "cpu": "2"}
    used = with_status(created(quota(hard=counted)), hard=counted, used={"pods": "1", "limits.cpu": "500m"})
    assert row(used) == {
        "Name": "q",
        "Request": "cpu: 0/2, pods: 1/5",
        "Limit": "limits.cpu: 500m/4",
        "Age": "60s",
    }
