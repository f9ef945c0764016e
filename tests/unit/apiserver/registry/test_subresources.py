"""binding, scale, and what other parts serve through the registry."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.request import ObjectReply, Request
from machinery.model.errors import (
    BadRequest,
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

    async def answer(request: Request) -> ObjectReply:
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
    with pytest.raises(BadRequest, match=r'unknown field "spec\.body"'):
        await bench.patch("pods/status", "p", {"spec": {"body": "x"}}, field_validation="Strict")
    with pytest.raises(BadRequest, match=r"PodSpec\.spec\.nodeName of type string"):
        await bench.patch("pods/status", "p", {"spec": {"nodeName": 5}})
