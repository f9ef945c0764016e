"""The apiserver's CPU per request over REST with TLS, on real etcd, with nodes out of the way.

GET, LIST of 500 pods, POST, and the fan-out of a watch to 100 watchers. CPU is the server process's own.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from benchmarks.clusters import cluster
from kubarium import Cluster
from kubarium.usage import usage

CONNECTIONS = 16
PODS = 500
WATCHERS = 100
PATH = "/api/v1/namespaces/default/pods"


def measure() -> dict[str, Any]:
    """Report requests a second and server CPU milliseconds a request."""
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
        figures["watch_delivery"] = await _fan_out(session, pid)
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
        "spec": {"containers": [container]},
    }


async def _fan_out(session: aiohttp.ClientSession, pid: int) -> dict[str, float]:
    changes, delivered = 200, 0
    done = asyncio.Event()
    params = {"watch": "true", "resourceVersion": await _revision(session)}

    async def watch() -> None:
        nonlocal delivered
        async with session.get("/api/v1/namespaces/default/configmaps", params=params) as answer:
            async for line in answer.content:
                delivered += b'"ADDED"' in line[:40]
                if delivered >= changes * WATCHERS:
                    done.set()

    watchers = [asyncio.ensure_future(watch()) for _ in range(WATCHERS)]
    await asyncio.sleep(1)
    before, began = usage([pid])[pid].cpu_s, time.monotonic()
    for index in range(changes):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"map-{index}"},
            "data": {"key": "value"},
        }
        async with session.post("/api/v1/namespaces/default/configmaps", json=body) as answer:
            answer.raise_for_status()
    await asyncio.wait_for(done.wait(), 60)
    took, cpu = time.monotonic() - began, usage([pid])[pid].cpu_s - before
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    return {"per_s": round(delivered / took, 1), "cpu_ms": round(cpu / delivered * 1000, 4)}


async def _revision(session: aiohttp.ClientSession) -> str:
    async with session.get("/api/v1/namespaces/default/configmaps") as answer:
        return str((await answer.json())["metadata"]["resourceVersion"])
