"""Controllers and scheduler killed in the middle of scaling, at any await, and started afresh."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from kubarium.identity.pki import Pki
from tests.support.examples import first_seeds
from tests.support.scenario_invariants import check_invariants, most_at_once
from tests.support.scenario_objects import pod_template, web, web_service
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

VICTIMS = (("controllers",), ("scheduler",), ("controllers", "scheduler"))
BUSY_TURNS = 90  # of the event loop, in which an undisturbed scaling is done
WANTED = 5
SURGE = 1
SEEDS = int(os.environ.get("KUBARIUM_ROUNDS") or 12)
CPU = "300m"  # three pods fit on a node: as many in all as there may be at once


async def kill_at_random(cluster: Cluster, chooser: Random) -> None:
    """Run the loop for a while, then kill one or both at whatever they are waiting for."""
    for _ in range(chooser.randrange(BUSY_TURNS)):
        await asyncio.sleep(0)
    for name in chooser.choice(VICTIMS):
        await cluster.kill(name)
        cluster.start(name)


def is_scaled(cluster: Cluster) -> bool:
    """Whether the Deployment says that it is done, and whether it is true."""
    deployment = cluster.object("deployments", "web")
    status = (deployment or {}).get("status", {})
    counts = [
        status.get(field) for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    ]
    pods = cluster.objects("pods")
    return counts == [WANTED] * 4 and len(pods) == WANTED and all(map(is_pod_ready, pods))


def outcome(cluster: Cluster) -> dict[str, object]:
    """Describe what has to be the same however it was reached."""
    (slice_,) = [
        each for each in cluster.objects("endpointslices") if each["metadata"]["name"] != "kubernetes"
    ]
    deployment = cluster.object("deployments", "web")
    assert deployment
    return {
        "sets": sorted(
            (
                obj["spec"]["template"]["spec"]["containers"][0]["image"],
                obj["spec"]["replicas"],
                obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            )
            for obj in cluster.objects("replicasets")
        ),
        "images": Counter(pod["spec"]["containers"][0]["image"] for pod in cluster.objects("pods")),
        "ready endpoints": sum(each["conditions"]["ready"] for each in slice_["endpoints"]),
        "conditions": sorted(
            (each["type"], each["status"], each["reason"]) for each in deployment["status"]["conditions"]
        ),
    }


@pytest.mark.parametrize("seed", first_seeds(SEEDS, quick=0))
async def test_scaling_converges_whoever_is_killed_when(seed: int, tmp_path: Path, pki: Pki):
    """However the controllers and the scheduler die meanwhile, the end is the same. KUBARIUM_ROUNDS makes it longer."""
    chooser = Random(seed)
    async with running_cluster(tmp_path, pki, nodes=2, cpu="1", seed=seed) as cluster:
        admin = cluster.api.admin
        await admin.create("services", web_service())
        await admin.create("deployments", web(2, template=pod_template(cpu=CPU)))
        await cluster.until(lambda: sum(map(is_pod_ready, cluster.objects("pods"))) == 2, limit_s=60)
        await cluster.clock.settle()
        change = {"replicas": WANTED, "template": pod_template("app:2", cpu=CPU)}
        await admin.patch("deployments", "web", {"spec": change})
        for _ in range(chooser.randint(1, 3)):
            await kill_at_random(cluster, chooser)
            await cluster.rest(chooser.choice((0.0, 2.0, 20.0)))
        await cluster.until(lambda: is_scaled(cluster), limit_s=300, why=f"scaled, seed {seed}")
        await cluster.rest(20.0)
        assert is_scaled(cluster)
        assert outcome(cluster) == {
            "sets": [("app:1", 0, "1"), ("app:2", WANTED, "2")],
            "images": {"app:2": WANTED},
            "ready endpoints": WANTED,
            "conditions": [
                ("Available", "True", "MinimumReplicasAvailable"),
                ("Progressing", "True", "NewReplicaSetAvailable"),
            ],
        }
        assert most_at_once(cluster.observer.seen) <= WANTED + SURGE
        await check_invariants(cluster)
