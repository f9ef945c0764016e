"""Pods that wait with a node: gangs that are bound together or not at all, by the example plugin."""

from collections.abc import AsyncIterator

import pytest

from machinery.model.resources import NODES, PODS
from tests.support.builders import node, pod
from tests.support.scheduler_plugins import configuration, importable, install_example
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

GANG = {"gang": "training", "gang-size": "3"}


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[SchedulerWorld]:
    install_example(tmp_path)
    clock = VirtualClock()
    with importable(tmp_path):
        async with local_registry(clock) as server:
            world = SchedulerWorld(clock, server)
            world.config = configuration(
                tmp_path,
                "  plugins: {permit: {enabled: [{name: Gangs}]}, reserve: {enabled: [{name: Gangs}]}}\n"
                "  pluginConfig: [{name: Gangs, args: {within_s: 20}}]\n",
            )
            yield world


def member(number, **fields):
    return pod(f"worker-{number}", labels=GANG, requests={"cpu": "1"}, **fields)


async def expected(world, number):
    """Return the node that is kept for a worker, by its status."""
    return (await world.user.get(PODS, f"worker-{number}", namespace="default")).status.nominatedNodeName


async def workers(world, number):
    return [await world.node_of(f"worker-{each}") for each in range(number)]


async def test_a_gang_is_bound_when_its_last_pod_has_a_node(world):
    """Those before hold their places, which others do not get, and nobody else waits for them."""
    await world.server.given(NODES, node(cpu="4"))
    async with world.scheduling(config=world.config):
        for number in (0, 1):
            await world.server.given(PODS, member(number))
        await world.clock.advance(1)
        assert await workers(world, 2) == ["", ""]
        assert [await expected(world, number) for number in (0, 1)] == ["node-1"] * 2
        await world.server.given(PODS, pod("large", requests={"cpu": "3"}))
        await world.server.given(PODS, pod("small", requests={"cpu": "1"}))
        await world.clock.advance(1)
        assert [await world.node_of("large"), await world.node_of("small")] == ["", "node-1"]
        await world.server.given(PODS, member(2))
        await world.clock.advance(1)
        assert await workers(world, 3) == ["node-1"] * 3
        assert [await expected(world, number) for number in range(3)] == [""] * 3


async def test_a_waiting_pod_loses_its_place_to_one_of_higher_priority(world):
    """It is rejected, not deleted, and told so."""
    await world.server.given(NODES, node(cpu="1"))
    async with world.scheduling(config=world.config):
        await world.server.given(PODS, member(0))
        await world.clock.advance(1)
        urgent = await world.server.given(
            PODS, pod("urgent", requests={"cpu": "1"}, priorityClassName="system-cluster-critical")
        )
        await world.clock.advance(5)
        assert await world.node_of("urgent") == "node-1"
        waiting = await world.user.get(PODS, "worker-0", namespace="default")
        assert waiting.metadata.deletionTimestamp is None
        assert "0/1 nodes are available: 1 preempted." in await world.messages("worker-0")
        said = await world.messages("worker-0", "Preempted")
        assert said == [f"Preempted by pod {urgent.metadata.uid} on node node-1"]


async def test_a_gang_that_does_not_fit_gives_its_places_back(world):
    """After its time; it says so, and a pod that waits for the place gets it. When a pod of the gang comes it is tried again."""
    await world.server.given(NODES, node(cpu="2"))
    async with world.scheduling(config=world.config):
        for number in (0, 1):
            await world.server.given(PODS, member(number))
        await world.clock.advance(1)
        await world.given_class("first-in-line", 1000, "Never")
        await world.server.given(PODS, pod("large", requests={"cpu": "2"}, priorityClassName="first-in-line"))
        await world.clock.advance(10)
        assert await world.node_of("large") == ""
        await world.clock.advance(12)
        assert await world.node_of("large") == "node-1"
        assert [await expected(world, number) for number in (0, 1)] == [""] * 2
        told = (await world.messages("worker-0")) + (await world.messages("worker-1"))
        timeout = "0/1 nodes are available: 1 rejected due to timeout after waiting 20s at plugin Gangs."
        assert timeout in told
        assert any(each.startswith("0/1 nodes are available: 1 pod worker-") for each in told)
        await world.server.given(NODES, node("node-2", cpu="4"))
        await world.server.given(PODS, member(2))
        await world.clock.advance(15)
        assert await workers(world, 3) == ["node-2"] * 3


async def test_a_pod_that_is_deleted_while_it_waits_frees_its_place(world):
    """At once; and its gang's other pods theirs, for which they may ask again."""
    await world.server.given(NODES, node(cpu="2"))
    async with world.scheduling(config=world.config):
        for number in (0, 1):
            await world.server.given(PODS, member(number))
        await world.clock.advance(1)
        await world.user.delete(PODS, "worker-0", namespace="default")
        await world.server.given(PODS, pod("other", requests={"cpu": "1"}))
        await world.clock.advance(2)
        assert await world.node_of("other") == "node-1"
        assert await world.messages("worker-0") == []
        assert "0/1 nodes are available: 1 pod worker-0 of its gang got no node." in await world.messages(
            "worker-1"
        )


async def test_who_schedules_no_more_holds_no_places(world):
    """What waited is decided on afresh by the next one."""
    await world.server.given(NODES, node(cpu="4"))
    await world.server.given(PODS, member(0))
    async with world.scheduling(config=world.config):
        await world.clock.advance(1)
        first = world.watch
        assert first.snapshot.is_assumed("uid-default-worker-0") or len(first.queue) == 1
    assert first.snapshot.node("node-1").pod_count == 0
    for number in (1, 2):
        await world.server.given(PODS, member(number))
    async with world.scheduling(config=world.config):
        await world.clock.advance(1)
        assert await workers(world, 3) == ["node-1"] * 3


async def test_a_waiting_pod_delays_no_binding(world):
    """Even where only one pod is bound at a time."""
    await world.server.given(NODES, node(cpu="8"))
    async with world.scheduling(config=world.config, bindings=1):
        await world.server.given(PODS, member(0))
        await world.server.given(PODS, pod("other"))
        await world.clock.advance(1)
        assert await world.node_of("other") == "node-1"
