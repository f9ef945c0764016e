"""What the controllers' process takes: idle on an empty cluster, and while many pods come to hollow nodes.

First many Deployments of a few pods each, then a single one that grows from none to thousands. For both: the seconds until
all pods are Ready and every Deployment says so, and of the controllers alone CPU-seconds and the most memory (PSS, sampled).
Other sizes: `KUBARIUM_BENCH_CONTROLLERS=10:20x10:500` (nodes, Deployments x pods of each, pods of the single one).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.clusters import cluster, with_api
from benchmarks.load import Followed, deployment, followed
from kubarium import Cluster
from kubarium.usage import usage
from machinery.client.api import Api
from machinery.model.k8s.apps_v1 import Deployment
from machinery.model.requests import Selection
from machinery.model.resources import DEPLOYMENTS

PLAN: Final = "100:100x10:5000"
SETTLE_S: Final = 20.0
WATCH_S: Final = 30.0
SAMPLE_S: Final = 1.0
PATIENCE_S: Final = 1_800.0
_AT_ONCE: Final = 10  # Deployments that are created side by side
_ALL: Final = Selection("default")


@dataclass(frozen=True)
class Size:
    """How much there is to do."""

    nodes: int
    deployments: int
    pods_of_each: int
    pods_of_one: int

    @staticmethod
    def read(text: str) -> Size:
        """Read nodes:DEPLOYMENTSxPODS:PODS.

        Raises:
            ValueError: it is written otherwise.
        """
        nodes, many, one = text.split(":")
        deployments, _, pods = many.partition("x")
        return Size(int(nodes), int(deployments), int(pods), int(one))


def measure() -> dict[str, Any]:
    """Report what the controllers take while idle, and for both kinds of load.

    Raises:
        TimeoutError: the pods were not Ready in half an hour.
    """
    size = Size.read(os.environ.get("KUBARIUM_BENCH_CONTROLLERS", PLAN))
    with cluster(nodes=3, runtime="hollow") as handle:
        idle = _idle(_pid(handle))
    with cluster(nodes=size.nodes, runtime="hollow") as handle:
        many = with_api(handle, lambda api: _many(handle, api, size))
        one = with_api(handle, lambda api: _one(handle, api, size))
        after = _idle(_pid(handle))
    return {
        "idle_on_an_empty_cluster": idle,
        f"{size.deployments}_deployments_of_{size.pods_of_each}_on_{size.nodes}_nodes": many,
        f"one_deployment_of_{size.pods_of_one}_on_{size.nodes}_nodes": one,
        "idle_afterwards_with_nothing_left": after,
    }


def _pid(handle: Cluster) -> int:
    return next(process.pid for process in handle.ps() if process.name.startswith("controllers"))


def _idle(pid: int) -> dict[str, float]:
    time.sleep(SETTLE_S)
    before, began = usage([pid])[pid], time.monotonic()
    time.sleep(WATCH_S)
    after, elapsed = usage([pid])[pid], time.monotonic() - began
    return {
        "pss_mib": round(after.pss_bytes / 2**20, 1),
        "cpu_percent_of_a_core": round(100 * (after.cpu_s - before.cpu_s) / elapsed, 2),
    }


async def _many(handle: Cluster, api: Api, size: Size) -> dict[str, Any]:
    names = [f"load-{number}" for number in range(size.deployments)]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def create(name: str) -> None:
        async with gate:
            await api.create(DEPLOYMENTS, deployment(name, size.pods_of_each))

    async with _measured(handle, api, size.deployments * size.pods_of_each) as (figures, deployments):
        await asyncio.gather(*map(create, names))
        await deployments.until(
            lambda found: (
                len(found) == len(names) and all(_is_complete(each, size.pods_of_each) for each in found)
            )
        )
    async with followed(api, DEPLOYMENTS, _ALL) as deployments:
        await asyncio.gather(*(api.delete(DEPLOYMENTS, name, namespace="default") for name in names))
        await deployments.until(lambda found: not found)
    return figures


async def _one(handle: Cluster, api: Api, size: Size) -> dict[str, Any]:
    await api.create(DEPLOYMENTS, deployment("one", 0))
    async with _measured(handle, api, size.pods_of_one) as (figures, deployments):
        await _scale(api, size.pods_of_one)
        await deployments.until(lambda found: _is_complete(found[0], size.pods_of_one))
    async with _measured(handle, api, size.pods_of_one) as (down, deployments):
        await _scale(api, 0)
        await deployments.until(lambda found: _is_complete(found[0], 0))
    await api.delete(DEPLOYMENTS, "one", namespace="default")
    return {"up": figures, "down": down}


async def _scale(api: Api, replicas: int) -> None:
    await api.patch(DEPLOYMENTS, "one", {"spec": {"replicas": replicas}}, namespace="default")


def _is_complete(found: Deployment, pods: int) -> bool:
    status = found.status
    counts = {status.replicas or 0, status.updatedReplicas or 0, status.availableReplicas or 0}
    return counts == {found.spec.replicas or 0} == {pods} and _is_observed(found)


def _is_observed(found: Deployment) -> bool:
    return found.status.observedGeneration == found.metadata.generation


@asynccontextmanager
async def _measured(handle: Cluster, api: Api, pods: int) -> AsyncIterator[tuple[dict[str, Any], Followed]]:
    """Measure what is done inside; the figures are there at its end."""
    pid = _pid(handle)
    figures: dict[str, Any] = {}
    most_bytes = [0]

    async def sample() -> None:
        while True:
            most_bytes[0] = max(most_bytes[0], usage([pid])[pid].pss_bytes)
            await asyncio.sleep(SAMPLE_S)

    async with followed(api, DEPLOYMENTS, _ALL) as deployments, asyncio.TaskGroup() as tasks:
        sampling = tasks.create_task(sample())
        before, began = usage([pid])[pid].cpu_s, time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            yield figures, deployments
        took_s, cpu_s = time.monotonic() - began, usage([pid])[pid].cpu_s - before
        sampling.cancel()
        figures |= {
            "seconds": round(took_s, 1),
            "controllers_cpu_s": round(cpu_s, 2),
            "controllers_cpu_ms_a_pod": round(1_000 * cpu_s / pods, 2),
            "controllers_most_pss_mib": round(most_bytes[0] / 2**20, 1),
        }
