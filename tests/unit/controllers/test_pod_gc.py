"""Pod garbage collection: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection."""

import pytest

from controllers.core.actions import Delete, Facts, Patch
from controllers.pod_gc.plan import PERIOD_S, Seen, plan, quarantine
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import NOW_S, at, moment, of_type, status_of

NODES = {"node-1": builders.node("node-1")}


def plan_for(*pods, missing=None, nodes=NODES, live=None, threshold=100):
    missing = {name: NOW_S - age_s for name, age_s in (missing or {}).items()}
    seen = Seen(pods, nodes, missing, threshold, PERIOD_S)
    first = plan(seen, moment())
    facts = Facts(objects=dict.fromkeys(first.needs, live))
    return plan(seen, moment(), facts) if first.needs else first


def deleted(made):
    return [write.name for write in of_type(made, Delete)]


def test_a_missing_node_is_in_quarantine_first():
    """It may be back, or only our cache may not know it yet."""
    lost = builders.pod("lost", node="gone")
    known = quarantine({}, ["gone", "node-1"], NODES, 5.0)
    assert known == {"gone": 5.0}
    assert quarantine(known, ["gone"], NODES, 9.0) == {"gone": 5.0}
    assert quarantine(known, ["gone"], {**NODES, "gone": builders.node("gone")}, 9.0) == {}
    made = plan_for(lost, missing={"gone": 30})
    assert deleted(made) == []
    assert made.requeue_after_s == pytest.approx(10)


def test_pods_of_a_node_that_is_gone_are_ended_and_deleted():
    """Failed, with the condition that says why, and at once: nobody will end them gracefully."""
    made = plan_for(builders.pod("lost", node="gone", phase="Running"), missing={"gone": 40})
    [delete] = of_type(made, Delete)
    assert (delete.name, delete.grace_period_s) == ("lost", 0)
    status = status_of(made)
    assert status["phase"] == "Failed"
    assert status["conditions"][0]["message"] == "PodGC: node no longer exists"
    assert made.requeue_after_s == PERIOD_S


def test_a_node_that_is_there_after_all_keeps_its_pods():
    """The apiserver is asked before anything is deleted."""
    made = plan_for(builders.pod("lost", node="gone"), missing={"gone": 40}, live=builders.node().metadata)
    assert deleted(made) == []


def test_a_pod_that_goes_without_ever_having_had_a_node_is_gone():
    """No kubelet will confirm it."""
    going = builders.pod("going", meta_fields={"deletionTimestamp": at(0)})
    assert deleted(plan_for(going, builders.pod("waiting"))) == ["going"]


def test_a_pod_that_goes_on_a_node_out_of_service_is_gone():
    """Only where the node is not Ready, as an administrator has said."""
    out = builders.node("node-1", ready=None, taints=[builders.taint("node.kubernetes.io/out-of-service")])
    going = builders.pod("going", node="node-1", meta_fields={"deletionTimestamp": at(0)})
    assert deleted(plan_for(going, nodes={"node-1": out})) == ["going"]
    assert deleted(plan_for(going)) == []


def test_ended_pods_beyond_the_threshold_go():
    """Evicted ones first, then the oldest."""
    pods = [
        changed(
            builders.pod(f"pod-{age}", node="node-1", phase="Succeeded"), metadata__creationTimestamp=at(-age)
        )
        for age in (10, 30, 20)
    ]
    evicted = changed(builders.pod("evicted", node="node-1", phase="Failed"), status__reason="Evicted")
    evicted = changed(evicted, metadata__creationTimestamp=at(0))
    running = builders.pod("running", node="node-1", phase="Running")
    assert deleted(plan_for(*pods, evicted, running, threshold=2)) == ["evicted", "pod-30"]
    assert deleted(plan_for(*pods, evicted, running, threshold=0)) == []


def test_whatever_is_ended_by_force_has_failed():
    """Nobody lives who would say how it ended; what has ended keeps how it did."""
    out = builders.node("out", ready=False, taints=[builders.taint("node.kubernetes.io/out-of-service")])
    going = {"deletionTimestamp": at(0)}
    stranded = builders.pod("stranded", node="out", phase="Running", meta_fields=going)
    unassigned = builders.pod("unassigned", phase="Pending", meta_fields=going)
    done = builders.pod("done", node="out", phase="Succeeded", meta_fields=going)
    made = plan_for(stranded, unassigned, done, nodes={"out": out})
    assert sorted(deleted(made)) == ["done", "stranded", "unassigned"]
    ended = {write.name: write.patch["status"] for write in of_type(made, Patch)}
    assert ended == {"stranded": {"phase": "Failed"}, "unassigned": {"phase": "Failed"}}
