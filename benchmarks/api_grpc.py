"""What requests cost at the components' own door: as `benchmarks.api` asks over REST, in the components' words.

Leases are what is PUT: kubelets renew them. What is watched are ConfigMaps; all watchers are calls of one connection, as
a component's are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec.structs import replace

from benchmarks.api_load import Figures, client, cpu_s, load
from benchmarks.api_sizes import CONNECTIONS, LARGE, LONE_S, SMALL, WATCHERS, Sizes
from benchmarks.api_watchers import Watchers, sent
from benchmarks.kubeconfig import read
from kubarium import Cluster
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.model import resources
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import PatchType, Selection

_LEASES = 100
_PATIENCE_S = 60


async def measured(handle: Cluster, sizes: Sizes) -> dict[str, Any]:
    """Report what `benchmarks.api` does, in namespaces that it has filled; connections are calls at once.

    Raises:
        ApiError: a request fails.
        TimeoutError: a watcher is not told.
    """
    api, figures = connect(handle.spec, handle.layout), dict[str, Any]()
    try:
        async with client(read(Path(handle.kubeconfig)), 1) as session:
            leases = [await api.create(resources.LEASES, _lease(index)) for index in range(_LEASES)]
            for connections in CONNECTIONS:
                run = _Run(api, leases, sizes, f"grpc{connections}")
                for name, (count, request) in run.operations().items():
                    figures.setdefault(name, {})[connections] = await load(
                        session, count, connections, request
                    )
            for watchers in WATCHERS:
                for name, pause_s in (("watch_stream", 0.0), ("watch_lone_events", LONE_S)):
                    told = await _fan_out(api, session, watchers, sizes.changes, pause_s)
                    figures.setdefault(name, {})[watchers] = told
    finally:
        await api.aclose()
    return figures


class _Run:
    """All operations of one number of calls at once."""

    def __init__(self, api: Api, leases: list[Lease], sizes: Sizes, name: str) -> None:
        self._api = api
        self._leases = leases
        self._sizes = sizes
        self._name = name

    def operations(self) -> dict[str, tuple[int, Callable[[int], Awaitable[Any]]]]:
        sizes = self._sizes
        return {
            "get": (sizes.gets, self._get),
            "list_small": (sizes.lists, lambda _: self._list(SMALL)),
            "list_large": (sizes.large_lists, lambda _: self._list(LARGE)),
            "list_small_after_change": (sizes.lists, lambda index: self._list_after(SMALL, index)),
            "list_large_after_change": (sizes.large_lists, lambda index: self._list_after(LARGE, index)),
            "post": (sizes.writes, self._post),
            "lease_update": (sizes.gets, self._renew),
            "patch": (sizes.writes, lambda index: self._patch(SMALL, index)),
            "apply": (sizes.writes, self._apply),
        }

    async def _get(self, index: int) -> None:
        await self._api.get(resources.PODS, f"pod-{index % self._sizes.small}", namespace=SMALL)

    async def _list(self, namespace: str) -> None:
        await self._api.list(resources.PODS, Selection(namespace=namespace))

    async def _list_after(self, namespace: str, index: int) -> float:
        await self._patch(namespace, index)
        began = time.perf_counter()
        await self._list(namespace)
        return time.perf_counter() - began

    async def _post(self, index: int) -> None:
        await self._api.create(resources.CONFIG_MAPS, _map(f"post-{self._name}-{index}", str(index)))

    async def _renew(self, index: int) -> None:
        place = index % len(self._leases)
        held = self._leases[place]
        spec = replace(held.spec, renewTime=f"2026-01-01T00:00:00.{index:06}Z")
        self._leases[place] = await self._api.update(resources.LEASES, replace(held, spec=spec))

    async def _patch(self, namespace: str, index: int) -> None:
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {"phase": "Running", "message": f"{self._name}-{index}", "conditions": [condition]}
        await self._api.patch(
            resources.PODS,
            f"pod-{index % self._sizes.small}",
            {"status": status},
            namespace=namespace,
            subresource="status",
            kind=PatchType.STRATEGIC_MERGE,
        )

    async def _apply(self, index: int) -> None:
        name = f"apply-{self._name}-{index % 16}"
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"key": str(index)},
        }
        await self._api.patch(resources.CONFIG_MAPS, name, config, namespace=SMALL, kind=PatchType.APPLY)


async def _fan_out(
    api: Api, session: aiohttp.ClientSession, count: int, changes: int, pause_s: float
) -> Figures:
    """Write ConfigMaps, one after the other, that so many watch."""
    revision = (await api.list(resources.CONFIG_MAPS, Selection(namespace=SMALL))).revision
    watchers = Watchers(count, changes)
    async with _watching(api, watchers, count, str(revision)):
        before, began, run = await cpu_s(session), time.perf_counter(), sent()
        for index in range(changes):
            await api.create(resources.CONFIG_MAPS, _map(f"map-{run}-{index}", sent()))
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(_PATIENCE_S):
            await watchers.done.wait()
        took, cpu = time.perf_counter() - began, await cpu_s(session) - before
    delivered = changes * count
    figures = {"per_s": round(delivered / took, 1), "cpu_ms": round(cpu / delivered * 1000, 4)}
    return {**figures, **watchers.figures()}


@asynccontextmanager
async def _watching(api: Api, watchers: Watchers, count: int, revision: str) -> AsyncIterator[None]:
    async def watch() -> None:
        begun = False
        async for batch in api.watch(
            resources.CONFIG_MAPS, Selection(namespace=SMALL), resource_version=revision
        ):
            if not begun:
                begun = True
                watchers.begin()
            for event in batch:
                if event.object is not None and event.object.data:
                    watchers.note(int(event.object.data.get("sent", "0")))

    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(watch()) for _ in range(count)]
        async with asyncio.timeout(_PATIENCE_S):
            await watchers.established.wait()
        yield
        for task in watching:
            task.cancel()


def _map(name: str, text: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=SMALL), data={"sent": text})


def _lease(index: int) -> Lease:
    name = f"bench-{index}"
    spec = LeaseSpec(holderIdentity=name, leaseDurationSeconds=40)
    return Lease(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)
