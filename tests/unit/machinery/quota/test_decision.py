"""Whether a write fits into the quotas of its namespace, in the words that kubectl shows.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model import amounts
from machinery.model.clock import Timescale
from machinery.model.quota.decision import (
    NO_CHARGE,
    Charged,
    Decision,
    Refused,
    Write,
    decide,
    observed_use,
    with_charge,
)
from machinery.model.quota.limited import Limited
from machinery.model.quota.usage import Moment

NOW = Moment(0.0, Timescale())


def quota(hard: Json, used: Json | None = None, name: str = "q", **spec: Any) -> Json:
    """Return a ResourceQuota; nothing is used where nothing is said."""
    own = dict.fromkeys(hard, "0") if used is None else used
    status = {"hard": hard, "used": own}
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": status}


def pod(requests: Json | None = None, limits: Json | None = None, name: str = "c", **spec: Any) -> Json:
    """Return a pod with one container."""
    resources = {"requests": requests or {}, "limits": limits or {}}
    return {
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": name, "resources": resources}], **spec},
    }


def created(obj: Json, *quotas: Json, plural: str = "pods", group: str = "") -> Decision:
    """Judge a new object."""
    return decide(quotas, Write((group, plural), obj), NOW)


def updated(new: Json, old: Json, *quotas: Json, plural: str = "services", subresource: str = "") -> Decision:
    """Judge a change."""
    return decide(quotas, Write(("", plural), new, old, subresource), NOW)


def charges(found: Decision) -> dict[str, Json]:
    """Return what is added to each quota."""
    assert isinstance(found, Charged), found
    return {name: amounts.to_json(charge) for name, charge in found.by_quota.items()}


def test_what_fits_is_charged():
    """For the resources that a quota limits, to every quota that is about it."""
    two = quota({"pods": "2", "requests.cpu": "4"}, {"pods": "1", "requests.cpu": "1"})
    count = quota({"count/pods": "10", "count/secrets": "1"}, name="count")
    others = quota({"secrets": "1"}, {"secrets": "1"}, name="others")
    found = created(pod({"cpu": "3"}), two, count, others)
    assert charges(found) == {"q": {"pods": "1", "requests.cpu": "3"}, "count": {"count/pods": "1"}}
    assert isinstance(found, Charged)
    assert with_charge(two, found.by_quota["q"])["status"] == {
        "hard": {"pods": "2", "requests.cpu": "4"},
        "used": {"pods": "2", "requests.cpu": "4"},
    }
    assert created(pod(), others) == NO_CHARGE
    assert created(pod()) == NO_CHARGE


@pytest.mark.parametrize(
    ("obj", "hard", "used", "told"),
    [
        (pod(), {"pods": "2"}, {"pods": "2"}, "requested: pods=1, used: pods=2, limited: pods=2"),
        (
            pod({"cpu": "500m", "memory": "1Gi"}),
            {"pods": "9", "requests.cpu": "1", "requests.memory": "1Gi"},
            {"pods": "1", "requests.cpu": "600m", "requests.memory": "512Mi"},
            "requested: requests.cpu=500m,requests.memory=1Gi, used: requests.cpu=600m,requests.memory=512Mi, limited: requests.cpu=1,requests.memory=1Gi",
        ),
        (pod({"example.com/gpu": "2"}), {"requests.example.com/gpu": "1"}, None, "requested: requests.example.com/gpu=2, used: requests.example.com/gpu=0, limited: requests.example.com/gpu=1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(obj: Json, hard: Json, used: Json | None, told: str):
    """Only what is too much is told, all of it."""
    assert created(obj, quota(hard, used)) == Refused(f"exceeded quota: q, {told}")


def test_the_first_quota_that_it_does_not_fit_into_is_told():
    """Nothing is charged then, to none."""
    full = quota({"pods": "0"}, name="full")
    assert created(pod(), quota({"pods": "1"}), full, quota({"pods": "0"}, name="z")) == Refused(
        "exceeded quota: full, requested: pods=1, used: pods=0, limited: pods=0"
    )


def test_each_container_has_to_say_what_is_limited_of_cpu_and_memory():
    """Those that begin a pod, too; a pod that says it as a whole has said it. Other resources need not be said."""
    hard = {"limits.cpu": "1", "requests.memory": "1Gi", "memory": "1Gi", "requests.ephemeral-storage": "1"}
    silent = pod({"memory": "1Mi"}, name="b")
    silent["spec"]["initContainers"] = [{"name": "a"}]
    assert created(silent, quota(hard)) == Refused(
        "failed quota: q: must specify limits.cpu for: a,b; memory for: a; requests.memory for: a"
    )
    assert created(pod(), quota({"limits.cpu": "1"})) == Refused(
        "failed quota: q: must specify limits.cpu for: c"
    )
    whole = pod(resources={"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}})
    assert charges(created(whole, quota(hard))) == {
        "q": {"limits.cpu": "1", "memory": "1Mi", "requests.memory": "1Mi"}
    }
    assert (
        created(pod(), quota({"requests.ephemeral-storage": "1", "requests.example.com/gpu": "1"}))
        == NO_CHARGE
    )


def test_a_quota_that_nobody_has_counted_yet_lets_nothing_in():
    """Of what it tracks; other kinds are not concerned."""
    fresh = quota({"pods": "5", "requests.cpu": "1", "secrets": "1"}, {"pods": "0"})
    assert created(pod({"cpu": "1"}), fresh) == Refused(
        "status unknown for quota: q, resources: pods,requests.cpu"
    )
    new = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    assert created(pod(), new) == NO_CHARGE  # as long as its status has no limits


def test_nothing_is_asked_for_below_zero():
    """It would make room for others."""
    assert created(pod({"cpu": "-1", "memory": "-1"}), quota({"pods": "1"})) == Refused(
        "quota usage is negative for resource(s): cpu,memory,requests.cpu,requests.memory"
    )


@pytest.mark.parametrize("scoped", ["scopes", "scopeSelector"])
@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("Terminating", pod(activeDeadlineSeconds=5), pod()),
        ("NotTerminating", pod(), pod(activeDeadlineSeconds=0)),
        ("BestEffort", pod(), pod({"cpu": "1"})),
        ("BestEffort", pod({"example.com/gpu": "1", "cpu": "0"}), pod(None, {"memory": "1"})),
        ("NotBestEffort", pod({"memory": "1"}), pod()),
        ("PriorityClass", pod(priorityClassName="high"), pod()),
        ("CrossNamespacePodAffinity", pod(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["a"]}]}}), pod(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a"}]}})),
        ("CrossNamespacePodAffinity", pod(affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"namespaceSelector": {}}}]}}), pod(affinity={"nodeAffinity": {}})),
    ],
)  # fmt: skip
def test_a_quota_with_a_scope_is_about_the_pods_in_it(scoped: str, scope: str, inside: Json, outside: Json):
    """Others are neither charged nor refused."""
    selector = {"matchExpressions": [{"scopeName": scope, "operator": "Exists"}]}
    own = quota({"pods": "0"}, **({"scopes": [scope]} if scoped == "scopes" else {scoped: selector}))
    assert isinstance(created(inside, own), Refused)
    assert created(outside, own) == NO_CHARGE


@pytest.mark.parametrize(
    ("operator", "values", "matched"),
    [
        ("In", ["low", "high"], ["high", "low"]),
        ("NotIn", ["high"], ["low", None]),
        ("Exists", [], ["high", "low"]),
        ("DoesNotExist", [], [None]),
        ("Near", ["high"], []),
    ],
)
def test_a_scope_selector_selects_priority_classes_and_classes_of_volumes(
    operator: str, values: list[str], matched: list[str | None]
):
    """By name; a claim is in the scope of each class that it has, wants, or is on its way to."""
    expression = {"operator": operator, "values": values}
    pods = quota(
        {"pods": "9"}, scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", **expression}]}
    )
    claims = quota(
        {"persistentvolumeclaims": "9"},
        scopeSelector={"matchExpressions": [{"scopeName": "VolumeAttributesClass", **expression}]},
    )
    for name in ("high", "low", None):
        expected = name in matched
        own = {} if name is None else {"priorityClassName": name}
        assert bool(charges(created(pod(**own), pods))) is expected
        for claim in _claims_of(name):
            assert bool(charges(created(claim, claims, plural="persistentvolumeclaims"))) is expected


def _claims_of(name: str | None) -> list[Json]:
    if name is None:
        return [{"spec": {}}]
    return [
        {"spec": {"volumeAttributesClassName": name}},
        {"spec": {}, "status": {"currentVolumeAttributesClassName": name}},
        {"spec": {}, "status": {"modifyVolumeStatus": {"targetVolumeAttributesClassName": name}}},
    ]


def test_objects_that_have_no_scopes_are_in_none():
    """A quota with a scope is not about them."""
    scoped = quota({"services": "0", "configmaps": "0"}, scopes=["BestEffort"])
    assert created({"spec": {"type": "ClusterIP"}}, scoped, plural="services") == NO_CHARGE
    assert created({}, scoped, plural="configmaps") == NO_CHARGE
    assert created({}, quota({"configmaps": "0"}), plural="configmaps") == Refused(
        "exceeded quota: q, requested: configmaps=1, used: configmaps=0, limited: configmaps=0"
    )
    counted = quota({"count/deployments.apps": "1"})
    assert charges(created({}, counted, plural="deployments", group="apps")) == {
        "q": {"count/deployments.apps": "1"}
    }


def service(type_: str, ports: int = 1) -> Json:
    """Return a Service."""
    return {
        "metadata": {"name": "s"},
        "spec": {"type": type_, "ports": [{"port": n} for n in range(1, ports + 1)]},
    }


def test_a_change_is_charged_by_what_it_adds():
    """What makes nothing larger fits, however full it is; what shrinks gives nothing back until it is counted."""
    full = quota({"services": "1", "services.nodeports": "3"}, {"services": "1", "services.nodeports": "2"})
    assert charges(updated(service("NodePort", 3), service("NodePort", 2), full)) == {
        "q": {"services.nodeports": "1"}
    }
    assert updated(service("NodePort", 4), service("NodePort", 2), full) == Refused(
        "exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=2, limited: services.nodeports=3"
    )
    over = quota({"services.nodeports": "1"}, {"services.nodeports": "9"})
    assert updated(service("NodePort", 2), service("NodePort", 2), over) == NO_CHARGE
    assert updated(service("ClusterIP", 2), service("NodePort", 2), over) == NO_CHARGE


def test_a_change_into_a_scope_is_charged_whole():
    """The quota has not counted it before."""
    gold = {
        "matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"]}]
    }
    scoped = quota({"requests.storage": "3Gi"}, scopeSelector=gold)
    old = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    new = deepcopy(old)
    new["spec"]["volumeAttributesClassName"] = "gold"
    assert charges(updated(new, old, scoped, plural="persistentvolumeclaims")) == {
        "q": {"requests.storage": "2Gi"}
    }
    assert updated(new, new, scoped, plural="persistentvolumeclaims") == NO_CHARGE


def test_the_status_of_a_claim_is_charged_and_never_refused():
    """What a volume has become is a fact; other parts of a status are nothing to quotas."""
    old = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}, "status": {}}
    grown = {**old, "status": {"allocatedResources": {"storage": "5Gi"}}}
    full = quota({"requests.storage": "1Gi"}, {"requests.storage": "1Gi"})
    found = updated(grown, old, full, plural="persistentvolumeclaims", subresource="status")
    assert charges(found) == {"q": {"requests.storage": "4Gi"}}
    other = {**old, "status": {"phase": "Bound"}}
    assert updated(other, old, full, plural="persistentvolumeclaims", subresource="status") == NO_CHARGE


def test_pods_are_counted_when_they_are_made_and_when_they_are_resized():
    """Other changes of them change nothing that is counted; nor do bindings, or the deletion of anything."""
    full = quota({"requests.cpu": "2"}, {"requests.cpu": "1"})
    old, new = pod({"cpu": "1"}), pod({"cpu": "3"})
    assert updated(new, old, full, plural="pods") == NO_CHARGE
    assert updated(new, old, full, plural="pods", subresource="status") == NO_CHARGE
    assert updated(new, old, full, plural="pods", subresource="resize") == Refused(
        "exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=1, limited: requests.cpu=2"
    )
    assert decide([full], Write(("", "pods"), {}, None, "binding"), NOW) == NO_CHARGE
    assert updated({}, {}, quota({"configmaps": "0"}), plural="configmaps") == NO_CHARGE


def test_use_is_counted_afresh_of_what_is_there():
    """Of every resource of the limits that is about the kinds, 0 where there is nothing; scopes hold."""
    hard = {"pods": "9", "requests.cpu": "9", "count/secrets": "5", "limits.memory": "1Gi"}
    pods = [pod({"cpu": "500m"}), pod({"cpu": "1"}), {**pod({"cpu": "9"}), "status": {"phase": "Failed"}}]
    objects = {("", "pods"): pods, ("", "secrets"): [{}, {}], ("", "configmaps"): [{}]}
    assert amounts.to_json(observed_use(quota(hard), objects, NOW)) == {
        "count/secrets": "2",
        "limits.memory": "0",
        "pods": "2",
        "requests.cpu": "1500m",
    }
    scoped = quota({"pods": "9", "secrets": "9"}, scopes=["Terminating"])
    assert amounts.to_json(observed_use(scoped, objects, NOW)) == {"pods": "0", "secrets": "0"}
    assert observed_use(quota({"services": "1"}), objects, NOW) == {}


HIGH = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
CPU = Limited(("", "pods"), ("requests.cpu",))
PRIORITY = Limited(("", "pods"), (), (HIGH,))
SELECTING = {"scopeSelector": {"matchExpressions": [HIGH]}}


@pytest.mark.parametrize(
    ("limits", "obj", "quotas", "refusal"),
    [
        ([CPU], pod({"cpu": "1"}), [], "insufficient quota to consume: requests.cpu"),
        ([CPU], pod(), [], ""),
        ([CPU], pod({"cpu": "1"}), [quota({"requests.cpu": "2"})], ""),
        ([CPU], pod({"cpu": "1"}), [quota({"pods": "2"})], "insufficient quota to consume: requests.cpu"),
        ([CPU], pod({"cpu": "1"}), [quota({"requests.cpu": "2"}, scopes=["BestEffort"])], "insufficient quota to consume: requests.cpu"),
        ([CPU], pod({"cpu": "3"}), [quota({"requests.cpu": "2"})], "exceeded quota: q, requested: requests.cpu=3, used: requests.cpu=0, limited: requests.cpu=2"),
        ([Limited(("", "services"), ("cpu",))], pod({"cpu": "1"}), [], ""),
        ([PRIORITY], pod(priorityClassName="high"), [], "insufficient quota to match these scopes: [{PriorityClass In [high]}]"),
        ([PRIORITY], pod(priorityClassName="low"), [], ""),
        ([PRIORITY], pod(priorityClassName="high"), [quota({"pods": "2"})], "insufficient quota to match these scopes: [{PriorityClass In [high]}]"),
        ([PRIORITY], pod(priorityClassName="high"), [quota({"pods": "2"}, **SELECTING)], ""),
    ],
)  # fmt: skip
def test_what_is_limited_needs_a_quota_that_is_about_it(limits: Any, obj: Json, quotas: Any, refusal: str):
    """By the name of a resource that it takes, or by a scope that it is in; a change that takes nothing more needs none."""
    found = decide(quotas, Write(("", "pods"), obj), NOW, limits)
    assert (found.reason if isinstance(found, Refused) else "") == refusal
    assert isinstance(decide(quotas, Write(("", "pods"), obj, obj, "resize"), NOW, limits), Charged)
