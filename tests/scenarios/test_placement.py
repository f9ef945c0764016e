"""Where the pods of Deployments go: beside others, apart from each other, evenly over zones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubarium.identity.pki import Pki
from tests.support.scenario_invariants import check_invariants
from tests.support.scenario_objects import pod_template
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def deployment(name: str, replicas: int, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    template = pod_template(cpu="50m")
    template["metadata"]["labels"] = labels
    template["spec"] |= spec
    selector = {"matchLabels": {"app": labels["app"]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def expression(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}


def nodes_of(cluster: Cluster, app: str) -> list[str]:
    pods = cluster.objects("pods")
    return sorted(
        each["spec"].get("nodeName", "") for each in pods if each["metadata"]["labels"]["app"] == app
    )


async def ready(cluster: Cluster, number: int) -> None:
    await cluster.until(lambda: sum(map(is_pod_ready, cluster.objects("pods"))) == number, limit_s=120)


async def test_web_servers_are_beside_their_cache(tmp_path: Path, pki: Pki):
    """Required affinity waits for a pod that all expressions select, and then puts all replicas on its node."""
    together = {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {
                        "matchExpressions": [expression("app", "redis"), expression("role", "cache")]
                    },
                    "topologyKey": HOST,
                }
            ],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "labelSelector": {"matchLabels": {"app": "monitoring"}},
                        "topologyKey": HOST,
                    },
                }
            ],
        }
    }
    async with running_cluster(tmp_path, pki) as cluster:
        admin = cluster.api.admin
        await admin.create(
            "deployments", deployment("web", 3, {"app": "web", "tier": "frontend"}, affinity=together)
        )
        await cluster.until(lambda: len(waiting(cluster)) == 3, limit_s=60)
        assert waiting(cluster) == ["0/3 nodes are available: 3 node(s) didn't match pod affinity rules."] * 3
        await admin.create("deployments", deployment("redis", 1, {"app": "redis", "role": "cache"}))
        await ready(cluster, 4)
        assert nodes_of(cluster, "web") == nodes_of(cluster, "redis") * 3
        assert not cluster.journal
        await check_invariants(cluster)


def waiting(cluster: Cluster) -> list[str]:
    """Return what the pods that fit nowhere are told about the nodes."""
    conditions = (each for pod in cluster.objects("pods") for each in pod["status"].get("conditions", ()))
    said = (each["message"] for each in conditions if each.get("reason") == "Unschedulable")
    return [text.partition(" no new claims")[0] for text in said]


async def test_replicas_that_keep_apart_take_a_node_each(tmp_path: Path, pki: Pki):
    """The fourth of three nodes waits, and runs when one of the others goes."""
    apart = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": HOST}
            ]
        }
    }
    async with running_cluster(tmp_path, pki) as cluster:
        admin = cluster.api.admin
        await admin.create("deployments", deployment("web", 4, {"app": "web"}, affinity=apart))
        await ready(cluster, 3)
        await cluster.rest()
        assert nodes_of(cluster, "web") == ["", "node-1", "node-2", "node-3"]
        assert waiting(cluster) == [
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."
        ]
        await admin.patch("deployments", "web", {"spec": {"replicas": 3}})
        await ready(cluster, 3)
        await cluster.rest()
        assert nodes_of(cluster, "web") == ["node-1", "node-2", "node-3"]
        await check_invariants(cluster)


async def test_nine_replicas_are_even_over_three_zones(tmp_path: Path, pki: Pki):
    """With minDomains nothing runs before the third zone is there."""
    evenly = [
        {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "users"}},
            "minDomains": 3,
        },
        {
            "maxSkew": 2,
            "topologyKey": HOST,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "users"}},
        },
    ]
    async with running_cluster(tmp_path, pki) as cluster:
        admin = cluster.api.admin
        for number in (1, 2):
            await admin.patch("nodes", f"node-{number}", {"metadata": {"labels": {ZONE: f"zone-{number}"}}})
        await admin.create(
            "deployments", deployment("users", 9, {"app": "users"}, topologySpreadConstraints=evenly)
        )
        await ready(cluster, 2)
        await cluster.rest()
        assert nodes_of(cluster, "users") == [""] * 7 + ["node-1", "node-2"]
        await admin.patch("nodes", "node-3", {"metadata": {"labels": {ZONE: "zone-3"}}})
        await ready(cluster, 9)
        assert nodes_of(cluster, "users") == [f"node-{number}" for number in (1, 2, 3) for _ in range(3)]
        assert not cluster.journal
        await check_invariants(cluster)
