"""A StatefulSet while machines die and are cut off: nobody ever has two holders of one identity."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kubarium.identity.pki import Pki
from tests.support.examples import first_seeds
from tests.support.scenario_invariants import check_identities
from tests.support.scenario_objects import database
from tests.support.scenario_world import Cluster, is_node_ready, is_pod_ready, running_cluster

REPLICAS = 3
SILENT_S = 420.0  # longer than a node is waited for, and a pod tolerates that


def ready(cluster: Cluster) -> set[str]:
    """Name the pods that are Ready and are to stay."""
    found = (pod["metadata"] for pod in cluster.objects("pods") if is_pod_ready(pod))
    return {meta["name"] for meta in found if "deletionTimestamp" not in meta}


def all_ready(cluster: Cluster) -> bool:
    """Whether every pod of the StatefulSet is."""
    check_identities(cluster)
    return ready(cluster) == {f"db-{number}" for number in range(REPLICAS)}


async def rest(cluster: Cluster, for_s: float) -> None:
    """Advance the time, and look at every second of it."""
    for _ in range(int(for_s)):
        await cluster.rest(1.0)
        check_identities(cluster)


def node_of(cluster: Cluster, name: str) -> str:
    """Return where a pod is."""
    pod = cluster.object("pods", name)
    assert pod
    return str(pod["spec"]["nodeName"])


@pytest.mark.deep
async def test_a_pod_on_a_machine_that_is_cut_off_has_no_successor_before_it_has_ended(
    tmp_path: Path, pki: Pki
):
    """It is deleted in the store, and stays there; when the machine is back, it ends, and the next one starts."""
    async with running_cluster(tmp_path, pki) as cluster:
        await cluster.api.admin.create("statefulsets", database(REPLICAS))
        await cluster.until(lambda: all_ready(cluster), limit_s=120)
        lost = node_of(cluster, "db-1")
        first = cluster.object("pods", "db-1")
        cluster.cut_off(lost)
        await rest(cluster, SILENT_S)
        now = cluster.object("pods", "db-1")
        assert first
        assert now
        assert now["metadata"]["uid"] == first["metadata"]["uid"]
        assert now["metadata"]["deletionTimestamp"]
        cluster.join(lost)
        await cluster.until(lambda: all_ready(cluster), limit_s=120)
        after = cluster.object("pods", "db-1")
        assert after
        assert after["metadata"]["uid"] != first["metadata"]["uid"]


@pytest.mark.parametrize("seed", first_seeds(6, quick=0))
async def test_no_identity_has_two_holders_whatever_is_killed(seed: int, tmp_path: Path, pki: Pki):
    """Machines are cut off, switched off and deleted, controllers killed, pods deleted; in the end all are there."""
    rng = random.Random(seed)
    async with running_cluster(tmp_path, pki, nodes=3, seed=seed) as cluster:
        policy = rng.choice(["OrderedReady", "Parallel"])
        await cluster.api.admin.create("statefulsets", database(REPLICAS, podManagementPolicy=policy))
        await cluster.until(lambda: all_ready(cluster), limit_s=120)
        away: dict[str, str] = {}
        for _ in range(4):
            await disturb(cluster, rng, away)
            await rest(cluster, rng.choice([1, 10, 60]))
        for name, how in away.items():
            await bring_back(cluster, name, how)
        await cluster.until(lambda: all_ready(cluster), limit_s=900)


async def disturb(cluster: Cluster, rng: random.Random, away: dict[str, str]) -> None:
    """Make one thing go wrong. A machine that is gone for good is said to be so only after it has been switched off."""
    present = sorted(cluster.nodes.keys() - away.keys())
    match rng.choice(["cut off", "power off", "controllers", "delete", "update"]):
        case "cut off" if len(present) > 1:
            name = rng.choice(present)
            cluster.cut_off(name)
            away[name] = "cut off"
        case "power off" if len(present) > 1:
            name = rng.choice(present)
            await cluster.power_off(name)
            await cluster.api.admin.delete("nodes", name)
            away[name] = "gone"
        case "delete":
            for pod in cluster.objects("pods")[:2]:
                await cluster.api.admin.delete("pods", pod["metadata"]["name"])
        case "update":
            await cluster.api.admin.patch("statefulsets", "db", new_template(rng))
        case _:
            await cluster.kill("controllers")
            cluster.start("controllers")


def new_template(rng: random.Random) -> dict[str, object]:
    """Return a change of the template."""
    return {"spec": {"template": {"metadata": {"annotations": {"try": str(rng.random())}}}}}


async def bring_back(cluster: Cluster, name: str, how: str) -> None:
    """Restore a machine's network, or start it again."""
    if how == "cut off":
        cluster.join(name)
    else:
        await cluster.boot(name)
    await cluster.until(lambda: is_node_ready(cluster.object("nodes", name, "")), limit_s=120)


async def test_two_holders_are_found(tmp_path: Path, pki: Pki):
    """Somebody says of a machine that is only cut off that it is gone: the successor runs beside its predecessor."""
    async with running_cluster(tmp_path, pki, nodes=2) as cluster:
        await cluster.api.admin.create("statefulsets", database(1))
        await cluster.until(lambda: ready(cluster) == {"db-0"}, limit_s=120)
        lost = node_of(cluster, "db-0")
        cluster.cut_off(lost)
        await cluster.api.admin.delete("nodes", lost)
        with pytest.raises(AssertionError, match="default/db-0 has several holders"):
            await rest(cluster, SILENT_S)
