"""A scheduler's memory, and its time from its start to its first decision, in a cluster of 5,000 nodes and 50,000 pods.

The nodes are Node objects, and the pods are on them from their creation; nobody runs them, and no controllers look at
them. All comes through a real apiserver and a real etcd.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.api_load import client, create_all, until_there
from benchmarks.clusters import cluster
from benchmarks.kubeconfig import read
from benchmarks.scheduler_workloads import node
from kubarium import Cluster
from kubarium.host.usage import usage

NODES: Final = 5_000
PODS: Final = 50_000
CONNECTIONS: Final = 16
SETTLE_S: Final = 10.0
_PODS: Final = "/api/v1/namespaces/default/pods"


def measure(nodes: int = NODES, pods: int = PODS) -> dict[str, Any]:
    """Return seconds until a pod that waited is bound after the scheduler's start, and MiB (PSS) of it afterwards.

    Raises:
        RuntimeError: the pod is not bound within a minute.
    """
    with cluster(nodes=0, runtime="hollow") as handle:
        return asyncio.run(_measured(handle, nodes, pods))


async def _measured(handle: Cluster, nodes: int, pods: int) -> dict[str, Any]:
    async with client(read(Path(handle.kubeconfig)), CONNECTIONS) as session:
        await until_there(session, "/api/v1/namespaces/default/serviceaccounts/default")
        handle.stop("controllers")  # which would take the nodes for dead
        handle.stop("scheduler")
        await create_all(session, CONNECTIONS, nodes, "/api/v1/nodes", partial(node, cpu="8"))
        await create_all(
            session, CONNECTIONS, pods, _PODS, lambda number: _pod(number, f"node-{number % nodes}")
        )
        await create_all(session, CONNECTIONS, 1, _PODS, lambda _: _pod(pods, ""))
        began = time.monotonic()
        handle.restart("scheduler")
        started_s = time.monotonic() - began
        while not await _is_bound(session, f"web-{pods}"):
            if time.monotonic() > began + 60:
                raise RuntimeError(f"the pod web-{pods} is not bound after a minute")
            await asyncio.sleep(0.02)
        bound_s = time.monotonic() - began
        await asyncio.sleep(SETTLE_S)
        [pid] = [process.pid for process in handle.ps() if process.name == "scheduler"]
        used = usage([pid])[pid]
    return {
        "nodes": nodes,
        "pods": pods,
        "start_to_ready_s": round(started_s, 2),
        "start_to_first_binding_s": round(bound_s, 2),
        "cpu_s": round(used.cpu_s, 2),
        "pss_mib": round(used.pss_bytes / 2**20, 1),
    }


async def _is_bound(session: aiohttp.ClientSession, name: str) -> bool:
    async with session.get(f"{_PODS}/{name}") as answer:
        return bool((await answer.json())["spec"].get("nodeName"))


def _pod(number: int, node: str) -> dict[str, Any]:
    """Return a pod as a ReplicaSet of ten has it."""
    app = f"web-{number // 10}"
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
    }
    container = {
        "name": "web",
        "image": "registry.example.com/web:1",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "ports": [{"containerPort": 8080}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"web-{number}", "labels": {"app": app}},
        "spec": {
            "containers": [container],
            "topologySpreadConstraints": [{**spread, "labelSelector": {"matchLabels": {"app": app}}}],
            "tolerations": [{"operator": "Exists"}],
            **({"nodeName": node} if node else {}),
        },
    }
