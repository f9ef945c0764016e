"""Many evictors of the pods of one budget, while its controller counts and a ReplicaSet replaces what goes.

The apiserver's own write path stands over the store in memory; time is virtual.
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import msgspec
import pytest

from controllers import disruption, replicaset
from controllers.core.workloads import REPLICA_SETS
from machinery.model.errors import NotFound, TooManyRequests
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.k8s.policy_v1 import Eviction
from machinery.model.pods import is_ready, is_terminating
from machinery.model.resources import POD_DISRUPTION_BUDGETS, PODS
from tests.support.controllers import replica_set
from tests.support.controllers_cluster import Cluster, cluster_with

REPLICAS, WANTED, EVICTORS = 10, 7, 50
ROUNDS = int(os.environ.get("KUBARIUM_ROUNDS") or 100)


async def evict(cluster: Cluster, name: str) -> bool:
    """Evict a pod; return whether it was."""
    eviction = Eviction(metadata=ObjectMeta(name=name))
    try:
        await cluster.user.post(PODS, name, "eviction", eviction, Status, namespace="default")
    except (NotFound, TooManyRequests):
        return False
    return True


async def healthy(cluster: Cluster) -> int:
    """Count the pods that are Ready and stay."""
    pods = (await cluster.user.list(PODS)).items
    return sum(is_ready(pod) and not is_terminating(pod) for pod in pods)


async def set_up(cluster: Cluster) -> None:
    """Have a ReplicaSet and its budget."""
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=REPLICAS))
    selector = {"matchLabels": {"app": "web"}}
    budget = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": selector, "minAvailable": WANTED},
    }
    await cluster.server.given(POD_DISRUPTION_BUDGETS, msgspec.convert(budget, POD_DISRUPTION_BUDGETS.type))
    while await healthy(cluster) < REPLICAS:
        await cluster.clock.sleep(1)
        await cluster.kubelet("node-1")
    await cluster.clock.sleep(1)


@pytest.mark.parametrize("rounds", [2, pytest.param(ROUNDS, marks=pytest.mark.deep)])
async def test_fifty_evictors_never_take_more_than_the_budget_allows(rounds: int) -> None:
    """In no round, whatever the kubelets and controllers do in between. KUBARIUM_ROUNDS makes it longer."""
    random = Random(rounds)
    gone = 0
    async with cluster_with("a", table=(disruption.build, replicaset.build)) as cluster:
        await set_up(cluster)
        for _ in range(rounds):
            names = await cluster.pods()
            evictors = [evict(cluster, random.choice(names)) for _ in range(EVICTORS)]
            gone += sum(await asyncio.gather(*evictors))
            assert await healthy(cluster) >= WANTED
            for step in random.sample([cluster.end_pods, cluster.kubelet], random.randint(0, 2)):
                await step()
            await cluster.clock.sleep(random.choice([0.0, 0.01, 1.0]))
            assert await healthy(cluster) >= WANTED
    assert gone >= REPLICAS - WANTED
