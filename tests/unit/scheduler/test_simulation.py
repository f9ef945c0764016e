"""Decisions without a cluster: the same as the scheduler's loop makes, from objects alone."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from machinery.model.k8s.core_v1 import (
    Affinity,
    PersistentVolumeClaimVolumeSource,
    PodAffinity,
    PodAffinityTerm,
    PodSchedulingGate,
    Volume,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec
from machinery.model.log import SILENT
from machinery.model.resources import NODES, PODS
from machinery.model.simulation import Answer, Question
from machinery.process.metrics import Metrics
from machinery.wire.objects import encode
from scheduler.app import build
from scheduler.config import SchedulerConfig
from scheduler.core.registry import DEFAULT
from scheduler.core.simulation.placing import Left, Outcome, Placed, Placing, place
from scheduler.core.simulation.world import World
from scheduler.simulation.answering import answer
from tests.support.builders import changed, meta, node, pod
from tests.support.claims import claim, csi_driver, room, storage_class
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock

PROFILES = {DEFAULT.scheduler_name: DEFAULT}
CLUSTER = [
    node("node-1", cpu="4", memory="9Gi"),
    node("node-2", cpu="2", memory="5Gi"),
    node("node-3", cpu="1", memory="3Gi"),
]
COMING = [pod(f"web-{number}", requests={"cpu": f"{300 + 50 * number}m"}) for number in range(9)]


def placed(world: World) -> dict[str, str]:
    results = place(world, PROFILES, float).results
    return {each.member.info.name: each.decision.node if isinstance(each, Placed) else "" for each in results}


@pytest.fixture
async def server() -> AsyncIterator[tuple[VirtualClock, LocalRegistry]]:
    clock = VirtualClock()
    async with local_registry(clock) as registry:
        yield clock, registry


async def test_pods_go_where_the_loop_puts_them(server):
    """The scheduler's own process, with nodes of which no two are alike, so that nothing is left to chance."""
    clock, registry = server
    for each in CLUSTER:
        await registry.given(NODES, each)
    for each in COMING:
        await registry.given(PODS, each)
    config = SchedulerConfig(leader_elect=False, bindings=10, bind_timeout_s=1.0)
    scheduler = build(
        config, registry.api("scheduler"), clock, SILENT, Metrics(), identity="", tie_breaks=float
    )
    task = asyncio.ensure_future(scheduler.run())
    await scheduler.watch.synced()
    await clock.advance(20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = (await registry.user.list(PODS)).items
    assert {each.metadata.name: each.spec.nodeName for each in found} == placed(World([*CLUSTER, *COMING]))


def test_a_pod_that_others_help_is_tried_again():
    """One that wants to be beside a pod that comes after it; as the queue wakes it."""
    beside = PodAffinityTerm(
        topologyKey="kubernetes.io/hostname", labelSelector=LabelSelector(matchLabels={"app": "db"})
    )
    wants = pod(
        "a",
        affinity=Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[beside])),
    )
    found = placed(World([*CLUSTER, wants, pod("b", labels={"app": "db"})]))
    assert found["a"] == found["b"] != ""


def test_what_waits_comes_by_priority_then_age_then_order():
    """As in the scheduler's queue; pods of files have no age."""
    old, older = (
        pod(name, meta_fields={"creationTimestamp": f"2026-01-0{day}T00:00:00Z"})
        for name, day in (("old", 2), ("older", 1))
    )
    world = World([node(), pod("new"), old, older, pod("newest"), changed(pod("first"), spec__priority=5)])
    results = place(world, PROFILES, float).results
    decided = sorted((each for each in results if isinstance(each, Placed)), key=lambda each: each.order)
    assert [each.member.info.name for each in decided] == ["first", "older", "old", "new", "newest"]


def test_who_is_left_is_told_why():
    """In the scheduler's words, by the kind of reason."""
    gated = pod("gated", schedulingGates=[PodSchedulingGate(name="a/b")])
    world = World(
        [node(cpu="1"), pod("big", requests={"cpu": "2"}), gated, pod("other", schedulerName="mine")]
    )
    results = {each.member.info.name: each for each in place(world, PROFILES, float).results}
    assert {name: each.reason for name, each in results.items() if isinstance(each, Left)} == {
        "big": "Unschedulable",
        "gated": "SchedulingGated",
        "other": "OtherScheduler",
    }
    assert results["big"].message.startswith("0/1 nodes are available: 1 Insufficient cpu.")


def test_room_for_new_volumes_counts():
    """As in a cluster: by what drivers say of it."""
    source = PersistentVolumeClaimVolumeSource(claimName="data")
    user = pod("user", volumes=[Volume(name="data", persistentVolumeClaim=source)])
    there = [*CLUSTER, claim("data", "5Gi", storage_class="standard"), storage_class(), csi_driver()]
    host = "kubernetes.io/hostname"
    assert placed(World([*there, room("5Gi", {host: "node-3"}), user])) == {"user": "node-3"}
    [left] = place(World([*there, room("4Gi", {host: "node-3"}), user]), PROFILES, float).results
    assert isinstance(left, Left)
    assert left.message.startswith("0/3 nodes are available: 3 node(s) did not have enough free storage.")


def names(found: Outcome) -> dict[str, str]:
    return {
        each.member.info.name: each.decision.node if isinstance(each, Placed) else each.reason
        for each in found.results
    }


def important(name: str, **fields):
    return changed(pod(name, **fields), spec__priority=10)


def test_pods_of_lower_priority_make_room():
    """At once, as if they had ended; those that a budget protects only where there is no other way."""
    protects = PodDisruptionBudget(
        metadata=meta("cache", "default"),
        spec=PodDisruptionBudgetSpec(minAvailable=1, selector=LabelSelector(matchLabels={"app": "cache"})),
    )
    old = [
        pod("cache", node="node-1", labels={"app": "cache"}, requests={"cpu": "2"}),
        pod("batch", node="node-2", requests={"cpu": "2"}),
    ]
    cluster = [node("node-1", cpu="2"), node("node-2", cpu="2")]
    found = place(World([*cluster, *old, protects, important("new", requests={"cpu": "1"})]), PROFILES, float)
    assert names(found) == {"new": "node-2"}
    assert [(each.pod.name, each.pod.node, each.by.name) for each in found.evicted] == [
        ("batch", "node-2", "new")
    ]


def test_a_pod_that_was_placed_may_have_to_go_again():
    """It is left then, and told for whom."""
    beside = PodAffinityTerm(
        topologyKey="kubernetes.io/hostname", labelSelector=LabelSelector(matchLabels={"app": "db"})
    )
    wants = Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[beside]))
    coming = [
        important("high", affinity=wants, requests={"cpu": "1500m"}),
        important("db", labels={"app": "db"}, requests={"cpu": "200m"}),
        pod("low", requests={"cpu": "1500m"}),
    ]
    found = place(World([node("node-1", cpu="2"), *coming]), PROFILES, float)
    assert names(found) == {"high": "node-1", "db": "node-1", "low": "Preempted"}
    [low] = [each for each in found.results if isinstance(each, Left)]
    assert low.message == "default/high took its place on node-1"


def test_a_node_that_is_kept_for_a_pod_is_kept():
    """By its status, from others of no higher priority."""
    kept = changed(important("kept", requests={"cpu": "1"}), status__nominatedNodeName="node-1")
    found = place(World([node("node-1", cpu="1"), pod("late", requests={"cpu": "1"}), kept]), PROFILES, float)
    assert names(found) == {"late": "Unschedulable", "kept": "node-1"}


def test_what_was_placed_can_be_undone():
    """Then there is as much room as before."""
    world = World([node(cpu="2"), pod("web", requests={"cpu": "2"})])
    placing = Placing(world, PROFILES, float)
    for _ in range(3):
        [result] = placing.run(world.waiting()).values()
        assert isinstance(result, Placed)
        placing.undo(result)
    assert world.snapshot.node("node-1").cpu == 0


def ask(*objects, **fields) -> Answer:
    return answer(Question([msgspec.Raw(encode(each)) for each in objects], **fields))


def test_the_same_seed_has_the_same_answer():
    """Another one may choose otherwise among nodes that are alike."""
    alike = [node(f"node-{number}") for number in range(20)]
    answers = [ask(*alike, *COMING, seed=seed) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]


def test_what_ran_before_is_counted():
    """Of its node, before and after; kinds that decisions do not look at are passed over."""
    found = ask(
        {"apiVersion": "v1", "kind": "Secret"},
        node(cpu="4"),
        pod("old", node="node-1", requests={"cpu": "1"}),
        pod("new", requests={"cpu": "2"}),
    )
    [before], [after] = found.before, found.after
    assert (before.requested["cpu"], after.requested["cpu"], after.allocatable["cpu"]) == (1000, 3000, 4000)
    assert [(each.number, each.name) for each in found.running] == [(2, "old")]
    assert [(each.number, each.node, each.requests["cpu"]) for each in found.placements] == [
        (3, "node-1", 2000)
    ]


def test_objects_that_cannot_be_read_are_named():
    """All of them, by their places; nothing is decided then."""
    found = ask(
        node(), {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": 5}}, pod(requests={"cpu": "lots"})
    )
    assert [each.number for each in found.refused] == [1, 2]
    assert "$.metadata.labels" in found.refused[0].message
    assert found.refused[1].message.startswith("quantities must match")
    assert not found.placements


def test_null_is_absent():
    """As in the API."""
    found = ask(
        node(),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "labels": None},
            "spec": {"containers": [{"name": "c"}], "affinity": None},
        },
    )
    assert [each.node for each in found.placements] == ["node-1"]
