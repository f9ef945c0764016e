"""What a delete does to an object: the rules alone."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.deletion import Deletion, Mark, Pending, Remove, Wanted, check_preconditions
from apiserver.core.deletion import is_over as goes
from apiserver.core.kind import Kind
from apiserver.core.kinds import KINDS
from machinery.model.clock import Timescale

CONFIG_MAPS, PODS, NAMESPACES = KINDS["", "configmaps"], KINDS["", "pods"], KINDS["", "namespaces"]
NOW_S = 1_767_225_600.0
SCALE = Timescale()


def plan_deletion(kind: Kind, obj: Any, wanted: Wanted, now_s: float, scale: Timescale) -> Deletion:
    check_preconditions(kind, obj, wanted)
    return kind.rules.plan_deletion(obj, wanted, now_s, scale)


def is_over(kind: Kind, obj: Any, before: Any) -> bool:
    return goes(obj, before, is_held=kind.rules.is_held(obj))


def _obj(spec: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "uid": "u", "resourceVersion": "5", **meta}, "spec": spec or {}}


def test_an_object_that_nothing_keeps_is_removed() -> None:
    """No finalizers, no grace."""
    assert plan_deletion(CONFIG_MAPS, _obj(), Wanted(), NOW_S, SCALE) == Remove()


def test_the_background_policy_removes_what_another_policy_has_added() -> None:
    """A later delete may be less patient about dependents."""
    waiting = _obj(finalizers=["foregroundDeletion"], deletionTimestamp="2026-01-01T00:00:00Z")
    assert (
        plan_deletion(CONFIG_MAPS, waiting, Wanted(propagation_policy="Background"), NOW_S, SCALE) == Remove()
    )
    assert isinstance(plan_deletion(CONFIG_MAPS, waiting, Wanted(), NOW_S, SCALE), Mark | Pending)


def test_policies_exclude_each_other() -> None:
    """Orphan takes the place of foregroundDeletion; other finalizers stay."""
    obj = _obj(finalizers=["foregroundDeletion", "example.com/hold"])
    planned = plan_deletion(CONFIG_MAPS, obj, Wanted(propagation_policy="Orphan"), NOW_S, SCALE)
    assert isinstance(planned, Mark)
    assert planned.obj["metadata"]["finalizers"] == ["example.com/hold", "orphan"]


def test_grace_is_counted_in_cluster_seconds() -> None:
    """With a time scale of 20 thirty seconds end after one and a half."""
    pod = _obj({"nodeName": "n", "terminationGracePeriodSeconds": 40})
    planned = plan_deletion(PODS, pod, Wanted(), NOW_S * 20, Timescale(20))
    assert isinstance(planned, Mark)
    meta = planned.obj["metadata"]
    assert (meta["deletionGracePeriodSeconds"], meta["deletionTimestamp"]) == (40, "2026-01-01T00:00:02Z")


@pytest.mark.parametrize(("own_s", "wanted_s"), [(10**15, None), (2**63 - 1, None), (30, 2**63 - 1)])
def test_a_grace_period_ends_before_time_does(own_s: int, wanted_s: int | None) -> None:
    """A pod that asks for millions of years can be deleted, and its end brought forward."""
    pod = _obj({"nodeName": "n", "terminationGracePeriodSeconds": own_s})
    planned = plan_deletion(PODS, pod, Wanted(grace_period_s=wanted_s), NOW_S, SCALE)
    assert isinstance(planned, Mark)
    assert planned.obj["metadata"]["deletionTimestamp"] == "2094-01-19T03:14:07Z"
    sooner = plan_deletion(PODS, planned.obj, Wanted(grace_period_s=5), NOW_S, SCALE)
    assert isinstance(sooner, Mark)
    assert sooner.obj["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:05Z"


def test_a_pod_with_finalizers_stays_beyond_its_grace() -> None:
    """Grace 0 does not remove what a finalizer holds; when it goes, the pod goes."""
    pod = _obj({"nodeName": "n"}, finalizers=["example.com/hold"])
    planned = plan_deletion(PODS, pod, Wanted(grace_period_s=0), NOW_S, SCALE)
    assert isinstance(planned, Mark)
    assert planned.obj["metadata"]["deletionGracePeriodSeconds"] == 0
    freed = _obj({"nodeName": "n"})
    assert is_over(PODS, freed, planned.obj)
    assert not is_over(PODS, planned.obj, planned.obj)


def test_a_pod_in_its_grace_period_is_not_over() -> None:
    """The kubelet ends it, not a write to its metadata."""
    pod = _obj(deletionTimestamp="2026-01-01T00:00:30Z", deletionGracePeriodSeconds=30)
    assert not is_over(PODS, pod, pod)


@pytest.mark.parametrize(("finalizers", "over"), [(["kubernetes"], False), ([], True)])
def test_a_namespace_is_over_when_its_spec_says_so(finalizers: list[str], over: bool) -> None:
    """Its own finalizers are in the spec."""
    namespace = _obj({"finalizers": finalizers}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert is_over(NAMESPACES, namespace, namespace) is over


def test_the_object_is_left_alone() -> None:
    """A plan changes nothing."""
    obj = _obj({"nodeName": "n"}, finalizers=["a.b/c"], generation=1)
    before = repr(obj)
    plan_deletion(PODS, obj, Wanted(propagation_policy="Foreground"), NOW_S, SCALE)
    assert repr(obj) == before
