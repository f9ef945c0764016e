"""metrics.k8s.io from kubelets that are stood in for: both doors, and nodes that do not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from apiserver import node_usages
from kubarium.identity.pki import Pki
from machinery.model.requests import Selection
from machinery.model.resource_metrics import PODS
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.wire.node import messages as pb
from machinery.wire.services import handler
from tests.support.apiserver import Served

ROOT = "/apis/metrics.k8s.io/v1beta1"
POD = {"spec": {"containers": [{"name": "main", "image": "x"}]}}


class Kubelet:
    """A kubelet that knows one pod's use."""

    def __init__(self) -> None:
        self.asked = 0
        self.uid = ""
        self.silent = False

    async def Usage(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - the proto's name
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        window = pb.UsageWindow(
            end_ns=1_767_225_600 * 10**9, length_ns=15 * 10**9, cpu_nano_cores=250_000_000, memory_bytes=2**20
        )
        containers = [pb.ContainerUsage(container="main", usage=window)]
        mine = pb.PodUsage(namespace="default", pod="web", pod_uid=self.uid, containers=containers)
        foreign = pb.PodUsage(namespace="kube-system", pod="secret", pod_uid="u", containers=containers)
        return pb.UsageReply(node=window, pods=[mine, foreign])


@pytest.fixture
async def kubelets(
    pki: Pki, admin: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Kubelet]]:
    """Two nodes, each with a kubelet and a pod of its name that runs; what they say is kept for longer than a test takes."""
    monkeypatch.setattr(node_usages, "WINDOW_S", 600.0)
    files = (str(pki.certificate("node-1")), str(pki.key("node-1")), str(pki.certificate("ca")))
    made, servers = {}, []
    await post(admin, "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("node-1", "node-2"):
        node = made[name] = Kubelet()
        service = handler(pb.DESCRIPTOR.services_by_name["Node"], "kubarium.node.v1.Node", node)
        server = grpc_server(["127.0.0.1:0"], ServerTls(*files), [service])
        await server.start()
        servers.append(server)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": bound_ports(server)[0]}},
        }
        await post(admin, "/api/v1/nodes", {"metadata": {"name": name}})
        await merge(admin, f"/api/v1/nodes/{name}/status", {"status": status})
        metadata = {"name": f"on-{name}", "labels": {"node": name}}
        pod = {"metadata": metadata, "spec": {"nodeName": name, **POD["spec"]}}
        node.uid = (await post(admin, "/api/v1/namespaces/default/pods", pod))["metadata"]["uid"]
        path = f"/api/v1/namespaces/default/pods/on-{name}/status"
        await merge(admin, path, {"status": {"phase": "Running"}})
    yield made
    for server in servers:
        await server.stop(0)


async def post(session: aiohttp.ClientSession, path: str, obj: dict[str, Any]) -> Any:
    async with session.post(path, json=obj) as response:
        assert response.status in {201, 409}, await response.text()
        return await response.json()


async def merge(session: aiohttp.ClientSession, path: str, patch: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    async with session.patch(path, data=json.dumps(patch), headers=headers) as response:
        assert response.status == 200, await response.text()


async def get(session: aiohttp.ClientSession, path: str, **headers: str) -> Any:
    async with session.get(path, headers=headers) as response:
        return await response.json()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kubelets have little time."""
    monkeypatch.setattr(node_usages, "ANSWER_S", 0.3)
    return


async def test_what_runs_is_listed_by_both_doors(
    served: Served, admin: aiohttp.ClientSession, kubelets: dict[str, Kubelet]
):
    """By labels, fields and namespace; node-2's certificate is node-1's, so that it is not believed and its pods are missing."""
    for query, names in (
        ("", ["on-node-1"]),
        ("?labelSelector=node%3Dnode-1", ["on-node-1"]),
        ("?fieldSelector=spec.nodeName%3Dnode-2", []),
    ):
        found = await get(admin, f"{ROOT}/pods{query}")
        assert [each["metadata"]["name"] for each in found["items"]] == names
    one = await get(admin, f"{ROOT}/namespaces/default/pods/on-node-1")
    assert one["containers"] == [{"name": "main", "usage": {"cpu": "250m", "memory": "1Mi"}}]
    assert (one["window"], one["timestamp"]) == ("15s", "2026-01-01T00:00:00Z")
    missing = await get(admin, f"{ROOT}/namespaces/default/pods/on-node-2")
    assert missing["message"] == 'podmetrics.metrics.k8s.io "default/on-node-2" not found'
    nodes = await get(admin, f"{ROOT}/nodes")
    assert [each["metadata"]["name"] for each in nodes["items"]] == ["node-1"]
    assert nodes["kind"] == "NodeMetricsList"
    api = served.connect("grpc")
    listed = await api.list(PODS, Selection(namespace="default", label_selector="node"))
    await api.aclose()
    assert [item.containers[0].usage["cpu"] for item in listed.items] == ["250m"]
    assert kubelets["node-1"].asked == 1  # one answer for all of them
    assert kubelets["node-2"].asked == 0


async def test_a_kubelet_that_hangs_holds_nobody_up(
    soon: None, admin: aiohttp.ClientSession, kubelets: dict[str, Kubelet]
):
    """It is asked once, and is missing."""
    kubelets["node-1"].silent = True
    for _ in range(3):
        assert (await get(admin, f"{ROOT}/nodes"))["items"] == []
    assert kubelets["node-1"].asked == 1


async def test_it_is_discovered_documented_and_printed(
    admin: aiohttp.ClientSession, kubelets: dict[str, Kubelet]
):
    """As metrics-server has it."""
    found = await get(admin, ROOT)
    assert {(each["name"], each["kind"], *each["verbs"]) for each in found["resources"]} == {
        ("nodes", "NodeMetrics", "get", "list"),
        ("pods", "PodMetrics", "get", "list"),
    }
    document = await get(admin, "/openapi/v3/apis/metrics.k8s.io/v1beta1")
    assert "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetricsList" in document["components"]["schemas"]
    assert f"{ROOT}/namespaces/{{namespace}}/pods/{{name}}" in document["paths"]
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = await get(admin, f"{ROOT}/namespaces/default/pods", Accept=accept)
    assert [row["cells"] for row in table["rows"]] == [["on-node-1", "250m", "1Mi", "15s"]]
    service = await get(admin, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")
    assert (service["spec"]["versionPriority"], service["metadata"].get("labels")) == (100, None)
