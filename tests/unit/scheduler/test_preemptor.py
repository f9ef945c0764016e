"""Preemption at work: the whole loop against a registry in memory, in virtual time."""

import pytest

from machinery.model.errors import Unavailable
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec
from machinery.model.requests import DeleteOptions
from machinery.model.resources import (
    EVENTS,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
)
from tests.support.builders import changed, meta, node, pod
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

PENDING = "0/1 nodes are available: 1 Insufficient cpu."


@pytest.fixture
async def world():
    clock = VirtualClock()
    async with local_registry(clock) as server:
        found = SchedulerWorld(clock, server)
        for name, value in CLASSES.items():
            await found.given_class(name, value)
        yield found


CLASSES = {"low": 0, "mid": 5, "high": 1000, "urgent": 2000}


def low(name="low", *, of="low", cpu="1", grace=30, **fields):
    return pod(
        name,
        node="node-1",
        priorityClassName=of,
        requests={"cpu": cpu},
        terminationGracePeriodSeconds=grace,
        **fields,
    )


def high(name="high", *, of="high", cpu="1", **fields):
    return pod(name, priorityClassName=of, requests={"cpu": cpu}, **fields)


async def status_of(world, name="high"):
    return (await world.user.get(PODS, name, namespace="default")).status


async def gone(world, name="low"):
    """End a pod as its kubelet does, when its containers have stopped."""
    options = DeleteOptions(grace_period_s=0)
    await world.user.delete(PODS, name, namespace="default", options=options)


async def test_a_pod_gets_the_place_of_another_when_that_has_ended(world: SchedulerWorld):
    """The victim is told, deleted with its own grace period, and its event names the pod and the node."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low(grace=17))
    asked = await world.server.given(PODS, high())
    async with world.scheduling():
        await world.clock.advance(2)
        victim = await world.user.get(PODS, "low", namespace="default")
        assert (
            victim.metadata.deletionTimestamp is not None,
            victim.metadata.deletionGracePeriodSeconds,
        ) == (
            True,
            17,
        )
        [told] = [each for each in victim.status.conditions if each.type == "DisruptionTarget"]
        assert (told.status, told.reason, told.message) == (
            "True",
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        )
        status = await status_of(world)
        assert (status.nominatedNodeName, status.conditions[0].message) == ("node-1", PENDING)
        events = {each.reason: each for each in (await world.user.list(EVENTS)).items}
        assert events["Preempted"].message == f"Preempted by pod {asked.metadata.uid} on node node-1"
        assert (events["Preempted"].involvedObject.name, events["Preempted"].type) == ("low", "Normal")
        assert events["FailedScheduling"].message == PENDING
        await world.clock.advance(40)
        assert await world.node_of("high") == ""
        await gone(world)
        await world.clock.advance(11)
        assert await world.node_of("high") == "node-1"
        assert (await status_of(world)).nominatedNodeName == ""
    rendered = world.metrics.render()
    assert "scheduler_preemption_attempts_total 1\n" in rendered
    assert "scheduler_preemption_victims_count 1\n" in rendered


async def test_only_so_many_pods_go_as_are_needed_however_often_the_pod_is_tried(world: SchedulerWorld):
    """While its victim leaves, it is woken by others, and waits."""
    await world.server.given(NODES, node(cpu="3"))
    for name in ("a", "b", "c"):
        await world.server.given(PODS, low(name))
    await world.server.given(PODS, high())
    async with world.scheduling():
        for number in range(5):
            await world.clock.advance(12)
            name = f"passing-{number}"
            await world.server.given(PODS, changed(low(name, cpu="0"), metadata__labels={"a": "b"}))
            await gone(world, name)
        leaving = [each for each in (await world.user.list(PODS)).items if each.metadata.deletionTimestamp]
        assert len(leaving) == 1
        assert "terminating pod on the nominated node" in (await world.condition_of("high")).message


async def test_a_place_is_kept_from_pods_of_lower_priority(world: SchedulerWorld):
    """Also after the scheduler has started anew: the nomination is in the pod's status."""
    await world.server.given(NODES, node(cpu="2"))
    await world.server.given(PODS, low(cpu="2"))
    await world.server.given(PODS, high(cpu="2"))
    async with world.scheduling():
        await world.clock.advance(2)
    await world.server.given(PODS, pod("small", requests={"cpu": "1"}))
    stuck = world.server.api("stuck")

    async def hold(verb, _plural, name):
        if (verb, name) == ("post binding", "high"):
            raise Unavailable("not now")

    stuck.before_call = hold
    async with world.scheduling(stuck):
        await world.clock.advance(2)
        assert await world.node_of("small") == ""
        await gone(world)
        await world.clock.advance(5)
        assert await world.node_of("small") == ""
    async with world.scheduling():
        await world.clock.advance(20)
        assert [await world.node_of(name) for name in ("high", "small")] == ["node-1", ""]


async def test_a_place_is_free_again_when_nobody_needs_it(world: SchedulerWorld):
    """The pod that it was kept for is deleted, or has got another node."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low())
    await world.server.given(PODS, high())
    async with world.scheduling():
        await world.clock.advance(2)
        await world.server.given(PODS, pod("small", requests={"cpu": "1"}))
        await gone(world, "high")
        await gone(world)
        await world.clock.advance(12)
        assert await world.node_of("small") == "node-1"
        await world.server.given(PODS, high())
        await world.clock.advance(2)
        assert (await status_of(world)).nominatedNodeName == "node-1"
        await world.server.given(NODES, node("node-2", cpu="1"))
        await world.clock.advance(12)
        assert await world.node_of("high") == "node-2"
        await world.server.given(PODS, pod("next", requests={"cpu": "1"}))
        await gone(world, "small")
        await world.clock.advance(12)
        assert await world.node_of("next") == "node-1"


async def test_a_pod_of_higher_priority_takes_a_place_that_is_kept(world: SchedulerWorld):
    """The other one's nomination is withdrawn, and it waits on."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low())
    await world.server.given(PODS, high("first"))
    async with world.scheduling():
        await world.clock.advance(2)
        assert (await status_of(world, "first")).nominatedNodeName == "node-1"
        await world.server.given(PODS, high("urgent", of="urgent"))
        await world.clock.advance(2)
        assert (await status_of(world, "urgent")).nominatedNodeName == "node-1"
        assert (await status_of(world, "first")).nominatedNodeName == ""
        await gone(world)
        await world.clock.advance(15)
        assert [await world.node_of(name) for name in ("urgent", "first")] == ["node-1", ""]


async def test_budgets_are_looked_at(world: SchedulerWorld):
    """The pod whose budget does not allow it to go stays, although it is the less important one."""
    await world.server.given(NODES, node(cpu="2"))
    selector = LabelSelector(matchLabels={"app": "kept"})
    budget = PodDisruptionBudget(
        metadata=meta("kept", "default"), spec=PodDisruptionBudgetSpec(selector=selector, minAvailable=1)
    )
    await world.server.given(POD_DISRUPTION_BUDGETS, budget)
    await world.server.given(PODS, low("kept", labels={"app": "kept"}))
    await world.server.given(PODS, low("other", of="mid"))
    await world.server.given(PODS, high())
    async with world.scheduling():
        await world.clock.advance(2)
        pods = {each.metadata.name: each.metadata for each in (await world.user.list(PODS)).items}
        assert (pods["kept"].deletionTimestamp, bool(pods["other"].deletionTimestamp)) == (None, True)


async def test_a_deletion_that_fails_is_tried_again(world: SchedulerWorld):
    """With a new decision, after the backoff."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low())
    await world.server.given(PODS, high())
    failures = 0

    async def fail(verb, plural, name):
        nonlocal failures
        if (verb, plural, name) == ("delete", "pods", "low") and failures < 2:
            failures += 1
            raise Unavailable("nobody answers")

    world.api.before_call = fail
    async with world.scheduling():
        await world.clock.advance(0.5)
        assert not (await world.user.get(PODS, "low", namespace="default")).metadata.deletionTimestamp
        await world.clock.advance(10)
        assert (await world.user.get(PODS, "low", namespace="default")).metadata.deletionTimestamp
        assert failures == 2


async def test_a_pod_that_was_replaced_is_not_deleted(world: SchedulerWorld):
    """Another pod of the victim's name has another uid: it stays."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low())
    await world.server.given(PODS, high())
    replaced = False

    async def replace(verb, plural, name):
        nonlocal replaced
        if (verb, plural, name) == ("delete", "pods", "low") and not replaced:
            replaced = True
            await gone(world)
            await world.server.given(PODS, changed(low(), spec__nodeName=""))

    world.api.before_call = replace
    async with world.scheduling():
        await world.clock.advance(12)
        assert replaced
        found = await world.user.get(PODS, "low", namespace="default")
        assert (found.metadata.deletionTimestamp, found.spec.nodeName) == (None, "")
        assert await world.node_of("high") == "node-1"
        assert "Preempted" not in await world.event_reasons()


async def test_a_finalizer_holds_the_object_and_the_place_is_kept(world: SchedulerWorld):
    """The pod that is to have the place waits until the object is gone."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low(meta_fields={"finalizers": ["example.com/test-finalizer"]}))
    await world.server.given(PODS, high())
    async with world.scheduling():
        await world.clock.advance(2)
        await gone(world)
        await world.clock.advance(60)
        assert await world.node_of("high") == ""
        await world.user.patch(PODS, "low", {"metadata": {"finalizers": None}}, namespace="default")
        await world.clock.advance(12)
        assert await world.node_of("high") == "node-1"


async def test_a_refused_binding_keeps_the_place(world: SchedulerWorld):
    """It is tried again after its backoff; pods of lower priority leave it alone meanwhile."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, low())
    await world.server.given(PODS, high())
    refusals = 0

    async def refuse(verb, _plural, name):
        nonlocal refusals
        if (verb, name) == ("post binding", "high") and not refusals:
            refusals += 1
            raise Unavailable("nobody answers")

    async with world.scheduling():
        await world.clock.advance(2)
        world.api.before_call = refuse
        await world.server.given(PODS, pod("small", requests={"cpu": "1"}))
        await gone(world)
        await world.clock.advance(15)
        assert [await world.node_of(name) for name in ("high", "small")] == ["node-1", ""]
        assert refusals == 1
