"""What each object counts for in a quota.

https://kubernetes.io/docs/concepts/policy/resource-quotas/#types-of-resource-quota
"""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model import amounts
from machinery.model.clock import Timescale
from machinery.model.k8s import served
from machinery.model.quota.evaluators import evaluator
from machinery.model.quota.usage import Moment

SCALE = Timescale()
NOW = Moment(SCALE.parse("2026-01-01T00:01:00Z"), SCALE)


def used(plural: str, obj: Json, group: str = "") -> Json:
    """Return what an object counts for."""
    return amounts.to_json(evaluator(group, plural).usage(obj, NOW))


def container(requests: Json | None = None, limits: Json | None = None, **more: Any) -> Json:
    """Return a container that asks for resources."""
    return {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def pod(*containers: Json, status: Json | None = None, meta: Json | None = None, **spec: Any) -> Json:
    """Return a pod."""
    return {"metadata": meta or {}, "spec": {"containers": list(containers), **spec}, "status": status or {}}


ONE = {"count/pods": "1", "pods": "1"}


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        (pod(container()), {}),
        (pod(container({"cpu": "250m"}), container({"cpu": "750m"})), {"cpu": "1", "requests.cpu": "1"}),
        (pod(container({"memory": "512Mi"}, {"memory": "1Gi"}), container(None, {"memory": "1Gi"})), {"memory": "512Mi", "requests.memory": "512Mi", "limits.memory": "2Gi"}),
        (pod(container({"ephemeral-storage": "1Gi"}, {"ephemeral-storage": "2Gi"})), {"ephemeral-storage": "1Gi", "requests.ephemeral-storage": "1Gi", "limits.ephemeral-storage": "2Gi"}),
        (pod(container({"hugepages-2Mi": "4Mi"}, {"hugepages-2Mi": "4Mi"})), {"hugepages-2Mi": "4Mi", "requests.hugepages-2Mi": "4Mi"}),
        (pod(container({"example.com/gpu": "2"}, {"example.com/gpu": "2"})), {"requests.example.com/gpu": "2"}),
        (pod(container({"deviceclass.resource.kubernetes.io/gpu": "2"}, {"deviceclass.resource.kubernetes.io/gpu": "2"})), {"requests.deviceclass.resource.kubernetes.io/gpu": "2"}),
        (pod(container({"cpu": "1"}), initContainers=[container({"cpu": "3"})]), {"cpu": "3", "requests.cpu": "3"}),
        (pod(container({"cpu": "1"}), initContainers=[container({"cpu": "1"}, restartPolicy="Always"), container({"cpu": "2"})]), {"cpu": "3", "requests.cpu": "3"}),
        (pod(container({"cpu": "1"}), resources={"requests": {"cpu": "5", "example.com/gpu": "1"}}), {"cpu": "5", "requests.cpu": "5"}),
        (pod(container({"cpu": "1"}, {"memory": "1Gi"}), overhead={"cpu": "250m", "memory": "1Gi"}), {"cpu": "1250m", "requests.cpu": "1250m", "memory": "1Gi", "requests.memory": "1Gi", "limits.memory": "2Gi"}),
    ],
)  # fmt: skip
def test_a_pod_counts_for_itself_and_for_what_it_asks_for(counted: Json, expected: Json):
    """Of what nodes were extended by only requests; sidecars, overhead and what it asks for as a whole included."""
    assert used("pods", counted) == {**ONE, **expected}


@pytest.mark.parametrize(
    ("status", "meta", "charged"),
    [
        ({"phase": "Running"}, {}, True),
        ({"phase": "Pending"}, {}, True),
        ({"phase": "Succeeded"}, {}, False),
        ({"phase": "Failed"}, {}, False),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}, True),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 29}, False),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, True),
    ],
)
def test_a_pod_that_has_ended_or_should_have_gone_is_only_an_object(
    status: Json, meta: Json, *, charged: bool
):
    """A pod on a node that is lost does not keep others from starting."""
    found = used("pods", pod(container({"cpu": "1"}), status=status, meta=meta))
    assert found == ({**ONE, "cpu": "1", "requests.cpu": "1"} if charged else {"count/pods": "1"})


@pytest.mark.parametrize(
    ("wanted", "has", "allocated", "conditions", "expected"),
    [
        ("1", "2", "1", [], "2"),
        ("3", "1", "1", [], "3"),
        ("1", "1", "2", [], "2"),
        ("9", "1", "2", [{"type": "PodResizePending", "reason": "Infeasible"}], "2"),
        ("9", "1", "2", [{"type": "PodResizePending", "reason": "Deferred"}], "9"),
    ],
)
def test_a_pod_that_is_resized_counts_for_the_larger(
    wanted: str, has: str, allocated: str, conditions: list[Json], expected: str
):
    """Except where its node will never do it."""
    own = {"name": "c", "allocatedResources": {"cpu": allocated}, "resources": {"requests": {"cpu": has}}}
    status = {"containerStatuses": [own], "conditions": conditions}
    found = used("pods", pod(container({"cpu": wanted}), status=status))
    assert found["requests.cpu"] == expected


@pytest.mark.parametrize(("reason", "expected"), [("Deferred", "3"), ("Infeasible", "2")])
def test_a_pod_that_is_resized_as_a_whole_counts_for_the_larger(reason: str, expected: str):
    """Except where its node will never do it; what its containers ask for is part of it."""
    status = {
        "allocatedResources": {"cpu": "2"},
        "resources": {"requests": {"cpu": "1"}},
        "conditions": [{"type": "PodResizePending", "reason": reason}],
    }
    resized = pod(container({"cpu": "1"}), status=status)
    resized["spec"]["resources"] = {"requests": {"cpu": "3"}}
    assert used("pods", resized)["requests.cpu"] == expected


PORTS = [{"port": 80}, {"port": 443, "nodePort": 30_443}, {"port": 8080}]


@pytest.mark.parametrize(
    ("spec", "node_ports", "load_balancers"),
    [
        ({"type": "ClusterIP", "ports": PORTS}, "0", "0"),
        ({"type": "ExternalName"}, "0", "0"),
        ({"type": "NodePort", "ports": PORTS}, "3", "0"),
        ({"type": "LoadBalancer", "ports": PORTS}, "3", "1"),
        ({"type": "LoadBalancer", "ports": PORTS, "allocateLoadBalancerNodePorts": False}, "1", "1"),
    ],
)
def test_a_service_counts_by_its_type(spec: Json, node_ports: str, load_balancers: str):
    """Node ports are counted before they are given out."""
    assert used("services", {"spec": spec}) == {
        "count/services": "1",
        "services": "1",
        "services.nodeports": node_ports,
        "services.loadbalancers": load_balancers,
    }


def claim(
    storage: str | None = "1Gi", status: Json | None = None, annotation: str | None = None, **spec: Any
) -> Json:
    """Return a PersistentVolumeClaim."""
    meta = (
        {} if annotation is None else {"annotations": {"volume.beta.kubernetes.io/storage-class": annotation}}
    )
    requests = {} if storage is None else {"storage": storage}
    return {"metadata": meta, "spec": {"resources": {"requests": requests}, **spec}, "status": status or {}}


CLAIM = {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1"}
GOLD = "gold.storageclass.storage.k8s.io/"


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        (claim(), {"requests.storage": "1Gi"}),
        (claim(None), {}),
        (claim("1500m"), {"requests.storage": "2"}),
        (claim(storageClassName="gold"), {"requests.storage": "1Gi", f"{GOLD}persistentvolumeclaims": "1", f"{GOLD}requests.storage": "1Gi"}),
        (claim(None, annotation="gold", storageClassName="tin"), {f"{GOLD}persistentvolumeclaims": "1"}),
        (claim(annotation="", storageClassName="tin"), {"requests.storage": "1Gi"}),
        (claim(status={"allocatedResources": {"storage": "2Gi"}}), {"requests.storage": "2Gi"}),
        (claim(status={"allocatedResources": {"storage": "1Mi"}}), {"requests.storage": "1Gi"}),
    ],
)  # fmt: skip
def test_a_claim_counts_in_all_and_in_its_class(counted: Json, expected: Json):
    """In whole bytes; while it grows, for what it is given."""
    assert used("persistentvolumeclaims", counted) == {**CLAIM, **expected}


@pytest.mark.parametrize(
    ("group", "plural", "expected"),
    [
        ("", "configmaps", ["configmaps", "count/configmaps"]),
        ("", "secrets", ["count/secrets", "secrets"]),
        ("", "resourcequotas", ["count/resourcequotas", "resourcequotas"]),
        ("", "replicationcontrollers", ["count/replicationcontrollers", "replicationcontrollers"]),
        ("", "serviceaccounts", ["count/serviceaccounts"]),
        ("apps", "deployments", ["count/deployments.apps"]),
        ("example.com", "secrets", ["count/secrets.example.com"]),
    ],
)
def test_everything_else_counts_by_its_number(group: str, plural: str, expected: list[str]):
    """Under a name with its group; a few have an older one, too."""
    assert used(plural, {}, group) == dict.fromkeys(expected, "1")


@pytest.mark.parametrize(
    ("plural", "tracked", "left"),
    [
        ("pods", ["count/pods", "pods", "cpu", "requests.memory", "limits.ephemeral-storage", "hugepages-1Gi", "requests.hugepages-1Gi", "requests.example.com/gpu"], ["services", "requests.storage", "example.com/gpu", "limits.example.com/gpu", f"{GOLD}requests.storage", "count/pods.example.com", "storage"]),
        ("services", ["services", "count/services", "services.nodeports", "services.loadbalancers"], ["pods", "services.other"]),
        ("persistentvolumeclaims", ["persistentvolumeclaims", "requests.storage", f"{GOLD}requests.storage", f"{GOLD}persistentvolumeclaims"], [f"{GOLD}storage", "requests.cpu"]),
        ("configmaps", ["configmaps", "count/configmaps"], ["secrets", "count/configmaps.x"]),
    ],
)  # fmt: skip
def test_a_quota_limits_each_kind_by_its_own_resources(plural: str, tracked: list[str], left: list[str]):
    """What is no resource of a kind is nothing to it."""
    assert evaluator("", plural).tracked(frozenset([*tracked, *left])) == frozenset(tracked)


CLASS = ".deviceclass.resource.k8s.io/devices"
REQUESTED = "requests.deviceclass.resource.kubernetes.io/"


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([], {}),
        ([{"name": "a", "exactly": {"deviceClassName": "gpu"}}], {f"gpu{CLASS}": "1"}),
        ([{"name": "a", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 3}}, {"name": "b", "exactly": {"deviceClassName": "gpu", "count": 2}}], {f"gpu{CLASS}": "5"}),
        ([{"name": "a", "exactly": {"deviceClassName": "gpu", "allocationMode": "All"}}], {f"gpu{CLASS}": "32"}),
        ([{"name": "a", "exactly": {"deviceClassName": "gpu", "allocationMode": "Other"}}], {f"gpu{CLASS}": "0"}),
        ([{"name": "a", "firstAvailable": [{"name": "x", "deviceClassName": "gpu", "count": 2}, {"name": "y", "deviceClassName": "gpu", "count": 4}, {"name": "z", "deviceClassName": "tpu", "count": 1}]}], {f"gpu{CLASS}": "4", f"tpu{CLASS}": "1"}),
    ],
)  # fmt: skip
def test_a_resource_claim_counts_for_its_devices_by_their_class(requests: list[Json], expected: Json):
    """Of alternatives each class counts for the most that is asked of it; for all that there are, as many as fit into a claim."""
    claim = {"metadata": {}, "spec": {"devices": {"requests": requests}}}
    found = used("resourceclaims", claim, "resource.k8s.io")
    as_pods_ask = {f"{REQUESTED}{name.removesuffix(CLASS)}": count for name, count in expected.items()}
    assert found == {"count/resourceclaims.resource.k8s.io": "1", **expected, **as_pods_ask}
    assert evaluator("resource.k8s.io", "resourceclaims").tracked(frozenset([*found, "pods"])) == set(found)


def test_objects_of_every_kind_are_counted_by_their_number():
    """Under `count/<resource>.<group>`, those of a kind that is yet to come included."""
    kinds = [
        *((kind.group, kind.plural) for kind in served.STORED if kind.namespaced),
        ("example.com", "foos"),
    ]
    for group, plural in kinds:
        name = f"count/{plural}.{group}" if group else f"count/{plural}"
        counting = evaluator(group, plural)
        assert counting.tracked(frozenset([name, "count/others"])) == {name}
        assert amounts.to_json(counting.usage({"metadata": {}, "spec": {}}, NOW))[name] == "1"
        assert counting.counts("", {}, None)
