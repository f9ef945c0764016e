"""Deployments and ReplicaSets: a template that is a pod's, a selector that matches it and stays."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.kinds import deployments, replicasets
from apiserver.core.rules import Rules
from apiserver.core.values import Json
from machinery.model.errors import Invalid
from tests.support.pod_specs import (
    created,
    deployment,
    replica_set,
    update_complaints,
    updated,
    with_status,
)

DEPLOYMENT = ("deployments", "apps")
REPLICA_SET = ("replicasets", "apps")


def test_a_deployment_gets_its_defaults() -> None:
    """One replica, a rolling update by a quarter, ten old ReplicaSets, ten minutes."""
    own = created(deployment(), *DEPLOYMENT)["spec"]
    assert own["replicas"] == 1
    assert own["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert (own["revisionHistoryLimit"], own["progressDeadlineSeconds"]) == (10, 600)
    assert own["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize(("build", "where"), [(deployment, DEPLOYMENT), (replica_set, REPLICA_SET)])
def test_the_selector_stays(build: Callable[..., Json], where: tuple[str, str]) -> None:
    """A selector that changed would orphan what it selected."""
    old = created(build(), *where)
    new = deepcopy(old)
    new["spec"]["selector"]["matchLabels"]["x"] = "y"
    new["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    (found,) = update_complaints(new, old, *where)
    assert found.startswith("spec.selector: Invalid value:")
    assert found.endswith("field is immutable")


def test_a_changed_spec_is_the_next_generation_and_leaves_the_status() -> None:
    """An update has no say in the status."""
    old = created(deployment(), *DEPLOYMENT)
    new = deepcopy(old)
    new["spec"]["replicas"] = 3
    new["status"] = {"replicas": 9}
    stored = updated(new, old, *DEPLOYMENT)
    assert stored["metadata"]["generation"] == 2
    assert stored["status"] == old["status"]


def test_a_status_write_leaves_the_spec_and_the_generation() -> None:
    """A controller's report is no change of what was asked for."""
    old = created(replica_set(), *REPLICA_SET)
    new = deepcopy(old)
    new["spec"]["replicas"] = 7
    new["status"] = {"replicas": 1, "observedGeneration": 1}
    stored = with_status(new, old, *REPLICA_SET)
    assert stored["spec"] == old["spec"]
    assert stored["status"]["replicas"] == 1
    assert stored["metadata"]["generation"] == 1


def annotated(obj: Json, **annotations: str) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def test_an_annotation_is_the_next_generation_of_a_deployment_only() -> None:
    """It goes on to the newest ReplicaSet; written with the status, as the controller does, it counts for nobody."""
    old, rs = created(deployment(), *DEPLOYMENT), created(replica_set(), *REPLICA_SET)
    assert updated(annotated(old, a="b"), old, *DEPLOYMENT)["metadata"]["generation"] == 2
    assert updated(annotated(rs, a="b"), rs, *REPLICA_SET)["metadata"]["generation"] == 1
    stored = with_status(annotated(old, a="b"), old, *DEPLOYMENT)["metadata"]
    assert (stored["generation"], stored["annotations"]) == (1, {"a": "b"})


def test_an_endpoint_slice_has_a_generation() -> None:
    """Its endpoints, ports and labels count; annotations do not."""
    where = ("endpointslices", "discovery.k8s.io")
    body = {"addressType": "IPv4", "endpoints": [], "ports": [{"port": 80}]}
    meta = {"name": "web-1", "namespace": "default"}
    old = created(
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, **body}, *where
    )

    def generation(**changes: Any) -> int:
        return updated({**old, **changes}, old, *where)["metadata"]["generation"]

    assert generation() == 1
    assert generation(endpoints=[{"addresses": ["10.0.0.1"], "conditions": {}}]) == 2
    assert generation(metadata={**old["metadata"], "labels": {"a": "b"}}) == 2
    assert generation(metadata={**old["metadata"], "annotations": {"a": "b"}}) == 1


def test_counters_of_a_status_agree() -> None:
    """No more pods are ready than there are."""
    old = created(deployment(), *DEPLOYMENT)
    with pytest.raises(Invalid, match=r"status\.readyReplicas: .*cannot be greater than status\.replicas"):
        with_status({**old, "status": {"replicas": 1, "readyReplicas": 2}}, old, *DEPLOYMENT)


def test_collisions_are_only_added() -> None:
    """The count of hash collisions never goes back."""
    old = created(deployment(), *DEPLOYMENT)
    old["status"] = {"collisionCount": 2}
    with pytest.raises(Invalid, match=r"status\.collisionCount: Invalid value: 1: cannot be decremented"):
        with_status({**old, "status": {"collisionCount": 1}}, old, *DEPLOYMENT)


@pytest.mark.parametrize("rules", [deployments.RULES, replicasets.RULES])
def test_scale(rules: Rules) -> None:
    """A Scale reads what is wanted, what is there, and the selector as text."""
    obj = deployment(replicas=3, selector={"matchLabels": {"b": "2", "a": "1"}})
    obj["status"] = {"replicas": 2}
    scale = rules.scale
    assert scale
    assert (scale.replicas(obj), scale.current_replicas(obj), scale.selector(obj)) == (3, 2, "a=1,b=2")


def test_an_account_names_secrets_of_its_own_namespace() -> None:
    """Of a reference to a secret the name is kept."""
    sent = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": "default"},
        "secrets": [{"name": "s", "namespace": "kube-system", "kind": "Secret"}],
    }
    assert created(sent, "serviceaccounts")["secrets"] == [{"name": "s"}]


@pytest.mark.parametrize(("build", "where"), [(deployment, DEPLOYMENT), (replica_set, REPLICA_SET)])
@pytest.mark.parametrize("counter", ["replicas", "readyReplicas"])
def test_a_counter_below_zero_is_refused(
    build: Callable[..., Json], where: tuple[str, str], counter: str
) -> None:
    """Those that are not given count as 0 beside it."""
    old = created(build(), *where)
    with pytest.raises(Invalid, match=rf"status\.{counter}: Invalid value: -1"):
        with_status({**old, "status": {counter: -1}}, old, *where)
