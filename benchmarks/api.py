"""What requests cost an apiserver: `python -m benchmarks api [--kubeconfig FILE]`.

Without a kubeconfig a cluster without nodes is started, on real etcd. With one, any cluster is measured, kube-apiserver's
too: it gets two namespaces, which are deleted afterwards. Over REST with TLS, at 1 and at 16 connections, with answers as
JSON and as protobuf: GET; LIST of 500 and of 10,000 pods, also right after a change; POST, PUT, PATCH, APPLY; watches of
1, 100 and 500 watchers, of a stream of events and of lone ones. Over Kubarium's gRPC door the same, with PUTs of leases.

Of each: requests a second, the time of the middle one and of the slowest except for a hundredth, and the CPU milliseconds of
the server's process, by its own metrics. Of what follows a change the time is the list's alone, the CPU that of both.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.api_grpc import measured as measured_over_grpc
from benchmarks.api_load import Figures, client, cpu_s, fetched, load
from benchmarks.api_sizes import CONNECTIONS, LARGE, LONE_S, SMALL, WATCHERS, Sizes
from benchmarks.api_watchers import sent
from benchmarks.clusters import cluster
from benchmarks.kubeconfig import Server, read

FORMS: Final = {"json": "application/json", "protobuf": "application/vnd.kubernetes.protobuf"}


def measure(kubeconfig: str = "", sizes: Sizes | None = None) -> dict[str, Any]:
    """Report rates, times and CPU milliseconds a request.

    Raises:
        RuntimeError: the cluster does not get ready to be measured.
        ValueError: the kubeconfig cannot be used.
    """
    sizes = sizes or Sizes()
    if kubeconfig:
        return asyncio.run(_rest(Path(kubeconfig), sizes))
    with cluster(nodes=0, runtime="hollow") as handle:
        figures = asyncio.run(_rest(Path(handle.kubeconfig), sizes, clean=False))
        return {**figures, "grpc": asyncio.run(measured_over_grpc(handle, sizes))}


async def _rest(kubeconfig: Path, sizes: Sizes, *, clean: bool = True) -> dict[str, Any]:
    server = read(kubeconfig)
    async with client(server, 32) as session:
        for namespace in (SMALL, LARGE):
            await _make_namespace(session, namespace)
        try:
            return await _measured(kubeconfig, server, session, sizes)
        finally:
            for namespace in (SMALL, LARGE) if clean else ():
                async with session.delete(f"/api/v1/namespaces/{namespace}") as answer:
                    await answer.read()


async def _measured(
    kubeconfig: Path, server: Server, session: aiohttp.ClientSession, sizes: Sizes
) -> dict[str, Any]:
    figures: dict[str, Any] = {"fill": await _fill(session, LARGE, sizes.large)}
    await _fill(session, SMALL, sizes.small)
    for connections in CONNECTIONS:
        async with client(server, connections) as own:
            for form, accept in FORMS.items():
                run = _Run(own, connections, accept, sizes, f"{form[0]}{connections}")
                for name, operation in run.operations().items():
                    found = figures.setdefault(name, {}).setdefault(form, {})
                    found[connections] = await operation()
    for form, accept in FORMS.items():
        for watchers in WATCHERS:
            for name, pause_s in (("watch_stream", 0.0), ("watch_lone_events", LONE_S)):
                told = await _fan_out(kubeconfig, session, watchers, accept, sizes.changes, pause_s)
                figures.setdefault(name, {}).setdefault(form, {})[watchers] = told
    return figures


class _Run:
    """All operations of one number of connections and one form of answers."""

    def __init__(
        self, session: aiohttp.ClientSession, connections: int, accept: str, sizes: Sizes, name: str
    ) -> None:
        self._session = session
        self._connections = connections
        self._accept = accept
        self._sizes = sizes
        self._name = name

    def operations(self) -> dict[str, Callable[[], Awaitable[Figures | str]]]:
        sizes = self._sizes
        return {
            "get": lambda: self._load(sizes.gets, self._get),
            "list_small": lambda: self._load(sizes.lists, lambda _: self._list(SMALL)),
            "list_large": lambda: self._load(sizes.large_lists, lambda _: self._list(LARGE)),
            "list_small_after_change": lambda: self._load(sizes.lists, lambda index: self._list_after(SMALL, index)),
            "list_large_after_change": lambda: self._load(
                sizes.large_lists, lambda index: self._list_after(LARGE, index)
            ),
            "post": lambda: self._load(sizes.writes, self._post),
            "put": lambda: self._load(sizes.writes, self._put),
            "patch": lambda: self._load(sizes.writes, lambda index: self._patch(SMALL, index)),
            "apply": self._applies,
        }  # fmt: skip

    async def _load(self, count: int, request: Callable[[int], Awaitable[Any]]) -> Figures:
        return await load(self._session, count, self._connections, request)

    async def _get(self, index: int) -> None:
        await fetched(self._session, f"{_pods(SMALL)}/pod-{index % self._sizes.small}", self._accept)

    async def _list(self, namespace: str) -> None:
        await fetched(self._session, _pods(namespace), self._accept)

    async def _list_after(self, namespace: str, index: int) -> float:
        await self._patch(namespace, index)
        began = time.perf_counter()
        await self._list(namespace)
        return time.perf_counter() - began

    async def _post(self, index: int) -> None:
        await self._write("POST", _maps(), "json", _map(f"post-{self._name}-{index}", index))

    async def _put(self, index: int) -> None:
        name = f"post-{self._name}-{index % self._connections}"  # of those each connection has its own
        await self._write("PUT", f"{_maps()}/{name}", "json", _map(name, index))

    async def _patch(self, namespace: str, index: int) -> None:
        """Write a status as a kubelet does."""
        name = f"pod-{index % self._sizes.small}"
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {"phase": "Running", "message": f"{self._name}-{index}", "conditions": [condition]}
        path = f"{_pods(namespace)}/{name}/status"
        await self._write("PATCH", path, "strategic-merge-patch+json", {"status": status})

    async def _applies(self) -> Figures | str:
        try:
            return await self._load(self._sizes.writes, self._apply)
        except aiohttp.ClientResponseError as error:
            return f"not served: {error.status} {error.message}"

    async def _apply(self, index: int) -> None:
        name = f"apply-{self._name}-{index % (2 * self._connections)}"  # half of them are there already
        body = _map(name, index)
        await self._write(
            "PATCH", f"{_maps()}/{name}?fieldManager=bench&force=true", "apply-patch+yaml", body
        )

    async def _write(self, method: str, path: str, form: str, body: dict[str, Any]) -> None:
        headers = {"Content-Type": f"application/{form}", "Accept": self._accept}
        async with self._session.request(method, path, data=json.dumps(body), headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def _maps() -> str:
    return f"/api/v1/namespaces/{SMALL}/configmaps"


def _map(name: str, index: int) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": str(index)}}


async def _make_namespace(session: aiohttp.ClientSession, name: str) -> None:
    """Make a namespace in which pods can be made: there is a ServiceAccount for them."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    async with session.post("/api/v1/namespaces", json=body) as answer:
        answer.raise_for_status()
    for _ in range(300):
        async with session.get(f"/api/v1/namespaces/{name}/serviceaccounts/default") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the default ServiceAccount does not appear")


async def _fill(session: aiohttp.ClientSession, namespace: str, count: int) -> Figures:
    async def create(index: int) -> None:
        async with session.post(_pods(namespace), json=_pod(f"pod-{index}")) as answer:
            answer.raise_for_status()
            await answer.read()

    return await load(session, count, 16, create)


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


async def _fan_out(
    kubeconfig: Path,
    session: aiohttp.ClientSession,
    watchers: int,
    accept: str,
    changes: int,
    pause_s: float,
) -> dict[str, float]:
    """Write ConfigMaps, one after the other, that so many watch."""
    arguments = (str(kubeconfig), _maps(), str(watchers), str(changes), await _revision(session), accept)
    command = (sys.executable, "-m", "benchmarks.api_watchers", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    if (await process.stdout.readline()).strip() != b"ready":
        raise RuntimeError("the watchers could not watch")
    before, began, run = await cpu_s(session), time.perf_counter(), sent()
    for index in range(changes):
        body = {**_map(f"map-{run}-{index}", index), "data": {"sent": sent()}}
        async with session.post(_maps(), json=body) as answer:
            answer.raise_for_status()
        await asyncio.sleep(pause_s)
    latencies: dict[str, float] = json.loads(await process.stdout.readline())
    took, cpu = time.perf_counter() - began, await cpu_s(session) - before
    await process.wait()
    delivered = changes * watchers
    return {"per_s": round(delivered / took, 1), "cpu_ms": round(cpu / delivered * 1000, 4), **latencies}


async def _revision(session: aiohttp.ClientSession) -> str:
    async with session.get(f"{_maps()}?limit=1") as answer:
        return str((await answer.json())["metadata"]["resourceVersion"])
