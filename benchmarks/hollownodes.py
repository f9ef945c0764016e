"""Many hollow nodes in one process: until they are Ready, while nothing happens, and what pods on them cost.

Seconds on the user's watch; CPU and memory of every program; how often a node was not Ready and a leader lost its lease (right:
never). Other sizes: `KUBARIUM_BENCH_HOLLOW=5000:10000:600` (nodes, pods, seconds of rest).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from benchmarks.clusters import cluster, with_api
from benchmarks.load import NAME, Costs, deployment, followed
from kubarium import Cluster
from kubarium.host.usage import usage
from machinery.client.api import Api
from machinery.model.conditions import is_true
from machinery.model.k8s import core_v1
from machinery.model.pods import is_ready
from machinery.model.requests import Selection
from machinery.model.resources import DEPLOYMENTS, LEASES, NODES, PODS

PLAN: Final = "1000:2000:60"
_SETTLE_S: Final = 15.0
_PATIENCE_S: Final = 1_800.0
_SELECTED: Final = Selection("default", label_selector=f"app={NAME}")


def measure() -> dict[str, Any]:
    """Report the start, the rest and the pods.

    Raises:
        TimeoutError: the pods did not all become Ready in half an hour.
    """
    nodes, pods, rest_s = (int(each) for each in os.environ.get("KUBARIUM_BENCH_HOLLOW", PLAN).split(":"))
    began = time.monotonic()
    with cluster(nodes=0, runtime="hollow", hollow_nodes=nodes) as handle:
        start = {"seconds_until_all_ready": round(time.monotonic() - began, 1), **_spent(handle)}
        figures: dict[str, Any] = {"hollow_nodes": nodes, "start": start}
        time.sleep(_SETTLE_S)
        figures["rest"] = with_api(handle, lambda api: _rest(handle, api, rest_s))
        figures["memory_mib"] = _memory(handle)
        if pods:
            found = with_api(handle, lambda api: _pods(handle, api, pods))
            rest_ms = (
                10
                * figures["rest"]["percent_of_a_core_in_all"]
                * found["seconds_until_all_are"]["ready"]
                / pods
            )
            found["cpu_ms_a_pod_without_what_nodes_take_at_rest"] = round(
                found["cpu_ms_a_pod_in_all"] - rest_ms, 1
            )
            figures["pods"] = {"count": pods, **found}
            figures["memory_mib_with_pods"] = _memory(handle)
        return figures


def _spent(handle: Cluster) -> dict[str, Any]:
    spent = Costs.of(handle).cpu_s
    return {"cpu_s": {name: round(each, 1) for name, each in sorted(spent.items())}}


async def _rest(handle: Cluster, api: Api, for_s: float) -> dict[str, Any]:
    """Watch for a while what happens by itself."""
    async with followed(api, NODES, Selection()) as nodes:
        before, leaders, began = Costs.of(handle), await _leaders(api), time.monotonic()
        await asyncio.sleep(for_s)
        after, took_s = Costs.of(handle), time.monotonic() - began
        not_ready = {node.metadata.name for node in nodes.seen if not _is_node_ready(node)}
    cores = {name: (spent - before.cpu_s[name]) / took_s for name, spent in after.cpu_s.items()}
    requests = after.requests - before.requests
    return {
        "seconds": round(took_s, 1),
        "percent_of_a_core": {name: round(100 * each, 1) for name, each in sorted(cores.items())},
        "percent_of_a_core_in_all": round(100 * sum(cores.values()), 1),
        "requests_a_second": {
            name: round(count / took_s, 1) for name, count in requests.items() if count / took_s >= 0.1
        },
        "nodes_not_ready": len(not_ready),
        "leaders_lost": await _leaders(api) - leaders,
        "processes_ended": after.restarts - before.restarts,
    }


async def _pods(handle: Cluster, api: Api, count: int) -> dict[str, Any]:
    """Have a Deployment make so many pods; return what it cost until all are Ready."""
    await api.create(DEPLOYMENTS, deployment(NAME, 0))
    async with followed(api, NODES, Selection()) as nodes, followed(api, PODS, _SELECTED) as pods:
        before, leaders, began = Costs.of(handle), await _leaders(api), time.monotonic()
        await api.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": count}}, namespace="default")
        reached: dict[str, float] = {}

        def look(objects: list[Any]) -> bool:
            for name, reaches in _STEPS.items():
                if name not in reached and sum(map(reaches, objects)) >= count:
                    reached[name] = round(time.monotonic() - began, 1)
            return len(reached) == len(_STEPS)

        async with asyncio.timeout(_PATIENCE_S):
            await pods.until(look)
        after = Costs.of(handle)
        not_ready = {node.metadata.name for node in nodes.seen if not _is_node_ready(node)}
    return {
        "seconds_until_all_are": reached,
        "nodes_not_ready": len(not_ready),
        "leaders_lost": await _leaders(api) - leaders,
        "processes_ended": after.restarts - before.restarts,
        **after.since(before, count),
    }


_STEPS: Final[dict[str, Callable[[core_v1.Pod], bool]]] = {
    "created": lambda _pod: True,
    "bound": lambda pod: bool(pod.spec.nodeName),
    "ready": is_ready,
}


async def _leaders(api: Api) -> int:
    """Return how often the leaders have changed so far."""
    leases = (await api.list(LEASES, Selection("kube-system"))).items
    return sum(lease.spec.leaseTransitions or 0 for lease in leases)


def _is_node_ready(node: core_v1.Node) -> bool:
    return is_true(node.status.conditions, "Ready")


def _memory(handle: Cluster) -> dict[str, float]:
    """Return the memory of each program as the kernel shares it out (PSS)."""
    processes = [each for each in handle.ps() if each.pid]
    used = usage(each.pid for each in processes)
    found: Counter[str] = Counter()
    for each in processes:
        found[each.name] = round(used[each.pid].pss_bytes / 2**20)
    return {**found, "in_all": sum(found.values())}
