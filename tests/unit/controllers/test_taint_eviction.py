"""Eviction by taint: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/."""

import pytest

from controllers.core.actions import Delete, RecordEvent
from controllers.core.caches import Caches
from controllers.taint_eviction.ages import TaintAges
from controllers.taint_eviction.controller import Reader
from controllers.taint_eviction.plan import Seen, plan
from machinery.model.k8s.core_v1 import Taint
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import at, moment, of_type, status_of

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"


def node(*taints):
    return builders.node(taints=taints)


def taint(key=UNREACHABLE, added=0.0, **fields):
    return Taint(key=key, effect="NoExecute", timeAdded=at(added), **fields)


def pod(seconds=None, key=UNREACHABLE, name="web", **fields):
    return builders.pod(
        name,
        node="node-1",
        tolerations=[builders.toleration(key, "NoExecute", tolerationSeconds=seconds)],
        **fields,
    )


def plan_for(tainted, *pods, later_s=0.0, ages=None):
    ages = ages or TaintAges()
    return plan(Seen(tainted, pods, ages.look(tainted, moment(later_s))), moment(later_s))


def evicted(made):
    return [write.name for write in of_type(made, Delete)]


def test_a_pod_without_toleration_goes_at_once():
    """With an event and the condition that says why."""
    intolerant = builders.pod("web", node="node-1")
    made = plan_for(node(taint()), intolerant)
    assert evicted(made) == ["web"]
    [event] = [action for action in made.actions if isinstance(action, RecordEvent)]
    assert (event.reason, event.message) == ("TaintManagerEviction", "Marking for deletion Pod default/web")
    [condition] = status_of(made)["conditions"]
    assert (condition["type"], condition["reason"]) == ("DisruptionTarget", "DeletionByTaintManager")


def test_a_pod_goes_when_its_patience_ends():
    """The plan says when; a NoSchedule taint is no reason."""
    ages = TaintAges()
    tainted = node(taint(), builders.taint("other"))
    early = plan_for(tainted, pod(300), ages=ages)
    assert evicted(early) == []
    assert early.requeue_after_s == pytest.approx(300)
    assert evicted(plan_for(tainted, pod(300), later_s=299.9, ages=ages)) == []
    assert evicted(plan_for(tainted, pod(300), later_s=300, ages=ages)) == ["web"]


def test_a_toleration_without_seconds_is_for_ever():
    """As a DaemonSet's pods have it."""
    made = plan_for(node(taint()), pod(None), later_s=1e6)
    assert evicted(made) == []
    assert made.requeue_after_s is None


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_patience_is_none(seconds):
    """Zero and below: at once."""
    assert evicted(plan_for(node(taint()), pod(seconds))) == ["web"]


def test_the_least_patience_counts():
    """Of all taints, and of all tolerations that match one."""
    both = changed(
        pod(),
        spec__tolerations=[
            builders.toleration(UNREACHABLE, "NoExecute", tolerationSeconds=60),
            builders.toleration("", "", tolerationSeconds=20),
        ],
    )
    made = plan_for(node(taint(), taint("other")), both)
    assert made.requeue_after_s == pytest.approx(20)


def test_one_taint_that_is_not_tolerated_is_enough():
    """However patient the pod is with the others."""
    assert evicted(plan_for(node(taint(), taint("other")), pod(300))) == ["web"]


def test_the_timer_survives_a_restart():
    """A new process takes timeAdded, a second late rather than early: it is rounded down."""
    tainted = node(taint(added=-100))
    made = plan_for(tainted, pod(300))
    assert made.requeue_after_s == pytest.approx(201)


def test_a_taint_in_the_future_counts_from_when_it_was_seen():
    """Another clock wrote it."""
    assert plan_for(node(taint(added=5000)), pod(300)).requeue_after_s == pytest.approx(300)


def test_going_from_not_ready_to_unreachable_does_not_start_the_timer_anew():
    """The pods have waited already."""
    ages = TaintAges()
    patient = changed(
        pod(),
        spec__tolerations=[
            builders.toleration(key, "NoExecute", tolerationSeconds=300) for key in (NOT_READY, UNREACHABLE)
        ],
    )
    plan_for(node(taint(NOT_READY)), patient, ages=ages)
    later = plan_for(node(taint(UNREACHABLE, added=100)), patient, later_s=100, ages=ages)
    assert later.requeue_after_s == pytest.approx(200)


def test_a_taint_that_went_and_came_starts_anew():
    """The node was well in between."""
    ages = TaintAges()
    plan_for(node(taint()), pod(300), ages=ages)
    assert plan_for(node(), pod(300), later_s=10, ages=ages).requeue_after_s is None
    again = plan_for(node(taint(added=20)), pod(300), later_s=20, ages=ages)
    assert again.requeue_after_s == pytest.approx(300)


def test_a_pod_that_is_going_already_is_left_alone():
    """Its deletion is not asked for twice."""
    going = builders.pod("web", node="node-1", meta_fields={"deletionTimestamp": at(0)})
    assert plan_for(node(taint()), going).actions == ()


def test_a_deletion_that_is_called_off_is_said_to_be():
    """Where the taint goes, or the pod comes to tolerate it for ever; not where it is being deleted anyway."""
    reader = Reader(Caches())
    key = ("", "node-1")
    reader.nodes.store.put(node(taint()))
    for name in ("calm", "hurried", "going", "patient"):
        reader.pods.store.put(pod(None if name == "patient" else 300, name=name))
    first = reader.look(key, moment())
    assert first.spared == []
    reader.pods.store.put(pod(None, name="calm"))
    reader.pods.store.put(pod(300, name="going", meta_fields={"deletionTimestamp": at(0)}))
    second = reader.look(key, moment())
    assert told(plan(second, moment())) == ["Cancelling deletion of Pod default/calm"]
    reader.nodes.store.put(node())
    third = reader.look(key, moment())
    assert told(plan(third, moment())) == ["Cancelling deletion of Pod default/hurried"]
    assert reader.look(key, moment()).spared == []


def told(made):
    return [action.message for action in made.actions if isinstance(action, RecordEvent)]
