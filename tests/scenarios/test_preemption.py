"""Pods of higher priority take the places of others, with the kubelets' graceful termination in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import pod_template
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

CLASSES = {"low": 100, "middle": 200, "high": 300}


def priority_class(name: str, value: int, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        **fields,
    }


def deployment(name: str, replicas: int, of: str, **spec: Any) -> dict[str, Any]:
    template = pod_template(priorityClassName=of, terminationGracePeriodSeconds=5, **spec)
    template["metadata"]["labels"] = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def ready(cluster: Cluster, app: str) -> int:
    return sum(each["metadata"]["labels"]["app"] == app and is_pod_ready(each) for each in pods(cluster))


def pods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.objects("pods")


async def test_deployments_of_three_priorities_share_a_full_cluster(tmp_path: Path, pki: Pki):
    """The highest has all of its pods, the next what is left; when it goes, the others come back in their order."""
    async with running_cluster(tmp_path, pki, nodes=3, cpu="1") as cluster:
        admin = cluster.api.admin
        for name, value in CLASSES.items():
            await admin.create("priorityclasses", priority_class(name, value))
        await admin.create("deployments", deployment("low", 6, "low", cpu="450m"))
        await cluster.until(lambda: ready(cluster, "low") == 6, limit_s=120, why="low runs")
        await admin.create("deployments", deployment("middle", 3, "middle", cpu="450m"))
        await cluster.until(lambda: ready(cluster, "middle") == 3, limit_s=120, why="middle runs")
        assert ready(cluster, "low") == 3
        await admin.create("deployments", deployment("high", 2, "high", cpu="900m"))
        await cluster.until(lambda: ready(cluster, "high") == 2, limit_s=120, why="high runs")
        await cluster.rest(60)
        assert (ready(cluster, "middle"), ready(cluster, "low")) == (2, 0)
        await admin.delete("deployments", "high")
        await cluster.until(lambda: ready(cluster, "middle") == 3, limit_s=300, why="middle is whole")
        await cluster.until(lambda: ready(cluster, "low") == 3, limit_s=300, why="low is back")
        assert not cluster.journal
        await check_invariants(cluster)


async def test_a_scheduler_that_dies_while_pods_leave_keeps_the_place(tmp_path: Path, pki: Pki):
    """The nomination is in the pod's status: the next one takes nobody else away."""
    async with running_cluster(tmp_path, pki, nodes=2, cpu="1") as cluster:
        admin = cluster.api.admin
        for name, value in CLASSES.items():
            await admin.create("priorityclasses", priority_class(name, value))
        await admin.create("deployments", deployment("low", 2, "low", cpu="900m"))
        await cluster.until(lambda: ready(cluster, "low") == 2, limit_s=120, why="low runs")
        await admin.create("deployments", deployment("high", 1, "high", cpu="900m"))
        await cluster.until(
            lambda: any(each["status"].get("nominatedNodeName") for each in pods(cluster)),
            limit_s=60,
            why="a node is kept",
        )
        await cluster.kill("scheduler")
        cluster.start("scheduler")
        await cluster.until(lambda: ready(cluster, "high") == 1, limit_s=120, why="high runs")
        await cluster.rest(60)
        assert ready(cluster, "low") == 1
        assert [line for line in cluster.journal if "lease_not_released" not in line] == []
        await check_invariants(cluster)
