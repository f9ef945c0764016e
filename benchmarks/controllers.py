"""What the controllers' process takes: idle on an empty cluster, and while many pods come to hollow nodes.

First many Deployments of a few pods each, then a single one that grows from none to thousands. For both: the seconds until
all pods are Ready and every Deployment says so, and of the controllers alone CPU-seconds and the most memory (PSS, sampled).
Other sizes: `KUBARIUM_BENCH_CONTROLLERS=10:20x10:500` (nodes, Deployments x pods of each, pods of the single one).

With `--kubeconfig FILE` it is the cluster of that kubeconfig, with the nodes that it has, and its own controllers: those of
`KUBARIUM_BENCH_CONTROLLERS_PID`, where their process (a kube-controller-manager) is on this machine; else there are seconds alone.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from benchmarks.clusters import cluster, with_api, with_kubeconfig
from benchmarks.load import Followed, deployment, followed
from kubarium import Cluster
from kubarium.host.usage import usage
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

_Work: TypeAlias = Callable[[Api], Awaitable[dict[str, Any]]]
_Worker: TypeAlias = Callable[[_Work], dict[str, Any]]


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


def measure(kubeconfig: str = "") -> dict[str, Any]:
    """Report what the controllers take while idle, and for both kinds of load.

    Raises:
        LookupError: the kubeconfig cannot be used.
        TimeoutError: the pods were not Ready in half an hour.
    """
    size = Size.read(os.environ.get("KUBARIUM_BENCH_CONTROLLERS", PLAN))
    if kubeconfig:
        pid = int(os.environ.get("KUBARIUM_BENCH_CONTROLLERS_PID", "0"))
        return _loads(partial(with_kubeconfig, kubeconfig), pid, size)
    with cluster(nodes=3, runtime="hollow") as handle:
        idle = _idle(_pid(handle))
    with cluster(nodes=size.nodes, runtime="hollow") as handle:
        loads = _loads(partial(with_api, handle), _pid(handle), size)
    return {"idle_on_an_empty_cluster": idle, "hollow_nodes": size.nodes, **loads}


def _loads(work: _Worker, pid: int, size: Size) -> dict[str, Any]:
    """Measure both loads and the rest after them."""
    return {
        f"{size.deployments}_deployments_of_{size.pods_of_each}": work(lambda api: _many(pid, api, size)),
        f"one_deployment_of_{size.pods_of_one}": work(lambda api: _one(pid, api, size)),
        **({"idle_afterwards_with_nothing_left": _idle(pid)} if pid else {}),
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


async def _many(pid: int, api: Api, size: Size) -> dict[str, Any]:
    names = [f"load-{number}" for number in range(size.deployments)]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def create(name: str) -> None:
        async with gate:
            await api.create(DEPLOYMENTS, deployment(name, size.pods_of_each))

    async with _measured(pid, api, size.deployments * size.pods_of_each) as (figures, deployments):
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


async def _one(pid: int, api: Api, size: Size) -> dict[str, Any]:
    await api.create(DEPLOYMENTS, deployment("one", 0))
    async with _measured(pid, api, size.pods_of_one) as (figures, deployments):
        await _scale(api, size.pods_of_one)
        await deployments.until(lambda found: _is_complete(found[0], size.pods_of_one))
    async with _measured(pid, api, size.pods_of_one) as (down, deployments):
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
async def _measured(pid: int, api: Api, pods: int) -> AsyncIterator[tuple[dict[str, Any], Followed]]:
    """Measure what is done inside; the figures are there at its end. Pid 0: seconds alone."""
    figures: dict[str, Any] = {}
    used = _Used(pid)
    async with followed(api, DEPLOYMENTS, _ALL) as deployments, asyncio.TaskGroup() as tasks:
        sampling = tasks.create_task(used.sample())
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            yield figures, deployments
        figures["seconds"] = round(time.monotonic() - began, 1)
        sampling.cancel()
        figures |= used.figures(pods)


class _Used:
    """What a process takes from now on; of process 0 nothing is known."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before_s = usage([pid])[pid].cpu_s if pid else 0.0
        self._most_bytes = 0

    async def sample(self) -> None:
        """Look again and again."""
        while self._pid:
            self._most_bytes = max(self._most_bytes, usage([self._pid])[self._pid].pss_bytes)
            await asyncio.sleep(SAMPLE_S)

    def figures(self, pods: int) -> dict[str, float]:
        """Return what it took until now for so many pods."""
        if not self._pid:
            return {}
        cpu_s = usage([self._pid])[self._pid].cpu_s - self._before_s
        return {
            "controllers_cpu_s": round(cpu_s, 2),
            "controllers_cpu_ms_a_pod": round(1_000 * cpu_s / pods, 2),
            "controllers_most_pss_mib": round(self._most_bytes / 2**20, 1),
        }
