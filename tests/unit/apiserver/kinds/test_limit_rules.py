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
OF_CONTAINERS = "must be a standard resource for containers"
OF_ANY_SORT = "must be a standard resource type or fully qualified"
OF_QUOTAS = "must be a standard resource for quota"
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


def requirement(scope: str, operator: str = "Exists", *values: str) -> Json:
    return {"scopeName": scope, "operator": operator, **({"values": list(values)} if values else {})}


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


LIMIT = "spec.limits[0]"


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (limit("Volume"), [f'{LIMIT}.type: Invalid value: "Volume": must be a standard limit type or fully qualified']),
        (limit_range({"type": "Pod"}, {"type": "Pod"}), ['spec.limits[1].type: Duplicate value: "Pod"']),
        (limit("Pod", max={"storage": "1"}), [f'{LIMIT}.max[storage]: Invalid value: "storage": {OF_CONTAINERS}']),
        (limit("Pod", min={"bananas": "1"}), [f'{LIMIT}.min[bananas]: Invalid value: "bananas": {OF_CONTAINERS}']),
        (limit("Pod", default={"cpu": "1"}), [f"{LIMIT}.default: Forbidden: may not be specified when `type` is 'Pod'"]),
        (limit("Pod", defaultRequest={"cpu": "1"}), [f"{LIMIT}.defaultRequest: Forbidden: may not be specified when `type` is 'Pod'"]),
        (limit("PersistentVolumeClaim"), [f"{LIMIT}.limits: Required value: either minimum or maximum storage value is required, but neither was provided"]),
        (limit("PersistentVolumeClaim", max={"storage": "1", "bananas": "1"}), [f'{LIMIT}.max[bananas]: Invalid value: "bananas": {OF_ANY_SORT}']),
        (limit("Pod", min={"cpu": "2"}, max={"cpu": "1"}), [f'{LIMIT}.min[cpu]: Invalid value: "2": min value 2 is greater than max value 1']),
        (limit(min={"cpu": "2"}, defaultRequest={"cpu": "1"}), [f'{LIMIT}.defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1']),
        (limit(max={"cpu": "1"}, default={"cpu": "1"}, defaultRequest={"cpu": "2"}), [f'{LIMIT}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than max value 1', f'{LIMIT}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1']),
        (limit(min={"cpu": "2"}, default={"cpu": "1"}, defaultRequest={"cpu": "2"}), [f'{LIMIT}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1', f'{LIMIT}.default[cpu]: Invalid value: "2": min value 2 is greater than default value 1']),
        (limit(max={"cpu": "1"}, default={"cpu": "2"}, defaultRequest={"cpu": "1"}), [f'{LIMIT}.default[cpu]: Invalid value: "1": default value 2 is greater than max value 1']),
        (limit("Pod", maxLimitRequestRatio={"cpu": "500m"}), [f'{LIMIT}.maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1']),
        (limit("Pod", min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "3"}), [f'{LIMIT}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000']),
        (limit(default={"example.com/gpu": "2"}, defaultRequest={"example.com/gpu": "1"}), [f'{LIMIT}.defaultRequest[example.com/gpu]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in example.com/gpu']),
        (quota(hard={"bananas": "1"}), [f'spec.hard[bananas]: Invalid value: "bananas": {OF_ANY_SORT}', f'spec.hard[bananas]: Invalid value: "bananas": {OF_QUOTAS}']),
        (quota(hard={"storage": "1"}), [f'spec.hard[storage]: Invalid value: "storage": {OF_QUOTAS}']),
        (quota(hard={"cpu": "-1"}), [f'spec.hard[cpu]: Invalid value: "-1": {AT_LEAST_0}']),
        (quota(hard={"pods": "1500m"}), ['spec.hard[pods]: Invalid value: "1500m": must be an integer']),
        (quota(hard={"count/jobs.batch": "1500m"}), ['spec.hard[count/jobs.batch]: Invalid value: "1500m": must be an integer']),
        (quota("Sometimes"), ['spec.scopes: Invalid value: ["Sometimes"]: unsupported scope']),
        (quota("BestEffort", hard={"cpu": "1"}), ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource']),
        (quota("Terminating", hard={"services": "1"}), ['spec.scopes: Invalid value: ["Terminating"]: unsupported scope applied to resource']),
        (quota("BestEffort", "NotBestEffort"), ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes']),
        (quota("Terminating", "NotTerminating"), ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes']),
        (quota(selector=[requirement("Often")]), ['spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Often": unsupported scope']),
        (quota(selector=[requirement("PriorityClass", "In")]), ["spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"]),
        (quota(selector=[requirement("PriorityClass", "Exists", "high")]), ["spec.scopeSelector.matchExpressions.values: Invalid value: [\"high\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"]),
        (quota(selector=[requirement("PriorityClass", "Like")]), ['spec.scopeSelector.matchExpressions.operator: Invalid value: "Like": not a valid selector operator']),
        (quota(selector=[requirement("BestEffort", "DoesNotExist")]), ["spec.scopeSelector.matchExpressions.operator: Invalid value: \"DoesNotExist\": must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"]),
        (quota(selector=[requirement("Terminating"), requirement("NotTerminating")]), ["spec.scopeSelector.matchExpressions: Invalid value: null: conflicting scopes"]),
        (budget(minAvailable=1, maxUnavailable=1), ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set']),
        (budget(minAvailable=-1), [f"spec.minAvailable: Invalid value: -1: {AT_LEAST_0}"]),
        (budget(maxUnavailable="101%"), ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%']),
        (budget(selector={"matchExpressions": [{"key": "a", "operator": "Like"}]}), ['spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator']),
        (budget(unhealthyPodEvictionPolicy="Never"), ['spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"']),
        (priority(value=1_000_000_001), ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
        (priority("system-mine"), ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class"]),
        (priority("system-node-critical"), ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000"]),
        (priority("system-cluster-critical", value=2_000_000_000, globalDefault=True), ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: globalDefault of system-cluster-critical PriorityClass must be false"]),
        (priority(preemptionPolicy="Always"), ['preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"']),
        (priority(preemptionPolicy=""), ["preemptionPolicy: Required value"]),
        (runtime(overhead={"podFixed": {"cpu": "-1"}}), [f'overhead.limits[cpu]: Invalid value: "-1": {AT_LEAST_0}']),
        (runtime(scheduling={"tolerations": [{"key": "a", "operator": "Exists"}] * 2}), ['scheduling.tolerations[1]: Duplicate value: {"key":"a","operator":"Exists"}']),
        (runtime(scheduling={"tolerations": [{"operator": "Equal"}]}), ['scheduling.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"']),
    ],
)  # fmt: skip
def test_bounds_are_refused_in_kubernetes_words(faulty: Json, said: list[str]) -> None:
    """Of containers, namespaces, disruptions and priorities."""
    assert complaints(faulty) == said


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
    assert complaints(runtime(handler="a.b"))[0].startswith(
        'handler: Invalid value: "a.b": a lowercase RFC 1123 label'
    )


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
        ({"currentHealthy": -1}, [f"status.currentHealthy: Invalid value: -1: {AT_LEAST_0}"]),
        ({"expectedPods": -1}, [f"status.expectedPods: Invalid value: -1: {AT_LEAST_0}"]),
        ({"conditions": [condition(), condition()]}, ['status.conditions[1].type: Duplicate value: "DisruptionAllowed"']),
        ({"conditions": [condition(status="Yes")]}, ['status.conditions[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"']),
        ({"conditions": [condition(reason="")]}, ["status.conditions[0].reason: Required value: must be set"]),
        ({"conditions": [condition(reason="x" * 1025)]}, ["status.conditions[0].reason: Too long: may not be more than 1024 bytes"]),
        ({"conditions": [condition(message="x" * 32769)]}, ["status.conditions[0].message: Too long: may not be more than 32768 bytes"]),
        ({"conditions": [condition(observedGeneration=-1)]}, ["status.conditions[0].observedGeneration: Invalid value: -1: must be greater than or equal to zero"]),
        ({"conditions": [condition(lastTransitionTime=None)]}, ["status.conditions[0].lastTransitionTime: Required value: must be set"]),
        ({"conditions": [condition(reason="not so")]}, ["status.conditions[0].reason: Invalid value: \"not so\": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"]),
    ],
)  # fmt: skip
def test_the_status_of_a_budget_has_counters_and_conditions(status: Json, said: list[str]) -> None:
    """Each condition once, with a reason and a time."""
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
