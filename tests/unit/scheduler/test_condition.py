"""The condition that a waiting pod gets."""

from machinery.model.k8s.core_v1 import PodCondition
from scheduler.core.condition import UNSCHEDULABLE, plan_condition
from tests.support.builders import pod

NOW = "2026-01-01T00:00:00Z"


def test_a_pod_learns_once_why_it_waits():
    """The same message is not written again."""
    condition = plan_condition(pod(), UNSCHEDULABLE, "0/1 nodes are available", now_text=NOW)
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert condition.lastTransitionTime == NOW
    assert (
        plan_condition(
            pod(conditions=[condition]), UNSCHEDULABLE, "0/1 nodes are available", now_text="later"
        )
        is None
    )


def test_a_new_message_keeps_the_time_of_the_transition():
    """The status has not changed."""
    old = PodCondition(
        type="PodScheduled", status="False", reason="Unschedulable", message="old", lastTransitionTime=NOW
    )
    condition = plan_condition(pod(conditions=[old]), UNSCHEDULABLE, "new", now_text="2026-01-02T00:00:00Z")
    assert (condition.message, condition.lastTransitionTime) == ("new", NOW)
