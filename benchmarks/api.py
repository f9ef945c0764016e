"""The apiserver's CPU per request, on real etcd, with nodes out of the way.

Over REST with TLS: GET, LIST of 500 pods, POST, PATCH, PUT, and the fan-out of a watch to 100 and 500 watchers, with
the time from the write to the watcher. Over gRPC: updates of leases, as kubelets make them. CPU is the server process's
own.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from msgspec.structs import replace

from benchmarks.api_watchers import sent
from benchmarks.clusters import cluster
from kubarium import Cluster
from kubarium.usage import usage
from kubarium.waiting import connect
from machinery.model import resources
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.meta_v1 import ObjectMeta

CONNECTIONS = 16
PODS = 500
MAPS = 500
LEASES = 100
RENEWALS = 20  # of each lease
WATCHERS = (100, 500)
CHANGES = 100  # that each of them is told
LONE_S = 0.05  # between two changes, so that none waits for another
PATH = "/api/v1/namespaces/default/pods"


def measure() -> dict[str, Any]:
    """Report requests a second and server CPU milliseconds a request.

    Raises:
        RuntimeError: the cluster does not get ready to be measured.
    """
    with cluster(nodes=0, runtime="hollow") as handle:
        return asyncio.run(_measure(handle))


async def _measure(handle: Cluster) -> dict[str, Any]:
    folder = handle.layout.pki
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    tls.load_cert_chain(str(folder / "admin.crt"), str(folder / "admin.key"))
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    pid = next(process.pid for process in handle.ps() if process.name == "apiserver")
    async with aiohttp.ClientSession(handle.addresses.rest_url, connector=connector) as session:
        await _wait_for_default_account(session)
        figures = {"post": await _load(pid, PODS, lambda index: _post(session, f"pod-{index}"))}
        figures["get"] = await _load(pid, 5000, lambda index: _get(session, f"{PATH}/pod-{index % PODS}"))
        figures["list_500"] = await _load(pid, 200, lambda _: _get(session, PATH))
        figures["patch"] = await _load(pid, PODS, lambda index: _patch(session, f"pod-{index}"))
        figures["put"] = await _load(pid, MAPS, lambda index: _put(session, index))
        for watchers in WATCHERS:
            figures[f"watch_delivery_{watchers}"] = await _fan_out(handle, session, pid, watchers)
        figures["watch_lone_event_500"] = await _fan_out(handle, session, pid, 500, LONE_S)
    figures["grpc_lease_update"] = await _leases(handle, pid)
    return figures


async def _wait_for_default_account(session: aiohttp.ClientSession) -> None:
    for _ in range(100):
        async with session.get("/api/v1/namespaces/default/serviceaccounts/default") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the default ServiceAccount does not appear")


async def _load(pid: int, count: int, request: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    before, began = usage([pid])[pid].cpu_s, time.monotonic()
    todo = iter(range(count))

    async def worker() -> None:
        for index in todo:
            await request(index)

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    took, cpu = time.monotonic() - began, usage([pid])[pid].cpu_s - before
    return {"per_s": round(count / took, 1), "cpu_ms": round(cpu / count * 1000, 3)}


async def _get(session: aiohttp.ClientSession, path: str) -> None:
    async with session.get(path) as answer:
        answer.raise_for_status()
        await answer.read()


async def _post(session: aiohttp.ClientSession, name: str) -> None:
    async with session.post(
        PATH, data=json.dumps(_pod(name)), headers={"Content-Type": "application/json"}
    ) as answer:
        answer.raise_for_status()
        await answer.read()


def _pod(name: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "busybox",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [container],
            "schedulerName": "nobody",
        },  # what the scheduler writes is not counted
    }


async def _patch(session: aiohttp.ClientSession, name: str) -> None:
    """Write a status as a kubelet does."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    body = json.dumps({"status": {"phase": "Running", "conditions": [condition]}})
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    async with session.patch(f"{PATH}/{name}/status", data=body, headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


async def _put(session: aiohttp.ClientSession, index: int) -> None:
    """Replace one of a few ConfigMaps; each of the connections has its own."""
    name = f"put-{index % CONNECTIONS}"
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"key": str(index)},
    }
    if index < CONNECTIONS:
        async with session.post("/api/v1/namespaces/default/configmaps", json=body) as answer:
            answer.raise_for_status()
    async with session.put(f"/api/v1/namespaces/default/configmaps/{name}", json=body) as answer:
        answer.raise_for_status()
        await answer.read()


async def _leases(handle: Cluster, pid: int) -> dict[str, float]:
    """Renew leases over the components' own door, each by one writer at a time."""
    api = connect(handle.spec, handle.layout)
    try:
        held = [await api.create(resources.LEASES, _lease(index)) for index in range(LEASES)]

        async def renew(index: int) -> None:
            place = index % LEASES
            spec = replace(held[place].spec, renewTime=f"2026-01-01T00:00:00.{index:06}Z")
            held[place] = await api.update(resources.LEASES, replace(held[place], spec=spec))

        return await _load(pid, LEASES * RENEWALS, renew)
    finally:
        await api.aclose()


def _lease(index: int) -> Lease:
    name = f"bench-{index}"
    spec = LeaseSpec(holderIdentity=name, leaseDurationSeconds=40)
    return Lease(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


async def _fan_out(
    handle: Cluster, session: aiohttp.ClientSession, pid: int, watchers: int, pause_s: float = 0.0
) -> dict[str, float]:
    """Write ConfigMaps, one after the other, that so many watch."""
    arguments = (handle.addresses.rest_url, str(handle.layout.pki), str(watchers), str(CHANGES))
    command = (sys.executable, "-m", "benchmarks.api_watchers", *arguments, await _revision(session))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    if (await process.stdout.readline()).strip() != b"ready":
        raise RuntimeError("the watchers could not watch")
    before, began, run = usage([pid])[pid].cpu_s, time.monotonic(), sent()
    for index in range(CHANGES):
        await _post_map(session, f"map-{run}-{index}")
        await asyncio.sleep(pause_s)
    latencies: dict[str, float] = json.loads(await process.stdout.readline())
    took, cpu = time.monotonic() - began, usage([pid])[pid].cpu_s - before
    await process.wait()
    delivered = CHANGES * watchers
    return {"per_s": round(delivered / took, 1), "cpu_ms": round(cpu / delivered * 1000, 4), **latencies}


async def _post_map(session: aiohttp.ClientSession, name: str) -> None:
    meta, data = {"name": name}, {"key": "value", "sent": sent()}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    async with session.post("/api/v1/namespaces/default/configmaps", json=body) as answer:
        answer.raise_for_status()


async def _revision(session: aiohttp.ClientSession) -> str:
    async with session.get("/api/v1/namespaces/default/configmaps") as answer:
        return str((await answer.json())["metadata"]["resourceVersion"])
