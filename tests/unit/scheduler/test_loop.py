"""The whole loop against a registry in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from machinery.client.leader import COMPONENT_LEASES
from machinery.model.errors import Conflict, Unavailable
from machinery.model.k8s.core_v1 import Pod, PodSchedulingGate
from machinery.model.resources import LEASES, NODES, PODS
from scheduler.app import LEASE
from scheduler.core.needs import Needs
from scheduler.core.plugins import node_affinity, node_resources_fit, taint_toleration
from scheduler.core.pod import PodReader
from scheduler.core.snapshot import Snapshot
from tests.support.builders import changed, node, pod
from tests.support.election import SkewedClock, finish
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.streams import closing
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
async def world() -> AsyncIterator[SchedulerWorld]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield SchedulerWorld(clock, server)


async def test_a_pod_is_bound_and_told_so(world: SchedulerWorld):
    """Also one that was there before the scheduler."""
    await world.server.given(NODES, node())
    await world.server.given(PODS, pod())
    async with world.scheduling():
        await world.server.given(PODS, pod("late"))
        await world.clock.advance(1)
        assert await world.node_of() == "node-1"
        assert await world.node_of("late") == "node-1"
        assert await world.event_reasons() == ["Scheduled", "Scheduled"]
        assert not world.watch.snapshot.is_assumed("uid")
        assert len(world.watch.queue) == 0


async def test_pods_of_another_scheduler_are_left_alone(world: SchedulerWorld):
    """So are gated ones and those that are being deleted."""
    await world.server.given(NODES, node())
    await world.server.given(PODS, pod(schedulerName="mine"))
    await world.server.given(PODS, pod("gated", schedulingGates=[PodSchedulingGate(name="a/b")]))
    await world.server.given(PODS, pod("gone", meta_fields={"finalizers": ["a/b"]}))
    await world.user.delete(PODS, "gone", namespace="default")
    async with world.scheduling():
        await world.clock.advance(60)
        assert world.binding_calls() == []


async def test_a_pod_that_fits_nowhere_is_told_and_bound_when_it_fits(world: SchedulerWorld):
    """The condition once, the event; then the node comes."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, pod(requests={"cpu": "2"}))
    async with world.scheduling():
        await world.clock.advance(5)
        condition = await world.condition_of()
        assert (condition.status, condition.reason) == ("False", "Unschedulable")
        assert condition.message.startswith(
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        )
        assert await world.event_reasons() == ["FailedScheduling"]
        patches = [call for call in world.api.calls if call[0] == "patch" and call[1] == "pods"]
        assert len(patches) == 1
        await world.server.given(NODES, node("node-2"))
        await world.clock.advance(3)  # it may be tried once before the node has said what it has
        assert await world.node_of() == "node-2"


async def test_an_answer_that_got_lost_is_looked_up(world: SchedulerWorld):
    """The binding came through; it is not asked for again."""
    await world.server.given(NODES, node())
    await world.server.given(PODS, pod())

    async def lose(verb, _resource, _name):
        if verb == "post binding":
            raise Unavailable("the connection broke")

    world.api.before_reply = lose
    async with world.scheduling():
        await world.clock.advance(5)
        assert await world.node_of() == "node-1"
        assert len(world.binding_calls()) == 1
        assert await world.event_reasons() == ["Scheduled"]


async def test_a_request_that_got_lost_is_made_again(world: SchedulerWorld):
    """The pod was not bound, so nothing happens twice."""
    await world.server.given(NODES, node())
    await world.server.given(PODS, pod())

    async def lose(verb, _resource, _name):
        if verb == "post binding" and len(world.binding_calls()) < 3:
            raise Unavailable("nobody answers")

    world.api.before_call = lose
    async with world.scheduling():
        await world.clock.advance(10)
        assert await world.node_of() == "node-1"
        assert len(world.binding_calls()) == 3


async def test_a_refused_binding_frees_the_node_and_is_tried_later(world: SchedulerWorld):
    """After the backoff."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, pod(requests={"cpu": "1"}))

    async def refuse(verb, _resource, _name):
        if verb == "post binding" and len(world.binding_calls()) == 1:
            raise Conflict("not now")

    world.api.before_call = refuse
    async with world.scheduling():
        await world.clock.advance(0.5)
        assert world.watch.snapshot.node("node-1").cpu == 0
        await world.clock.advance(1)
        assert await world.node_of() == "node-1"


async def test_two_schedulers_at_once_bind_every_pod_once(world: SchedulerWorld):
    """The apiserver lets one of them win, and both learn who."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, node(name, cpu="2"))
    for number in range(4):
        await world.server.given(PODS, pod(f"web-{number}", requests={"cpu": "1"}))
    other = world.server.api("other")
    async with world.scheduling():
        first = world.watch
        async with world.scheduling(other):
            await world.clock.advance(30)
            nodes = sorted([await world.node_of(f"web-{number}") for number in range(4)])
            assert nodes == ["node-1", "node-1", "node-2", "node-2"]
            for watch in (first, world.watch):
                assert [watch.snapshot.node(name).cpu for name in ("node-1", "node-2")] == [2000, 2000]


async def test_a_pod_that_ends_makes_room(world: SchedulerWorld):
    """A pod that has succeeded counts no more."""
    await world.server.given(NODES, node(cpu="1"))
    await world.server.given(PODS, pod("job", node="node-1", requests={"cpu": "1"}))
    await world.server.given(PODS, pod(requests={"cpu": "1"}))
    async with world.scheduling():
        await world.clock.advance(5)
        assert await world.node_of() == ""
        await world.user.patch(
            PODS, "job", {"status": {"phase": "Succeeded"}}, namespace="default", subresource="status"
        )
        await world.clock.advance(2)
        assert await world.node_of() == "node-1"


async def test_what_the_watch_never_shows_is_asked_for(world: SchedulerWorld):
    """A binding that is undone behind the watch's back does not hold the node for ever."""
    await world.server.given(NODES, node(cpu="1"))
    async with world.scheduling():
        ghost = changed(pod("ghost", requests={"cpu": "1"}), metadata__uid="ghost")
        info = world.watch._reader.read(ghost)
        world.watch.snapshot.assume(info, "node-1")
        world.watch.snapshot.finish_binding("ghost", world.clock.monotonic())
        await world.server.given(PODS, pod(requests={"cpu": "1"}))
        await world.clock.advance(20)
        assert await world.node_of() == ""
        await world.clock.advance(20)
        assert await world.node_of() == "node-1"


async def test_a_binding_that_was_under_way_when_its_leader_was_deposed_does_no_harm(world: SchedulerWorld):
    """It arrives when another one leads, which has bound the pod to another node; the store refuses it."""
    await world.server.given(NODES, node("node-1"))
    arrive = asyncio.Event()

    async def travel(verb: str, *_what: str) -> None:
        if verb == "post binding":
            await arrive.wait()

    old, clock = world.server.api("old"), SkewedClock(world.clock, 0)
    deposed = asyncio.ensure_future(world.build(old, clock=clock, identity="old", bind_timeout_s=3600).run())
    await world.clock.advance(1)
    old.before_call = travel
    await world.server.given(PODS, pod())
    await world.clock.advance(1)
    assert world.binding_calls(old) == [("post binding", "pods", "web")]
    clock.freeze()
    await world.user.delete(NODES, "node-1")
    leader = asyncio.ensure_future(world.build(identity="new").run())
    await world.clock.advance(60)
    assert (await world.user.get(LEASES, LEASE, namespace=COMPONENT_LEASES)).spec.holderIdentity == "new"
    arrive.set()
    await world.clock.settle()
    assert await world.node_of() == ""
    await world.server.given(NODES, node("node-2"))
    await world.clock.advance(60)
    assert await world.node_of() == "node-2"
    await finish(deposed, leader)


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (node_affinity, "fits"),
        (node_resources_fit, "fits"),
        (node_resources_fit, "least_allocated"),
        (taint_toleration, "count_avoided"),
        (PodReader, "read"),
    ],
)
async def test_an_exception_about_one_pod_is_that_pods_alone(
    world: SchedulerWorld, monkeypatch, holder, name
):
    """Whatever fails, in a plugin or before: the pod is told, the others are bound, and it is tried again."""
    failing, real = True, getattr(holder, name)
    await world.server.given(PODS, pod("bad", requests={"cpu": "7m"}, nodeSelector={"disk": "ssd"}))

    def fail(*arguments):
        if failing and any(is_bad(each) for each in arguments):
            raise ZeroDivisionError("nobody foresaw it")
        return real(*arguments)

    monkeypatch.setattr(holder, name, fail)
    await world.server.given(NODES, node(labels={"disk": "ssd"}))
    await world.server.given(PODS, pod("before"))
    async with world.scheduling():
        await world.clock.advance(1)
        await world.server.given(PODS, pod("after"))
        await world.clock.advance(1)
        assert [await world.node_of(each) for each in ("before", "after", "bad")] == ["node-1", "node-1", ""]
        condition = await world.condition_of("bad")
        assert (condition.status, condition.reason) == ("False", "SchedulerError")
        assert "ZeroDivisionError: nobody foresaw it" in condition.message
        assert "FailedScheduling" in await world.event_reasons()
        failing = False
        touched = {"metadata": {"labels": {"touched": "yes"}}}
        await world.user.patch(PODS, "bad", touched, namespace="default")
        await world.clock.advance(15)
        assert await world.node_of("bad") == "node-1"


def is_bad(argument):
    if isinstance(argument, Needs):
        return argument.cpu == 7
    return isinstance(argument, Pod) and argument.metadata.name == "bad"


@pytest.mark.parametrize("is_early", [True, False])
async def test_a_node_that_cannot_be_read_gets_no_pods(world: SchedulerWorld, monkeypatch, is_early):
    """The others do, whether it is there before the scheduler or comes later."""
    real = Snapshot.set_node

    def fail(snapshot, found):
        if found.metadata.name == "odd":
            raise ZeroDivisionError("nobody foresaw it")
        return real(snapshot, found)

    monkeypatch.setattr(Snapshot, "set_node", fail)
    if is_early:
        await world.server.given(NODES, node("odd"))
    async with world.scheduling():
        if not is_early:
            await world.server.given(NODES, node("odd"))
        await world.server.given(NODES, node("plain", cpu="1"))
        await world.server.given(PODS, pod())
        await world.clock.advance(1)
        assert await world.node_of() == "plain"


async def test_a_new_leader_counts_what_the_old_one_has_bound_last(world: SchedulerWorld):
    """Its own watch may be behind: it waits for every binding until now, so that no node is filled twice."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, node(name, cpu="1"))
    old, new = world.server.api("old"), world.server.api("new")
    heard, watch = asyncio.Event(), new.watch

    async def hear_bindings_late(resource, *what, **options):
        async with closing(watch(resource, *what, **options)) as batches:
            async for batch in batches:
                if resource is PODS and any(each.object and each.object.spec.nodeName for each in batch):
                    await heard.wait()
                yield batch

    async def hang(verb, _plural, name):
        if (verb, name) == ("post binding", "late"):
            await asyncio.Event().wait()

    new.watch, old.before_call = hear_bindings_late, hang
    clock = SkewedClock(world.clock, 0)
    first = asyncio.ensure_future(world.build(old, clock=clock, identity="old").run())
    await world.clock.advance(1)
    second = asyncio.ensure_future(world.build(new, identity="new", tie_break=0.9).run())
    await world.clock.advance(1)
    for name in ("early", "late"):
        await world.server.given(PODS, pod(name, requests={"cpu": "600m"}))
    await world.clock.advance(0.1)
    assert await world.node_of("early") == "node-1"
    clock.freeze()
    await world.clock.advance(60)
    heard.set()
    await world.clock.advance(60)
    assert [await world.node_of(name) for name in ("early", "late")] == ["node-1", "node-2"]
    await finish(first, second)
