"""Every kind that is served has the verbs and subresources that discovery lists, at the REST door."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import pytest

from apiserver.core.kind import Kind
from apiserver.core.kinds import KINDS
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from tests.support import served_kinds
from tests.support.rest_door import KUBECTL_TABLE, Client
from tests.support.waiting import until

EVERY: Final = [kind for kind in KINDS.values() if kind.kind != "CustomResourceDefinition"]
"""All but one, which the apiserver acts on at once: it has tests of its own."""
MERGE = {"Content-Type": "application/merge-patch+json"}


def place(kind: Kind) -> str:
    """Return the path of a kind's objects in the namespace `default`."""
    group = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    return f"{group}/namespaces/default/{kind.plural}" if kind.namespaced else f"{group}/{kind.plural}"


async def call(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> Any:
    """Return what a request that is granted is answered with."""
    async with session.request(method, path, **options) as response:
        body = await response.json()
        assert response.status in {200, 201}, body
        return body


def example(kind: KindNames) -> dict[str, Any]:
    """Return an object to create; an APIService that leads nowhere, since how others do is looked at."""
    found = served_kinds.example(kind)
    if kind.kind != "APIService":
        return found
    return {**found, "spec": {name: value for name, value in found["spec"].items() if name != "service"}}


@pytest.fixture
async def account(admin: aiohttp.ClientSession) -> None:
    """Make the service account that pods have."""
    path = "/api/v1/namespaces/default/serviceaccounts"
    await call(admin, "POST", path, json={"metadata": {"name": "default"}})


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.group_resource)
async def test_a_kind_has_its_verbs(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """Create, get, list as a table, patch, replace, watch, delete: one object, and all."""
    path = place(kind)
    made = await call(admin, "POST", path, json=example(kind))
    name = example(kind)["metadata"]["name"]
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == (kind.api_version, kind.kind, name)
    one = f"{path}/{name}"
    assert await call(admin, "GET", one) == made
    table = await call(admin, "GET", path, headers={"Accept": KUBECTL_TABLE})
    assert table["kind"] == "Table"
    assert name in {row["object"]["metadata"]["name"] for row in table["rows"]}
    patch = {"metadata": {"annotations": {"a": "b"}, "finalizers": None}}  # nobody is there to take them away
    patched = await call(admin, "PATCH", one, json=patch, headers=MERGE)
    assert patched["metadata"]["annotations"]["a"] == "b"
    patched["metadata"]["annotations"]["a"] = "c"
    replaced = await call(admin, "PUT", one, json=patched)
    assert replaced["metadata"]["annotations"]["a"] == "c"
    revision = made["metadata"]["resourceVersion"]
    async with admin.get(f"{path}?watch=true&timeoutSeconds=1&resourceVersion={revision}") as stream:
        line = await stream.content.readline()
    assert b'"type":"MODIFIED"' in line
    await call(admin, "DELETE", f"{one}?propagationPolicy=Background")
    if "deletecollection" in kind.verbs:
        await call(admin, "POST", path, json=example(kind))
        await call(admin, "DELETE", f"{path}?fieldSelector=metadata.name={name}")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "kind", [kind for kind in EVERY if kind.has_status], ids=lambda kind: kind.group_resource
)
async def test_a_status_is_written_apart_from_the_rest(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """What is said of the status beside the rest is left out, and the other way round."""
    path = place(kind)
    await call(admin, "POST", path, json=example(kind))
    patch = {"metadata": {"labels": {"a": "b"}}, "status": {"conditions": None}}
    status = f"{path}/{example(kind)['metadata']['name']}/status"
    written = await call(admin, "PATCH", status, json=patch, headers=MERGE)
    if kind.kind == "APIService":  # whose condition the apiserver writes again at once

        async def is_back() -> Any:
            found = await call(admin, "GET", status)
            return found if found["status"].get("conditions") else None

        assert written["status"] == {}
        written = await until(is_back)
    assert await call(admin, "GET", status) == written
    assert (await call(admin, "PUT", status, json=written))["kind"] == kind.kind


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if "scale" in kind.subresources],
    ids=lambda kind: kind.group_resource,
)
async def test_what_has_replicas_is_scaled(admin: aiohttp.ClientSession, kind: Kind) -> None:
    """Through a Scale, by which autoscalers and `kubectl scale` work."""
    path = f"{place(kind)}/x"
    await call(admin, "POST", place(kind), json=example(kind))
    scale = await call(admin, "GET", f"{path}/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    scale["spec"]["replicas"] = 3
    assert (await call(admin, "PUT", f"{path}/scale", json=scale))["spec"] == {"replicas": 3}
    patched = await call(admin, "PATCH", f"{path}/scale", json={"spec": {"replicas": 2}}, headers=MERGE)
    assert patched["spec"] == {"replicas": 2}
    assert (await call(admin, "GET", path))["spec"]["replicas"] == 2


@pytest.mark.parametrize("names", served.REVIEWS, ids=lambda names: names.kind)
async def test_a_review_is_answered(admin: aiohttp.ClientSession, names: KindNames) -> None:
    """It is not stored; what comes back says what was found out."""
    ask = {"verb": "get", "resource": "pods", "namespace": "default"}
    spec: dict[str, Any] = {
        "TokenReview": {"token": "none"},
        "SubjectAccessReview": {"user": "ann", "resourceAttributes": ask},
        "LocalSubjectAccessReview": {"user": "ann", "resourceAttributes": ask},
        "SelfSubjectAccessReview": {"resourceAttributes": ask},
        "SelfSubjectRulesReview": {"namespace": "default"},
    }.get(names.kind, {})
    inside = "/namespaces/default" if names.namespaced else ""
    body = {"apiVersion": names.api_version, "kind": names.kind, "spec": spec}
    path = f"/apis/{names.api_version}{inside}/{names.plural}"
    answer = await call(admin, "POST", path, json=body)
    assert answer["kind"] == names.kind
    assert answer["status"]
    only_table = {"Accept": KUBECTL_TABLE.split(",")[0]}
    async with admin.post(path, json=body, headers=only_table) as response:
        assert response.status == 406  # what is not stored has no table


async def test_the_components_say_how_they_do(admin: aiohttp.ClientSession, client: Client) -> None:
    """The store answers; of the others somebody has to lead. Every answer says that nobody should ask."""
    path = "/api/v1/componentstatuses"
    lease = {
        "holderIdentity": "scheduler-1",
        "leaseDurationSeconds": 15,
        "renewTime": "2999-01-01T00:00:00.000000Z",
    }
    made = {"metadata": {"name": "kube-scheduler"}, "spec": lease}
    await call(admin, "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", json=made)
    async with admin.get(path) as response:
        assert response.headers["Warning"] == '299 - "v1 ComponentStatus is deprecated in v1.19+"'
        listed = await response.json()
    assert (listed["kind"], listed["metadata"]) == ("ComponentStatusList", {})
    said = {each["metadata"]["name"]: each["conditions"] for each in listed["items"]}
    healthy = [{"type": "Healthy", "status": "True", "message": "ok"}]
    lost = 'leases.coordination.k8s.io "kube-controller-manager" not found'
    assert said == {
        "controller-manager": [{"type": "Healthy", "status": "False", "error": lost}],
        "etcd-0": healthy,
        "scheduler": healthy,
    }
    table = await call(admin, "GET", f"{path}/scheduler", headers={"Accept": KUBECTL_TABLE})
    assert [row["cells"] for row in table["rows"]] == [["scheduler", "Healthy", "ok", ""]]
    only = await call(admin, "GET", f"{path}?fieldSelector=metadata.name=etcd-0&limit=1")
    assert [each["metadata"] for each in only["items"]] == [{"name": "etcd-0"}]
    assert (await call(admin, "GET", f"{path}?labelSelector=a"))["items"] == []
    async with admin.get(path, headers={"Accept": "application/vnd.kubernetes.protobuf"}) as response:
        assert (await response.read()).startswith(b"k8s\0")
    for method, place_, code in (
        ("GET", f"{path}/other", 404),
        ("GET", f"{path}?watch=1", 405),
        ("GET", f"{path}?fieldSelector=spec.a=b", 400),
        ("POST", path, 405),
        ("DELETE", f"{path}/scheduler", 405),
    ):
        async with admin.request(method, place_, json={} if method == "POST" else None) as refused:
            assert refused.status == code
    async with client("node-1").get(path) as refused:
        assert refused.status == 403


async def test_a_binding_is_posted_by_itself(admin: aiohttp.ClientSession) -> None:
    """The object says which pod is bound; one that names none, or none that is there, is refused."""
    space = "/api/v1/namespaces/default"
    await call(admin, "POST", f"{space}/serviceaccounts", json={"metadata": {"name": "default"}})
    spec = {"containers": [{"name": "main", "image": "nginx"}]}
    await call(admin, "POST", f"{space}/pods", json={"metadata": {"name": "bound"}, "spec": spec})
    target = {"target": {"kind": "Node", "name": "node-1"}}
    answer = await call(admin, "POST", f"{space}/bindings", json={"metadata": {"name": "bound"}, **target})
    assert (answer["kind"], answer["code"]) == ("Status", 201)
    assert (await call(admin, "GET", f"{space}/pods/bound"))["spec"]["nodeName"] == "node-1"
    for meta, code, said in (
        ({}, 400, "metadata.name"),
        ({"name": "nobody"}, 404, 'pods "nobody" not found'),
        ({"name": "bound", "namespace": "other"}, 400, "does not match the namespace"),
        ({"name": "bound"}, 409, "already assigned to node"),
    ):
        async with admin.post(f"{space}/bindings", json={"metadata": meta, **target}) as refused:
            assert (refused.status, said in (await refused.json())["message"]) == (code, True)


async def test_an_autoscaler_is_read_and_written_in_both_versions(admin: aiohttp.ClientSession) -> None:
    """What version 1 has no fields for is in annotations there, and nothing is lost on the way."""
    one, two = (f"/apis/autoscaling/{v}/namespaces/default/horizontalpodautoscalers" for v in ("v1", "v2"))
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": cpu}, {"type": "Resource", "resource": memory}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    }
    made = await call(admin, "POST", two, json={"metadata": {"name": "a"}, "spec": spec})
    older = await call(admin, "GET", f"{one}/a")
    assert older["apiVersion"] == "autoscaling/v1"
    assert older["spec"]["targetCPUUtilizationPercentage"] == 60
    assert "memory" in older["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
    assert (await call(admin, "PUT", f"{one}/a", json=older))["spec"] == older["spec"]
    kept = await call(admin, "GET", f"{two}/a")
    assert kept["spec"] == made["spec"]
    assert "annotations" not in kept["metadata"]
    simple = {**spec, "targetCPUUtilizationPercentage": 50}
    del simple["metrics"], simple["behavior"]
    await call(admin, "POST", one, json={"metadata": {"name": "b"}, "spec": simple})
    [metric] = (await call(admin, "GET", f"{two}/b"))["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}
    table = await call(admin, "GET", one, headers={"Accept": KUBECTL_TABLE})
    assert [row["cells"][2] for row in table["rows"]] == [
        "cpu: <unknown>/60%, memory: <unknown>/1Gi",
        "cpu: <unknown>/50%",
    ]


@pytest.mark.parametrize("noise", ["5", "[5]", '[{"type": 5}]', '[{"type": "Resource", "resource": 5}]', "{"])
async def test_annotations_that_hold_no_metrics_are_passed_over(
    admin: aiohttp.ClientSession, noise: str
) -> None:
    """Whoever wrote them: the autoscaler goes by the share of the CPU."""
    path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    names = ("metrics", "current-metrics", "conditions", "behavior")
    annotations = {f"autoscaling.alpha.kubernetes.io/{name}": noise for name in names}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5}
    body = {"metadata": {"name": "a", "annotations": annotations}, "spec": spec}
    assert (await call(admin, "POST", path, json=body))["spec"]["targetCPUUtilizationPercentage"] == 80


async def test_an_event_is_read_and_written_in_both_groups(admin: aiohttp.ClientSession) -> None:
    """One storage; the newer version asks for more, in Kubernetes' words."""
    older, newer = "/api/v1/namespaces/default/events", "/apis/events.k8s.io/v1/namespaces/default/events"
    event = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Normal",
        "reason": "Started",
        "action": "Starting",
        "note": "it runs",
        "reportingController": "example.com/kubelet",
        "reportingInstance": "n",
    }
    await call(admin, "POST", newer, json=event)
    seen = await call(admin, "GET", f"{older}/e")
    assert (seen["message"], seen["involvedObject"]["name"]) == ("it runs", "web")
    found = await call(admin, "GET", f"{newer}?fieldSelector=regarding.name=web")
    assert [each["note"] for each in found["items"]] == ["it runs"]
    async with admin.post(newer, json={**event, "metadata": {"name": "f"}, "type": "Loud"}) as response:
        body = await response.json()
        assert response.status == 422
        assert body["details"]["causes"][0]["message"].endswith("has invalid value: Loud")
    async with admin.put(f"{newer}/e", json={**event, "note": "other"}) as response:
        assert [each["field"] for each in (await response.json())["details"]["causes"]] == ["message"]
