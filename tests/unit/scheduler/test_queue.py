"""The queue: order, backoff, and who is woken by what."""

import pytest

from machinery.model.k8s.core_v1 import PodSchedulingGate
from machinery.model.k8s.meta_v1 import OwnerReference
from scheduler.core.cluster_events import ClusterEvent, node_events
from scheduler.core.pod import PodReader
from scheduler.core.queue import SchedulingQueue, Where
from scheduler.core.registry import helps
from tests.support.builders import changed, node, pod, taint

FIT = frozenset({"NodeResourcesFit"})
AFFINITY = frozenset({"NodeAffinity"})
READER = PodReader()
OTHER = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="other", uid="other", controller=True)


def info(name="web", **fields):
    return READER.read(pod(name, **fields))


def queue_of(*pods, now_s=0.0):
    queue = SchedulingQueue()
    for number, each in enumerate(pods):
        queue.put(each, now_s + number)
    return queue


def names(queue, now_s):
    found = []
    while (item := queue.pop(now_s)) is not None:
        found.append(item.pod.name)
    return found


def test_pods_come_by_priority_then_by_age():
    """The most important first, the oldest of equals first."""
    queue = queue_of(info("old"), info("new"), info("urgent", priority=5))
    assert names(queue, 10.0) == ["urgent", "old", "new"]


def test_a_pod_in_flight_does_not_come_twice():
    """Whatever is told about it meanwhile."""
    queue = queue_of(info())
    assert queue.pop(1.0) is not None
    queue.put(info(), 2.0)
    assert queue.pop(3.0) is None


def test_an_unschedulable_pod_waits_for_an_event_that_helps():
    """Others do not wake it."""
    queue = queue_of(info())
    queue.set_unschedulable(queue.pop(0.0), FIT)
    queue.happened(ClusterEvent.NODE_LABELS, 20.0)
    assert queue.pop(20.0) is None
    queue.happened(ClusterEvent.POD_GONE, 20.0)
    assert names(queue, 20.0) == ["web"]


def test_backoff_doubles_from_one_to_ten_seconds_and_counts_from_the_attempt():
    """An event within it wakes the pod at its end."""
    queue = queue_of(info())
    now_s, waits = 100.0, []
    for _ in range(6):
        item = queue.pop(now_s)
        queue.set_unschedulable(item, FIT)
        queue.happened(ClusterEvent.POD_GONE, now_s + 0.5)
        assert queue.pop(now_s + 0.9) is None
        waits.append(queue.next_due_s() - now_s)
        now_s = queue.next_due_s()
    assert waits == [1, 2, 4, 8, 10, 10]


def test_an_event_after_the_backoff_wakes_at_once():
    """The time has passed already."""
    queue = queue_of(info())
    queue.set_unschedulable(queue.pop(0.0), FIT)
    queue.happened(ClusterEvent.NODE_ADDED, 1.0)
    assert queue.where("uid-default-web") is Where.ACTIVE


def test_a_failed_binding_backs_off():
    """No event is needed."""
    queue = queue_of(info())
    queue.set_failed(queue.pop(5.0))
    assert queue.pop(5.9) is None
    assert names(queue, 6.0) == ["web"]


def test_after_five_minutes_an_unschedulable_pod_is_tried_anyway():
    """In case an event was missed."""
    queue = queue_of(info())
    queue.set_unschedulable(queue.pop(7.0), AFFINITY)
    assert queue.next_due_s() == 307.0
    assert queue.pop(306.9) is None
    assert names(queue, 307.0) == ["web"]


def test_a_gated_pod_waits_for_its_own_update():
    """No event opens a gate."""
    gated = info(schedulingGates=[PodSchedulingGate(name="quota")])
    queue = queue_of(gated)
    queue.happened(ClusterEvent.NODE_ADDED, 1.0)
    assert queue.pop(1000.0) is None
    assert queue.where(gated.uid) is Where.GATED
    queue.put(info(), 1001.0)
    assert names(queue, 1001.0) == ["web"]


def test_an_update_wakes_only_if_it_matters():
    """The scheduler's own condition on the pod does not."""
    queue = queue_of(info())
    queue.set_unschedulable(queue.pop(0.0), AFFINITY)
    queue.put(READER.read(changed(pod(), status__phase="Pending", metadata__resourceVersion="9")), 30.0)
    assert queue.where("uid-default-web") is Where.UNSCHEDULABLE
    queue.put(info(labels={"app": "web"}), 30.0)
    assert names(queue, 30.0) == ["web"]


def test_a_pod_that_is_gone_does_not_come():
    """Neither from the heap nor when its attempt ends."""
    queue = queue_of(info("a"), info("b"))
    queue.remove("uid-default-a")
    item = queue.pop(10.0)
    assert item.pod.name == "b"
    queue.remove("uid-default-b")
    queue.set_unschedulable(item, FIT)
    queue.set_failed(item)
    assert len(queue) == 0
    assert queue.next_due_s() is None


def test_a_pod_that_came_again_is_another_one():
    """The attempt at the old one says nothing about it."""
    queue = queue_of(info())
    item = queue.pop(0.0)
    queue.remove(item.pod.uid)
    queue.put(info(), 1.0)
    queue.set_unschedulable(item, FIT)
    assert names(queue, 1.0) == ["web"]


@pytest.mark.parametrize(
    ("plugin", "events"),
    [
        ("NodeResourcesFit", {"NODE_ADDED", "NODE_ALLOCATABLE", "POD_GONE"}),
        ("NodeAffinity", {"NODE_ADDED", "NODE_LABELS"}),
        ("TaintToleration", {"NODE_ADDED", "NODE_TAINTS"}),
        ("NodePorts", {"NODE_ADDED", "POD_GONE"}),
        ("NoNodes", {"NODE_ADDED"}),
    ],
)
def test_hints(plugin, events):
    """What helps against each plugin's rejection, and nothing else."""
    assert {event.name for event in ClusterEvent if helps(event, frozenset({plugin}))} == events


def test_a_heartbeat_of_a_node_is_no_event():
    """What scheduling looks at is."""
    plain = node()
    assert node_events(plain, changed(plain, metadata__resourceVersion="2", status__phase="x")) == []
    assert node_events(None, plain) == [ClusterEvent.NODE_ADDED]
    assert node_events(plain, None) == [ClusterEvent.NODE_REMOVED]
    assert node_events(plain, node(taints=[taint("gpu")])) == [ClusterEvent.NODE_TAINTS]
    assert node_events(plain, node(unschedulable=True)) == [ClusterEvent.NODE_TAINTS]
    assert node_events(plain, node(labels={"a": "b"})) == [ClusterEvent.NODE_LABELS]
    assert node_events(plain, node(cpu="8")) == [ClusterEvent.NODE_ALLOCATABLE]


def test_of_pods_of_one_kind_one_is_asked_about_where_that_holds_for_all_of_them():
    """An event costs by kind, and wakes all pods of the kinds that it concerns."""
    queue, asked = SchedulingQueue(), []
    for number in range(20):
        queue.put(info(f"web-{number}", labels={"app": "web"}), 0.0)
        queue.put(info(f"db-{number}", labels={"app": "db"}), 0.0)
    while (item := queue.pop(0.0)) is not None:
        queue.set_unschedulable(item, FIT)

    def concerns(pod):
        asked.append(pod.name)
        return pod.labels.labels["app"] == "db"

    queue.happened(ClusterEvent.POD_GONE, 100.0, concerns, of_kinds=True)
    assert len(asked) == 2
    assert names(queue, 100.0) == [f"db-{number}" for number in range(20)]


def test_a_pod_that_comes_to_be_of_another_kind_while_it_waits_is_tried_again():
    """It has another owner: what it is spread among may be others."""
    queue = SchedulingQueue()
    queue.put(info("web"), 0.0)
    queue.set_unschedulable(queue.pop(0.0), FIT)
    queue.put(info("web", owners=[OTHER]), 100.0)
    assert names(queue, 100.0) == ["web"]
