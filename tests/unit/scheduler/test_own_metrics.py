"""What the scheduler tells on /metrics and /metrics/resources, by kube-scheduler's names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.model.k8s.core_v1 import Pod, ResourceRequirements
from machinery.model.resources import NODES, PODS
from machinery.process.metrics import Metrics
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.pod import PodReader
from scheduler.core.pod_resources import resource_metrics
from scheduler.core.queue import SchedulingQueue, Where
from scheduler.own_metrics import PodResources, SchedulerMetrics
from tests.support.builders import changed, container, node, pod
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

OURS = 'profile="default-scheduler"'


@pytest.fixture
async def world() -> AsyncIterator[SchedulerWorld]:
    """A scheduler beside a registry in memory, in virtual time."""
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield SchedulerWorld(clock, server)


async def test_attempts_and_what_they_took(world: SchedulerWorld) -> None:
    """One that fails, until the node has a label, and another that succeeds."""
    await world.server.given(NODES, node())
    await world.server.given(PODS, pod("web", nodeSelector={"disk": "fast"}))
    async with world.scheduling():
        await world.clock.advance(1)
        assert 'scheduler_pending_pods{queue="unschedulable"} 1' in world.metrics.render()
        await world.clock.advance(30)
        await world.user.patch(NODES, "node-1", {"metadata": {"labels": {"disk": "fast"}}})
        await world.clock.advance(1)
        assert await world.node_of() == "node-1"
        lines = world.metrics.render().splitlines()
    assert {
        f'scheduler_schedule_attempts_total{{{OURS},result="unschedulable"}} 1',
        f'scheduler_schedule_attempts_total{{{OURS},result="scheduled"}} 1',
        f'scheduler_scheduling_attempt_duration_seconds_count{{{OURS},result="scheduled"}} 1',
        'scheduler_pod_scheduling_attempts_bucket{le="1"} 0',
        'scheduler_pod_scheduling_attempts_bucket{le="2"} 1',
        'scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="2",le="20.48"} 0',
        'scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="2",le="40.96"} 1',
        f'scheduler_framework_extension_point_duration_seconds_count{{extension_point="Bind",status="Success",{OURS}}} 1',
        'scheduler_queue_incoming_pods_total{event="UnscheduledPodAdd",queue="active"} 1',
        'scheduler_queue_incoming_pods_total{event="ScheduleAttemptFailure",queue="unschedulable"} 1',
        'scheduler_queue_incoming_pods_total{event="NodeUpdateNodeLabel",queue="active"} 1',
        'scheduler_pending_pods{queue="unschedulable"} 0',
    } <= set(lines)


def test_one_decision_of_ten_is_looked_at() -> None:
    """A mark of the others notes nothing."""
    metrics = Metrics()
    numbers = SchedulerMetrics(metrics, SchedulingQueue(), VirtualClock())
    for _ in range(30):
        numbers.sampled("mine")("Filter", "Success")
    name = "scheduler_framework_extension_point_duration_seconds_count"
    assert f'{name}{{extension_point="Filter",status="Success",profile="mine"}} 3' in metrics.render()


def test_what_brings_pods_into_the_queue() -> None:
    """By where they come to: a backoff that is not over, and one that ends."""
    queue, web = SchedulingQueue(), PodReader().read(pod())
    queue.put(web, 0.0)
    item = queue.pop(0.0)
    assert item is not None
    queue.set_unschedulable(item, frozenset({"NodeResourcesFit"}))
    queue.happened(ClusterEvent.POD_GONE, 0.5)
    again = queue.pop(1.0)
    assert again is item
    assert (item.first_tried_s, item.tried_s) == (0.0, 1.0)
    queue.set_failed(item)
    assert queue.incoming() == {
        Where.GATED: {},
        Where.ACTIVE: {"UnscheduledPodAdd": 1, "BackoffComplete": 1},
        Where.BACKOFF: {"AssignedPodDelete": 1, "ScheduleAttemptFailure": 1},
        Where.UNSCHEDULABLE: {"ScheduleAttemptFailure": 1},
    }


def _asking(name: str, **fields: Any) -> Pod:
    amounts = ResourceRequirements(
        requests={"cpu": "500m", "memory": "1Ki", "hugepages-2Mi": "2Mi", "example.com/card": "1"},
        limits={"cpu": "2"},
    )
    return changed(
        pod(name, schedulerName="default-scheduler", **fields),
        spec__containers=[container(), changed(container("b"), resources=amounts)],
    )


def test_what_pods_request_and_are_limited_to() -> None:
    """Of those that have not ended; whoever is on no node yet has an empty label."""
    ended = _asking("ended", phase="Succeeded")
    text = resource_metrics([_asking("web", node="n", priority=7), _asking("new"), ended])
    place = 'namespace="default",node="n",pod="web",priority="7"'
    new = place.replace('"n"', '""').replace("web", "new").replace('"7"', '""')
    ours = 'scheduler="default-scheduler"'
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        f'kube_pod_resource_limit{{{place},resource="cpu",{ours},unit="cores"}} 2.0',
        f'kube_pod_resource_limit{{{new},resource="cpu",{ours},unit="cores"}} 2.0',
        *(
            line
            for where in (place, new)
            for line in (
                f'kube_pod_resource_request{{{where},resource="cpu",{ours},unit="cores"}} 0.5',
                f'kube_pod_resource_request{{{where},resource="memory",{ours},unit="bytes"}} 1024',
                f'kube_pod_resource_request{{{where},resource="example.com/card",{ours},unit="integer"}} 1',
                f'kube_pod_resource_request{{{where},resource="hugepages-2Mi",{ours},unit="bytes"}} 2097152',
            )
        ),
    ]


def test_the_page_of_pods_is_only_read() -> None:
    """It has a path of its own on the control socket."""
    page = PodResources(list)
    assert page.answer("GET", "/metrics/resources", b"").status == 200
    assert page.answer("PUT", "/metrics/resources", b"").status == 405
