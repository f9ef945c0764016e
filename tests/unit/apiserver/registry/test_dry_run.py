"""Every verb that changes something, and every subresource that does, tried without changing anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from apiserver.request import DeleteOptions, ListOptions, WriteOptions
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, config_map, pod
from tests.support.served_kinds import REQUEST

DRY = WriteOptions(dry_run=True)
SIGNED = {"spec": {"request": REQUEST, "signerName": "example.com/signer", "usages": ["client auth"]}}
APPROVED = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "a", "message": "b"}]}}
TARGET = {
    "apiVersion": "v1",
    "kind": "Binding",
    "metadata": {"name": "p"},
    "target": {"kind": "Node", "name": "n"},
}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
REPLICAS = {"metadata": {"name": "rc"}, "spec": {"selector": {"a": "b"}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}}}  # fmt: skip
DEBUGGER = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "x"}]}}
RESIZED = {
    "spec": {
        "containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "2"}}}]
    }
}

Call = Callable[[RegistryBench], Awaitable[Any]]


async def _post(bench: RegistryBench, resource: str, name: str, body: dict[str, Any]) -> Any:
    request = bench.request("create", resource, name, body=msgspec.json.encode(body), writing=DRY)
    return await bench.registry.create(request)


async def _everything_deleted(bench: RegistryBench) -> Any:
    selection, deleting = ListOptions(label_selector=""), DeleteOptions(dry_run=True)
    request = bench.request("deletecollection", "configmaps", selection=selection, deleting=deleting)
    return await bench.registry.delete_collection(request)


VERBS: dict[str, Call] = {
    "create": lambda bench: bench.create("configmaps", config_map("new"), dry_run=True),
    "create, with a made name": lambda bench: bench.create("configmaps", {"metadata": {"generateName": "new-"}}, dry_run=True),
    "update": lambda bench: bench.update("configmaps", config_map("c", a="2"), dry_run=True),
    "update that creates": lambda bench: bench.update("leases", {"metadata": {"name": "new"}}, dry_run=True),
    "patch": lambda bench: bench.patch("configmaps", "c", {"data": {"a": "2"}}, dry_run=True),
    "apply": lambda bench: bench.apply("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", **config_map("c", b="2")}, dry_run=True),
    "apply that creates": lambda bench: bench.apply("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}, dry_run=True),
    "delete": lambda bench: bench.delete("configmaps", "c", dry_run=True),
    "delete of a pod": lambda bench: bench.delete("pods", "p", dry_run=True, grace_period_s=0),
    "delete of a namespace": lambda bench: bench.delete("namespaces", "other", dry_run=True),
    "deletecollection": _everything_deleted,
    "status": lambda bench: bench.patch("pods/status", "p", {"status": {"phase": "Running"}}, dry_run=True),
    "scale": lambda bench: bench.patch("replicationcontrollers/scale", "rc", {"spec": {"replicas": 7}}, dry_run=True),
    "finalize": lambda bench: bench.update("namespaces/finalize", {"metadata": {"name": "default"}, "spec": {}}, dry_run=True),
    "binding": lambda bench: _post(bench, "pods/binding", "p", TARGET),
    "eviction": lambda bench: _post(bench, "pods/eviction", "p", EVICTION),
    "eviction by its options": lambda bench: bench.create("pods/eviction", {**EVICTION, "deleteOptions": {"dryRun": ["All"]}}, name="p"),
    "ephemeralcontainers": lambda bench: bench.patch("pods/ephemeralcontainers", "p", DEBUGGER, PatchType.STRATEGIC_MERGE, dry_run=True),
    "resize": lambda bench: bench.patch("pods/resize", "p", RESIZED, PatchType.STRATEGIC_MERGE, dry_run=True),
    "approval": lambda bench: bench.patch("certificatesigningrequests/approval", "s", APPROVED, dry_run=True),
    "service with an address": lambda bench: bench.create("services", {"metadata": {"name": "new"}, "spec": {"ports": [{"port": 80}]}}, dry_run=True),
}  # fmt: skip


async def test_nothing_is_changed(bench: RegistryBench) -> None:
    """Neither the objects that are there, nor which there are; the next write finds the store as it was."""
    resources = {"cpu": "1"}
    running = pod("p")
    running["spec"]["containers"][0]["resources"] = {"limits": resources, "requests": resources}
    await bench.create("namespaces", {"metadata": {"name": "other"}})
    await bench.create("pods", running)
    await bench.create("configmaps", config_map("c", a="1"))
    await bench.create("replicationcontrollers", REPLICAS)
    await bench.create("certificatesigningrequests", {"metadata": {"name": "s"}, **SIGNED})
    before = await _all(bench)
    for verb, call in VERBS.items():
        await call(bench)
        assert await _all(bench) == before, verb


async def _all(bench: RegistryBench) -> list[bytes]:
    found = [
        await bench.list(plural)
        for plural in ("leases", "namespaces", "pods", "configmaps", "replicationcontrollers", "services", "certificatesigningrequests")
    ]  # fmt: skip
    return [item.json for reply in found for item in reply.items]
