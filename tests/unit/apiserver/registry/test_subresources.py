"""binding, scale, and what other parts serve through the registry."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.registry import Posted
from apiserver.request import ObjectReply, Request
from machinery.model.errors import (
    Conflict,
    Invalid,
    MethodNotSupported,
    NotFound,
    NotImplementedHere,
)
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, pod


def _deployment(replicas: int = 2) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def _binding(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"kind": "Node", "name": node},
    }


async def test_a_pod_is_bound_once(bench: RegistryBench) -> None:
    """The second binding is a conflict, whatever node it names."""
    await bench.create("pods", pod("p"))
    assert (await bench.create("pods/binding", _binding("node-1"), name="p"))["status"] == "Success"
    with pytest.raises(Conflict, match='pod p is already assigned to node "node-1"'):
        await bench.create("pods/binding", _binding("node-2"), name="p")
    bound = await bench.get("pods", "p")
    assert bound["spec"]["nodeName"] == "node-1"
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"


async def test_a_scale_is_the_number_of_replicas(bench: RegistryBench) -> None:
    """Read, replace and patch it; the object's generation follows."""
    await bench.create("deployments", _deployment())
    scale = await bench.get("deployments/scale", "web")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == (
        "Scale",
        {"replicas": 2},
        "app=web",
    )
    assert (await bench.update("deployments/scale", {**scale, "spec": {"replicas": 5}}))["spec"] == {
        "replicas": 5
    }
    await bench.patch("deployments/scale", "web", {"spec": {"replicas": 7}}, PatchType.MERGE)
    found = await bench.get("deployments", "web")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (7, 3)


async def test_a_scale_is_checked(bench: RegistryBench) -> None:
    """A negative number is a 422, an old version a 409."""
    await bench.create("deployments", _deployment())
    scale = await bench.get("deployments/scale", "web")
    with pytest.raises(
        Invalid, match=r"spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    ):
        await bench.update("deployments/scale", {**scale, "spec": {"replicas": -1}})
    await bench.update("deployments/scale", {**scale, "spec": {"replicas": 3}})
    with pytest.raises(Conflict):
        await bench.update("deployments/scale", {**scale, "spec": {"replicas": 4}})


async def test_what_is_not_served_says_so(bench: RegistryBench) -> None:
    """An unknown subresource is a 404, a verb that it does not have a 405, one of the other door a 501."""
    await bench.create("pods", pod("p"))
    with pytest.raises(NotFound):
        await bench.get("pods/soul", "p")
    with pytest.raises(MethodNotSupported):
        await bench.get("pods/binding", "p")
    with pytest.raises(NotImplementedHere):
        await bench.get("pods/log", "p")


async def test_other_parts_serve_through_the_registry(bench: RegistryBench) -> None:
    """What is not stored is answered by whoever said so, with the request as it came."""
    seen: list[Request] = []

    async def answer(request: Request, _posted: Posted) -> ObjectReply:
        seen.append(request)
        return ObjectReply(msgspec.json.encode({"status": {"token": "t"}}), created=True)

    bench.registry._handlers["", "serviceaccounts", "token", "create"] = answer
    assert await bench.create("serviceaccounts/token", {}, name="default") == {"status": {"token": "t"}}
    assert seen[0].name == "default"


async def test_a_patch_of_the_status_reads_nothing_else_of_what_is_stored(bench: RegistryBench) -> None:
    """What another program has stored in the spec is no fault of the patch; what the patch itself says there is."""
    await bench.create("pods", pod("p"))
    stored = await bench.storage.get("/registry/pods/default/p")
    assert stored
    foreign = msgspec.json.decode(stored.value)
    foreign["spec"]["soul"] = "unknown"
    await bench.storage.update(stored.key, msgspec.json.encode(foreign), stored.revision)
    await bench.feed.fresh()

    for kind in (PatchType.STRATEGIC_MERGE, PatchType.MERGE):
        said = {"status": {"message": kind.name}}
        patched = await bench.patch("pods/status", "p", said, kind, field_validation="Strict")
        assert patched["status"]["message"] == kind.name
        assert list(patched) == ["apiVersion", "kind", "metadata", "spec", "status"]
    with pytest.raises(Invalid, match=r'unknown field "spec\.body"'):
        await bench.patch("pods/status", "p", {"spec": {"body": "x"}}, field_validation="Strict")
    with pytest.raises(Invalid, match=r"PodSpec\.spec\.nodeName of type string"):
        await bench.patch("pods/status", "p", {"spec": {"nodeName": 5}})


async def test_ephemeral_containers_are_added_by_their_subresource(bench: RegistryBench) -> None:
    """With their defaults, as a new generation, and nothing else of the pod changes; what is there stays."""
    await bench.create("pods", pod("p"))
    part = "pods/ephemeralcontainers"
    debug = {"name": "debug", "image": "x", "targetContainerName": "main"}
    sent = {
        "metadata": {"labels": {"sneaked": "in"}},
        "spec": {"ephemeralContainers": [debug], "activeDeadlineSeconds": 5},
    }
    await bench.patch(part, "p", sent, PatchType.STRATEGIC_MERGE)
    found = await bench.get(part, "p")
    [added] = found["spec"]["ephemeralContainers"]
    assert (added["imagePullPolicy"], added["terminationMessagePath"]) == ("Always", "/dev/termination-log")
    assert "activeDeadlineSeconds" not in found["spec"]
    assert "sneaked" not in found["metadata"].get("labels", {})
    assert found["metadata"]["generation"] == 2
    more = {"name": "more", "image": "x:1"}
    await bench.patch(part, "p", {"spec": {"ephemeralContainers": [more]}}, PatchType.STRATEGIC_MERGE)
    found = await bench.get("pods", "p")
    assert [each["name"] for each in found["spec"]["ephemeralContainers"]] == ["more", "debug"]
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await bench.update("pods", {**found, "spec": {**found["spec"], "ephemeralContainers": []}})
    with pytest.raises(Conflict):
        await bench.update(part, {**found, "metadata": {**found["metadata"], "resourceVersion": "1"}})


@pytest.mark.parametrize(
    ("container", "path", "words"),
    [
        ({"ports": [{"containerPort": 1}]}, "ports", "cannot be set for an Ephemeral Container"),
        ({"resources": {"limits": {"cpu": "1"}}}, "resources", "cannot be set for an Ephemeral Container"),
        ({"livenessProbe": {"exec": {"command": ["x"]}}}, "livenessProbe", "cannot be set"),
        ({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}, "lifecycle", "cannot be set"),
        ({"targetContainerName": "none"}, "targetContainerName", 'Not found: "none"'),
        ({"name": "main"}, "name", 'Duplicate value: "main"'),
        ({"name": "Bad"}, "name", "Invalid value"),
        ({"image": " x"}, "image", "must not have leading or trailing whitespace"),
        ({"image": ""}, "image", "Required value"),
        ({"name": "first", "image": "other"}, "", 'existing ephemeral containers "first" may not be changed'),
        (None, "", 'existing ephemeral containers "first" may not be removed'),
    ],
)
async def test_an_ephemeral_container_that_cannot_be(
    bench: RegistryBench, container: dict[str, Any] | None, path: str, words: str
) -> None:
    """The cause names the field, in Kubernetes' words."""
    await bench.create("pods", pod("p"))
    part = "pods/ephemeralcontainers"
    first = {"name": "first", "image": "x"}
    await bench.patch(part, "p", {"spec": {"ephemeralContainers": [first]}}, PatchType.STRATEGIC_MERGE)
    found = await bench.get("pods", "p")
    first = found["spec"]["ephemeralContainers"][0]
    wanted = [first, {"name": "debug", "image": "x", **(container or {})}]
    if path == "" and container:
        wanted = [{**first, **container}]
    if container is None:
        wanted = []
    with pytest.raises(Invalid) as caught:
        await bench.update(part, {**found, "spec": {**found["spec"], "ephemeralContainers": wanted}})
    [cause] = caught.value.causes
    index = "[1]." if path else ""
    assert cause.field == f"spec.ephemeralContainers{index}{path}"
    assert words in cause.message


def _sized(**resources: dict[str, str]) -> dict[str, Any]:
    """Return a pod that is Burstable, with an init container."""
    first, main = {"name": "first", "image": "x"}, {"name": "main", "image": "x"}
    given = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}, **resources}
    spec = {
        "containers": [{**main, "resources": given}],
        "initContainers": [{**first, "resources": given}],
    }
    return {**pod("p"), "spec": spec}


async def test_a_pod_is_resized_by_its_subresource(bench: RegistryBench) -> None:
    """As a new generation, and nothing else of the pod changes."""
    await bench.create("pods", _sized())
    main = {"name": "main", "image": "sneaked", "resources": {"requests": {"cpu": "1500m"}}}
    patch = {"metadata": {"labels": {"sneaked": "in"}}, "spec": {"containers": [main], "nodeName": "sneaked"}}
    await bench.patch("pods/resize", "p", patch, PatchType.STRATEGIC_MERGE)
    found = await bench.get("pods/resize", "p")
    [container] = found["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "1500m", "memory": "1Gi"}, "limits": {"cpu": "2"}}
    assert (container["image"], found["spec"].get("nodeName")) == ("x", None)
    assert "sneaked" not in found["metadata"].get("labels", {})
    assert found["metadata"]["generation"] == 2
    container["resources"]["requests"]["cpu"] = "1"
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await bench.update("pods", found)


async def test_what_a_pod_has_as_a_whole_is_resized(bench: RegistryBench) -> None:
    """Also where it had nothing of that."""
    created = await bench.create("pods", _sized())
    assert "resources" not in created["spec"]
    for cpu in ("4", "5"):
        patch = {"spec": {"resources": {"requests": {"cpu": cpu}, "limits": {"cpu": "6"}}}}
        await bench.patch("pods/resize", "p", patch, PatchType.STRATEGIC_MERGE)
        found = await bench.get("pods", "p")
        assert found["spec"]["resources"]["requests"]["cpu"] == cpu
    owners = {
        each["subresource"]: str(each["fieldsV1"])
        for each in found["metadata"]["managedFields"]
        if "subresource" in each
    }
    assert "f:resources" in owners["resize"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"requests": {"cpu": "1"}}, "spec.containers[0].resources.requests", "resource requests cannot be removed"),
        ({"limits": {}}, "spec.containers[0].resources.limits", "resource limits cannot be removed"),
        ({"limits": {"cpu": "2", "ephemeral-storage": "1Gi"}}, "spec", "only cpu and memory resources are mutable"),
        ({"requests": {"cpu": "3", "memory": "1Gi"}}, "spec.containers[0].resources.requests", "must be less than or equal to cpu limit"),
    ],
)  # fmt: skip
async def test_a_resize_that_cannot_be(
    bench: RegistryBench, change: dict[str, Any], field: str, words: str
) -> None:
    """The cause names the field, in Kubernetes' words."""
    await bench.create("pods", _sized())
    found = await bench.get("pods", "p")
    found["spec"]["containers"][0]["resources"] |= change
    with pytest.raises(Invalid) as caught:
        await bench.update("pods/resize", found)
    assert [(cause.field, words in cause.message) for cause in caught.value.causes] == [(field, True)]


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"containers": []}, "spec.containers", "containers may not be added or removed on resize"),
        (
            {"initContainers": []},
            "spec.initContainers",
            "initContainers may not be added or removed on resize",
        ),
        (
            {"containers": [{"name": "other", "image": "x"}]},
            "spec.containers[0].name",
            "containers may not be renamed or reordered on resize",
        ),
    ],
)
async def test_a_resize_changes_no_list_of_containers(
    bench: RegistryBench, spec: dict[str, Any], field: str, words: str
) -> None:
    """Neither their number nor their names."""
    await bench.create("pods", _sized())
    found = await bench.get("pods", "p")
    with pytest.raises(Invalid) as caught:
        await bench.update("pods/resize", {**found, "spec": {**found["spec"], **spec}})
    told = {cause.field: cause.message for cause in caught.value.causes}
    assert words in told[field]


async def test_a_resize_keeps_the_class_of_its_pod(bench: RegistryBench) -> None:
    """A pod that asked for nothing cannot begin to."""
    await bench.create("pods", pod("p"))
    main = {"name": "main", "resources": {"requests": {"cpu": "1"}}}
    with pytest.raises(Invalid, match="Pod QOS Class may not change as a result of resizing"):
        await bench.patch("pods/resize", "p", {"spec": {"containers": [main]}}, PatchType.STRATEGIC_MERGE)
