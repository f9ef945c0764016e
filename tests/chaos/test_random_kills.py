"""Processes are killed at random while a Deployment is being scaled: afterwards the world is what was asked for."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import docker
import pytest

from kubarium import Cluster
from tests.support.chaos_checks import check_kept, is_clean, is_settled
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually
from tests.support.sleepers import deployment
from tests.support.waiting import rest

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(900)]

SEED = int(os.environ.get("KUBARIUM_SEED") or random.randrange(2**32))
KILLS = int(os.environ.get("KUBARIUM_KILLS") or 20)
REPLICAS = 4


def test_any_process_may_die_at_any_time(start_cluster: StartCluster):
    """No acknowledged write is lost, no container is without its pod, and every replica runs.

    KUBARIUM_SEED repeats a run, KUBARIUM_KILLS makes it longer.
    """
    print(f"KUBARIUM_SEED={SEED}")
    rng = random.Random(SEED)
    cluster = start_cluster("chaos", nodes=3, runtime="docker", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl.apply(deployment(3))
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=180s", timeout_s=200)

    acknowledged = break_things(cluster, kubectl, rng)

    eventually(lambda: scale(kubectl, REPLICAS), timeout_s=200, what="a last scaling that is acknowledged")
    pods = eventually(lambda: settled(kubectl), timeout_s=200, what=f"{REPLICAS} replicas (seed {SEED})")
    check_kept(acknowledged, names_of_configmaps(kubectl))
    eventually(
        lambda: is_clean(pods, uids_of_containers(cluster)), what="the containers of the pods, no others"
    )


def break_things(cluster: Cluster, kubectl: Kubectl, rng: random.Random) -> set[str]:
    """Kill one process after another, scale and write meanwhile; give the names of the acknowledged writes."""
    names = [process.name for process in cluster.ps()]
    acknowledged: set[str] = set()
    for number in range(KILLS):
        cluster.kill(rng.choice(names), restart=True)
        if rng.random() < 0.6:
            scale(kubectl, rng.randint(1, 8))
        created = kubectl.run("create", "configmap", f"kept-{number}", "--request-timeout=5s")
        if created.code == 0:
            acknowledged.add(f"kept-{number}")
        rest(rng.uniform(0, 1), "the next kill comes at any moment")
    return acknowledged


def scale(kubectl: Kubectl, replicas: int) -> bool:
    """Ask for so many replicas; tell whether it was acknowledged."""
    return (
        kubectl.run("scale", "deployment/sleeper", f"--replicas={replicas}", "--request-timeout=5s").code == 0
    )


def settled(kubectl: Kubectl) -> list[dict[str, Any]]:
    """Return the pods, once there are exactly the wanted ones and all are Ready."""
    outcome = kubectl.run("get", "pods", "-o", "json", "--request-timeout=5s")
    pods = json.loads(outcome.out)["items"] if outcome.code == 0 else []
    return pods if is_settled(pods, REPLICAS) else []


def names_of_configmaps(kubectl: Kubectl) -> set[str]:
    """Name every ConfigMap."""
    return {item["metadata"]["name"] for item in kubectl.get("configmaps")}


def uids_of_containers(cluster: Cluster) -> set[str]:
    """Ask the engine to whose pods all containers of the cluster belong, running or not."""
    client = docker.from_env()
    try:
        labels = {"label": f"kubarium.cluster={cluster.name}"}
        found = client.containers.list(all=True, filters=labels, ignore_removed=True)
        return {container.labels["io.kubernetes.pod.uid"] for container in found}
    finally:
        client.close()
