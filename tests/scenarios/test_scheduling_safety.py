"""Schedulers that die, are cut off or see late, and nodes that vanish: no pod is bound twice or lost, no node gets too much.

Each checker is shown a fault of a scheduler that it is there for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from kubarium.identity.pki import Pki
from scheduler.core.queue import SchedulingQueue
from scheduler.core.snapshot import Snapshot
from tests.support.examples import first_seeds
from tests.support.scenario_invariants import check_bindings, check_invariants, check_room
from tests.support.scenario_objects import pod
from tests.support.scenario_world import Cluster, is_node_ready, is_pod_ready, running_cluster

SEEDS = int(os.environ.get("KUBARIUM_ROUNDS") or 4)
BUSY_TURNS = 60  # of the event loop, in which the pods of a round are placed
CPU = "300m"  # three pods fit on a node
NODES = 3
ROOM = 9
LEASE_S = 60.0  # in which another scheduler leads for certain

Fault = Callable[[Cluster, Random], Awaitable[None]]


async def turns(chooser: Random) -> None:
    """Run the cluster for some turns of the event loop."""
    for _ in range(chooser.randrange(BUSY_TURNS)):
        await asyncio.sleep(0)


async def dies(cluster: Cluster, chooser: Random) -> None:
    """Between the assumption and the binding of a pod, for example; another one is started at once."""
    await turns(chooser)
    await cluster.kill("scheduler")
    cluster.start("scheduler")


async def is_cut_off(cluster: Cluster, chooser: Random) -> None:
    """Past its lease, with what it had in hand: it gives up, and another one, which has waited, leads."""
    await turns(chooser)
    first = cluster.components.pop("scheduler")
    for channel in first.channels:
        channel.cut()
    cluster.start("scheduler")
    await cluster.rest(chooser.choice((1.0, LEASE_S)))
    for channel in first.channels:
        channel.join()
    await cluster.rest(2.0)
    await first.kill()


async def sees_late(cluster: Cluster, chooser: Random) -> None:
    """Its watches break while pods come and go, and begin anew later."""
    await turns(chooser)
    channels = cluster.components["scheduler"].channels
    for channel in channels:
        channel.cut()
    for each in cluster.objects("pods")[:2]:
        await cluster.api.admin.delete("pods", each["metadata"]["name"], grace_period_s=0)
    await cluster.rest(chooser.choice((0.1, 1.0)))
    for channel in channels:
        channel.join()


async def loses_a_node(cluster: Cluster, chooser: Random) -> None:
    """Its Node is deleted while pods are bound to it; the machine comes back under its name."""
    await turns(chooser)
    await cluster.power_off("node-3")
    await cluster.api.admin.delete("nodes", "node-3")
    await cluster.rest(chooser.choice((0.0, 5.0)))
    await cluster.boot("node-3", cpu="1")
    await cluster.until(lambda: is_node_ready(cluster.object("nodes", "node-3", "")), limit_s=120)


async def filled(cluster: Cluster) -> None:
    """Wait until as many pods run as there is room for, with more than enough that want to."""

    def enough() -> bool:
        return sum(map(is_pod_ready, cluster.objects("pods"))) == ROOM

    await cluster.until(enough, limit_s=400, why=f"{ROOM} pods that run, none lost")


@pytest.mark.parametrize("fault", [dies, is_cut_off, sees_late, loses_a_node])
@pytest.mark.parametrize("seed", first_seeds(SEEDS, quick=1))
async def test_whatever_becomes_of_schedulers(fault: Fault, seed: int, tmp_path: Path, pki: Pki):
    """Pods come in three rounds, more than fit; a fault meets each round somewhere."""
    chooser = Random(seed)
    async with running_cluster(tmp_path, pki, nodes=NODES, cpu="1", seed=seed) as cluster:
        for number in range(3 * 5):
            await cluster.api.admin.create("pods", pod(f"web-{number}", cpu=CPU))
            if number % 5 == 4:
                await fault(cluster, chooser)
        await filled(cluster)
        await check_invariants(cluster)


async def test_a_scheduler_that_forgets_what_it_assumed_is_found(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
):
    """It puts all pods of a moment where there is room for three."""
    monkeypatch.setattr(Snapshot, "assume", lambda *_: None)
    async with running_cluster(tmp_path, pki, nodes=1, cpu="1") as cluster:
        for number in range(5):
            await cluster.api.admin.create("pods", pod(f"web-{number}", cpu=CPU))
        await cluster.rest(5.0)
        check_bindings(cluster.observer.seen)
        with pytest.raises(AssertionError, match="is asked for"):
            check_room(sorted(cluster.observer.seen, key=lambda each: each.revision))


async def test_a_queue_that_loses_a_pod_is_found(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch):
    """One of those that are told to wait, when there would be room for it."""
    monkeypatch.setattr(SchedulingQueue, "happened", lambda *_: None)
    async with running_cluster(tmp_path, pki, nodes=1, cpu="1") as cluster:
        for number in range(4):
            await cluster.api.admin.create("pods", pod(f"web-{number}", cpu=CPU))
        await cluster.rest(5.0)
        await cluster.boot("node-2", cpu="1")
        with pytest.raises(AssertionError, match="did not happen in time"):
            await cluster.until(lambda: sum(map(is_pod_ready, cluster.objects("pods"))) == 4, limit_s=60)
