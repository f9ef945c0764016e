"""Pods that are created and bound, through a real apiserver and a real etcd, by workloads in the shape of scheduler_perf's.

As there, nodes are objects without kubelets, and nobody but this program creates and deletes. It creates pods by several connections,
and follows by a watch which of them are bound. It runs on the same machine: what it takes itself is among the figures.
Other sizes: `KUBARIUM_BENCH_END_TO_END=100:500,500:1000` (nodes, pods of each workload); some workloads alone:
`KUBARIUM_BENCH_WORKLOADS=basic,preemption`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import psutil

from benchmarks.api_load import client, create_all, for_each, until_there
from benchmarks.clusters import cluster
from benchmarks.kubeconfig import read
from benchmarks.scheduler_workloads import (
    PRIORITIES,
    WORKLOADS,
    Json,
    Workload,
    node,
    priority_class,
    service,
    without_a_place,
)
from kubarium import Cluster

PLAN: Final = "100:500,500:1000,5000:2000"
CONNECTIONS: Final = 16
_PROGRAMS: Final = ("scheduler", "apiserver", "etcd")
_WARM_UP: Final = 50  # pods of a workload, one for ten nodes at most, that are bound before it is measured
_PATIENCE_S: Final = 600.0  # for one workload at one size, with what is there before it
_CHURN_S: Final = 0.1  # between two rounds of what comes and goes
_NODES: Final = "/api/v1/nodes"
_PODS: Final = "/api/v1/namespaces/default/pods"
_SERVICES: Final = "/api/v1/namespaces/default/services"
_CLASSES: Final = "/apis/scheduling.k8s.io/v1/priorityclasses"


def measure() -> dict[str, Any]:
    """Report every workload at every size.

    Raises:
        TimeoutError: the pods of a workload were not all bound in ten minutes.
    """
    sizes = os.environ.get("KUBARIUM_BENCH_END_TO_END", PLAN).split(",")
    names = os.environ.get("KUBARIUM_BENCH_WORKLOADS", ",".join(WORKLOADS)).split(",")
    figures: dict[str, Any] = {}
    for nodes, pods in (map(int, each.split(":")) for each in sizes):
        with cluster(nodes=0, runtime="hollow") as handle:
            figures[f"{nodes}_nodes"] = asyncio.run(_measured(handle, nodes, pods, names))
    return figures


async def _measured(handle: Cluster, nodes: int, pods: int, names: list[str]) -> dict[str, Any]:
    async with client(read(Path(handle.kubeconfig)), 2 * CONNECTIONS) as session:
        await until_there(session, "/api/v1/namespaces/default/serviceaccounts/default")
        handle.stop("controllers")  # which would take the nodes for dead
        await create_all(session, 1, len(PRIORITIES), _CLASSES, priority_class)
        await for_each(range(nodes), CONNECTIONS, partial(_add_node, session))
        found: dict[str, Any] = {}
        for name in names:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    found[name] = await _workload(handle, session, WORKLOADS[name], nodes, pods)
            except TimeoutError as error:
                raise TimeoutError(f"the pods of {name} on {nodes} nodes were not all bound") from error
            print(f"{nodes} nodes, {name}: {found[name]['pods_a_second']} pods a second", file=sys.stderr)
        return found


async def _workload(
    handle: Cluster, session: aiohttp.ClientSession, workload: Workload, nodes: int, pods: int
) -> dict[str, Any]:
    """Have the pods of a workload bound, and leave no pod behind."""
    warm_up = min(_WARM_UP, nodes // 10)
    pods = min(pods, nodes - warm_up) if workload.one_a_node else pods
    if workload.before:
        await create_all(session, CONNECTIONS, workload.before_count(nodes), _PODS, workload.before)
    async with _followed(session) as bound:
        await create_all(session, CONNECTIONS, warm_up, _PODS, workload.make)
        await bound.until(lambda seen: len(seen) == warm_up)
        began_s: dict[str, float] = {}

        def make(number: int) -> Json:
            pod = workload.make(warm_up + number)
            began_s[pod["metadata"]["name"]] = time.monotonic()
            return pod

        async with _churning(session, nodes) if workload.churns else contextlib.nullcontext():
            before, own_before = _cpu_s(handle), time.process_time()
            await create_all(session, CONNECTIONS, pods, _PODS, make)
            await bound.until(lambda seen: len(seen) == warm_up + pods)
            after, own_s = _cpu_s(handle), time.process_time() - own_before
    await _delete_all(session)
    took_ms = sorted(1_000 * (bound.at_s[name] - at_s) for name, at_s in began_s.items())
    wall_s = max(bound.at_s[name] for name in began_s) - min(began_s.values())
    return {
        "pods": pods,
        "pods_a_second": round(pods / wall_s, 1),
        **({"upstream_asks_for_at_5000_nodes": workload.floor} if workload.floor else {}),
        "created_to_bound_ms": {"p50": round(took_ms[pods // 2]), "p99": round(took_ms[pods * 99 // 100])},
        "cpu_ms_a_pod": {
            **{name: round(1_000 * (after[name] - before[name]) / pods, 2) for name in _PROGRAMS},
            "this_program": round(1_000 * own_s / pods, 2),
        },
    }


async def _add_node(session: aiohttp.ClientSession, number: int) -> None:
    """Create a node that takes pods at once: the taint of those that are new is taken away."""
    made = node(number)
    async with session.post(_NODES, json=made) as answer:
        answer.raise_for_status()
    untainted = {"spec": {"taints": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    path = f"{_NODES}/{made['metadata']['name']}"
    async with session.patch(path, json=untainted, headers=headers) as answer:
        answer.raise_for_status()


def _cpu_s(handle: Cluster) -> dict[str, float]:
    """Return the CPU seconds that the programs have taken so far."""
    programs = {each.pid: each.name for each in handle.ps() if each.pid and each.name in _PROGRAMS}
    spent = dict.fromkeys(_PROGRAMS, 0.0)
    for pid, name in programs.items():
        times = psutil.Process(pid).cpu_times()
        spent[name] += times.user + times.system
    return spent


class _Meta(msgspec.Struct):
    name: str = ""  # of what is no pod, it has none


class _Object(msgspec.Struct):
    metadata: _Meta


class _Event(msgspec.Struct):
    type: str
    object: _Object


_EVENT: Final = msgspec.json.Decoder(_Event)


@dataclass
class _Bound:
    """When pods were first seen with a node (monotonic seconds), by their names."""

    at_s: dict[str, float] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, enough: Callable[[dict[str, float]], bool]) -> None:
        """Wait until enough are."""
        while not enough(self.at_s):
            self.news.clear()
            await self.news.wait()


@contextlib.asynccontextmanager
async def _followed(session: aiohttp.ClientSession) -> AsyncIterator[_Bound]:
    """Follow, while inside, which pods get a node; those that have one already are not meant."""
    async with session.get(_PODS, params={"limit": "1"}) as answer:
        revision = (await answer.json())["metadata"]["resourceVersion"]
    bound = _Bound()
    selected = {"watch": "true", "resourceVersion": revision, "fieldSelector": "spec.nodeName!="}
    async with (
        session.get(_PODS, params=selected, timeout=aiohttp.ClientTimeout(total=None)) as stream,
        asyncio.TaskGroup() as tasks,
    ):
        following = tasks.create_task(_follow(stream, bound))
        yield bound
        following.cancel()


async def _follow(stream: aiohttp.ClientResponse, bound: _Bound) -> None:
    """Note pods that are bound, until cancelled.

    Raises:
        RuntimeError: the apiserver ends the watch, or says that it has failed.
    """
    rest = b""
    async for chunk in stream.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        now_s = time.monotonic()
        for event in map(_EVENT.decode, lines):
            if event.type == "ERROR":
                raise RuntimeError(f"the watch of pods failed: {chunk!r:.300}")
            if event.type == "ADDED":
                bound.at_s.setdefault(event.object.metadata.name, now_s)
        bound.news.set()
    raise RuntimeError("the apiserver ended the watch of pods")


@contextlib.asynccontextmanager
async def _churning(session: aiohttp.ClientSession, nodes: int) -> AsyncIterator[None]:
    """Have a node, a Service and a pod without a place come and go, while inside."""

    async def churn() -> None:
        for number in itertools.count(nodes):
            await _add_node(session, number)
            others = {_SERVICES: service(number), _PODS: without_a_place(number, "churn")}
            for path, each in others.items():
                async with session.post(path, json=each) as answer:
                    answer.raise_for_status()
            await asyncio.sleep(_CHURN_S)
            for path, each in {_NODES: node(number), **others}.items():
                async with session.delete(f"{path}/{each['metadata']['name']}") as answer:
                    answer.raise_for_status()

    async with asyncio.TaskGroup() as tasks:
        churning = tasks.create_task(churn())
        yield
        churning.cancel()


async def _delete_all(session: aiohttp.ClientSession) -> None:
    """Delete all pods, and wait until they are gone; a request that takes too long has deleted some."""
    while True:
        async with session.delete(_PODS, json={"gracePeriodSeconds": 0}) as answer:
            if answer.status != HTTPStatus.GATEWAY_TIMEOUT:
                answer.raise_for_status()
        async with session.get(_PODS, params={"limit": "1"}) as answer:
            if not (await answer.json())["items"]:
                return
        await asyncio.sleep(0.1)
