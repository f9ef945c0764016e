"""Who has to go for a pod of higher priority, and which node it gets: decisions without I/O."""

import pytest

from machinery.model.k8s.core_v1 import PodCondition
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.policy_v1 import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from scheduler.core import preemption
from scheduler.core.framework import Nomination
from scheduler.core.schedule import Bind, Unschedulable
from tests.support.builders import changed, meta, node, pod, taint
from tests.support.preemption_histories import Both
from tests.support.scheduler import Decider


def low(name, where="node-1", *, priority=0, cpu="1", start=None, **fields):
    return changed(
        pod(name, node=where, requests={"cpu": cpu}, priority=priority, **fields),
        status__startTime=start and f"2026-01-01T00:00:{start:02}Z",
    )


def high(name="high", *, cpu="2", priority=10, **fields):
    return pod(name, requests={"cpu": cpu}, priority=priority, **fields)


def budget(app, allowed, **going):
    return PodDisruptionBudget(
        metadata=meta(app, "default"),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(matchLabels={"app": app})),
        status=PodDisruptionBudgetStatus(disruptionsAllowed=allowed, disruptedPods=going),
    )


def nomination(world, asked, tie_break=0.0):
    decision = world.decide(asked, tie_break)
    assert isinstance(decision, Unschedulable), decision
    assert decision.nomination is not None, decision.message
    return decision.nomination


def victims(world, asked):
    return [each.name for each in nomination(world, asked).leaving]


def apply(world, asked):
    """Keep the node as the loop does; returns it."""
    found = nomination(world, asked)
    world.snapshot.nominate(world.reader.read(asked), found.node)
    for each in found.leaving:
        world.snapshot.note_leaving(each.uid)
    for each in found.displaced:
        world.snapshot.withdraw(each.uid)
    return found.node


def test_the_least_important_pods_that_are_enough_go():
    """Those that fit beside the pod stay, the higher their priority and the longer they run; the message says what is short now."""
    world = Decider(node(cpu="4"))
    world.run(
        low("young", start=9),
        low("old", start=1),
        low("mid", priority=5, start=9),
        low("not-yet"),
    )
    decision = world.decide(high())
    assert decision.message == "0/1 nodes are available: 1 Insufficient cpu."
    assert decision.nomination.node == "node-1"
    [(plugin, action)] = decision.actions
    assert (plugin.name, action.node) == ("DefaultPreemption", "node-1")
    assert [each.name for each in action.victims] == ["young", "not-yet"]


def test_nobody_of_equal_priority_goes():
    """It says so, of every node."""
    world = Decider(node(cpu="2"), node("node-2", taints=[taint("gpu")]))
    world.run(low("equal", priority=10))
    assert world.message(high()).endswith(
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


def test_a_pod_that_does_not_preempt_waits():
    """By its preemptionPolicy; others may have its place."""
    world = Decider(node(cpu="2"))
    world.run(low("there"))
    patient = high(preemptionPolicy="Never")
    decision = world.decide(patient)
    assert decision.message.endswith("preemption: not eligible due to preemptionPolicy=Never.")
    assert (decision.nomination, decision.actions) == (None, ())
    world.snapshot.remove_pod("uid-default-there")
    world.run(changed(patient, spec__nodeName="node-1"))
    assert victims(world, high("higher", priority=11)) == ["high"]


def test_what_does_not_help_is_said():
    """Where the pod would not fit even if all lower ones went."""
    world = Decider(node(cpu="4"))
    world.run(low("equal", priority=10, cpu="3"), low("lower"))
    assert world.message(high()).endswith("preemption: 0/1 nodes are available: 1 Insufficient cpu.")


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ([low("a", labels={"app": "kept"})], [low("b", "node-2", priority=9)], "node-2"),
        ([low("a", priority=5)], [low("b", "node-2", priority=4)], "node-2"),
        (
            [low("a", priority=5), low("a2", priority=5)],
            [low("b", "node-2", priority=5), low("b2", "node-2", priority=4)],
            "node-2",
        ),
        (
            [low("a", priority=-1, cpu="1"), low("a2", priority=-1)],
            [low("b", "node-2", priority=-1, cpu="2")],
            "node-2",
        ),
        ([low("a", start=5)], [low("b", "node-2", start=6)], "node-2"),
        ([low("a", start=5)], [low("b", "node-2")], "node-2"),
    ],
    ids=["budgets", "highest priority", "sum", "number", "start", "not started"],
)
def test_the_node_is_chosen_by_what_its_victims_cost(first, second, chosen):
    """In the documented order."""
    world = Decider(node(cpu="2"), node("node-2", cpu="2"))
    world.snapshot.set_budget(budget("kept", 0))
    world.run(*first, *second)
    assert nomination(world, high(), 0.0).node == chosen
    assert nomination(world, high(), 0.99).node == chosen


def test_a_tie_is_broken_by_the_random_number():
    """Nodes that cost the same."""
    world = Decider(*(node(f"node-{number}", cpu="1") for number in range(3)))
    world.run(*(low(f"low-{number}", f"node-{number}") for number in range(3)))
    found = {nomination(world, high(cpu="1"), draw).node for draw in (0.0, 0.4, 0.9)}
    assert found == {"node-0", "node-1", "node-2"}


def test_pods_whose_budget_does_not_allow_it_go_last():
    """And if there is no other way; a disruption that is counted already does not count again."""
    world = Decider(node(cpu="2"))
    world.run(low("kept", priority=-1, labels={"app": "kept"}), low("other", priority=5))
    world.snapshot.set_budget(budget("kept", 0))
    assert victims(world, high(cpu="1")) == ["other"]
    assert victims(world, high(cpu="2")) == ["other", "kept"]
    world.snapshot.set_budget(budget("kept", 1))
    assert victims(world, high(cpu="1")) == ["kept"]
    world.snapshot.set_budget(budget("kept", 0, kept="2026-01-01T00:00:00Z"))
    assert victims(world, high(cpu="1")) == ["kept"]
    world.snapshot.set_budget(budget("kept", 0))
    world.snapshot.remove_budget(budget("kept", 0))
    assert victims(world, high(cpu="1")) == ["kept"]


def test_a_pod_waits_while_its_victims_leave():
    """Whether the deletion is under way or done, until they are gone; then it gets the node that was kept."""
    world = Decider(node(cpu="2"), node("node-2", cpu="1"))
    world.run(low("a", cpu="2", priority=1), low("b", "node-2"))
    asked = high()
    assert apply(world, asked) == "node-1"
    waits = "preemption: not eligible due to a terminating pod on the nominated node."
    assert world.message(asked).endswith(waits)
    leaving = changed(
        low("a", cpu="2"),
        metadata__deletionTimestamp="2026-01-01T00:00:00Z",
        status__conditions=[
            PodCondition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler")
        ],
    )
    world.run(leaving)
    world.snapshot.note_staying("uid-default-a")
    assert world.message(asked).endswith(waits)
    world.snapshot.remove_pod("uid-default-a")
    assert world.decide(asked).node == "node-1"


def test_a_failed_deletion_lets_a_pod_preempt_again():
    """The victim stays, and may be chosen again."""
    world = Decider(node(cpu="2"))
    world.run(low("a", cpu="2"))
    apply(world, high())
    world.snapshot.note_staying("uid-default-a")
    assert victims(world, high()) == ["a"]


def test_pods_that_are_leaving_anyway_are_not_deleted_again():
    """The node is kept, and nothing is to be done."""
    world = Decider(node(cpu="2"))
    world.run(changed(low("a", cpu="2"), metadata__deletionTimestamp="2026-01-01T00:00:00Z"))
    decision = world.decide(high())
    assert (decision.nomination, decision.actions) == (Nomination("node-1"), ())


def test_a_node_that_is_kept_is_full_for_pods_of_lower_priority():
    """Of equal priority, too; one of higher priority may have the place, and the nomination goes."""
    world = Decider(node(cpu="2"))
    world.run(low("a", cpu="2"))
    apply(world, high("first"))
    world.snapshot.remove_pod("uid-default-a")
    small = pod("small", requests={"cpu": "1"})
    assert "1 Insufficient cpu" in world.message(small)
    assert "1 Insufficient cpu" in world.message(high("second"))
    urgent = world.decide(high("urgent", priority=11))
    assert isinstance(urgent, Bind)
    world.snapshot.withdraw("uid-default-first")
    assert isinstance(world.decide(small), Bind)


def test_nominated_pods_of_lower_priority_are_displaced():
    """Those of higher priority are left alone."""
    world = Decider(node(cpu="4"))
    world.run(low("a", cpu="4"))
    apply(world, high("one", cpu="2", priority=5))
    world.snapshot.nominate(world.reader.read(high("two", cpu="1", priority=20)), "node-1")
    found = nomination(world, high(cpu="3"))
    assert [each.name for each in found.displaced] == ["one"]
    assert world.message(high(cpu="4")).endswith("1 Insufficient cpu.")


def test_a_nomination_that_does_not_help_any_more_is_withdrawn():
    """The node has got a taint: no pod that goes helps."""
    world = Decider(node(cpu="2"))
    world.run(low("a", cpu="2"))
    apply(world, high())
    world.snapshot.set_node(node(cpu="2", taints=[taint("gpu")]))
    assert nomination(world, high()) == Nomination("")


def test_pods_that_were_decided_on_may_go():
    """Before the watch has confirmed them."""
    world = Decider(node(cpu="2"))
    assert world.place(pod("assumed", requests={"cpu": "2"})) == ["node-1"]
    assert victims(world, high()) == ["assumed"]


def test_candidates_that_change_all_the_time_are_kept_in_bounds():
    """What no node costs any more is dropped."""
    world = Decider(node(cpu="2"))
    for start in range(59):
        for round_ in range(5):
            world.run(low("a", cpu="2", priority=-round_, start=start))
            assert victims(world, high()) == ["a"]
    [evaluation] = world.evaluations._kinds.values()
    [candidates] = evaluation.memo.values()
    [group] = candidates._groups.values()
    assert len(group.findings._costs) < 100


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("importance", lambda pod: (pod.priority, pod.started_s, pod.uid)),
        ("importance", lambda pod: (-pod.priority, -pod.started_s, pod.uid)),
        ("_ABOVE_ZERO", 0),
    ],
)
def test_the_comparison_with_the_reference_notices_a_wrong_choice(monkeypatch, name, wrong):
    """Of victims by their priorities or their times, of a node by the sum; without the mistake it agrees."""
    agree()
    monkeypatch.setattr(preemption, name, wrong)
    with pytest.raises(AssertionError):
        agree()


def agree():
    both = Both()
    both.apply("node", node("node-1", cpu="4"))
    both.apply("node", node("node-2", cpu="4"))
    for each in (
        low("a", priority=-5, cpu="2", start=1),
        low("b", priority=-5, cpu="2", start=2),
        low("c", "node-2", priority=-5, cpu="2", start=3),
        low("d", "node-2", priority=-6, cpu="1", start=3),
        low("e", "node-2", priority=-6, cpu="1", start=3),
    ):
        both.apply("pod", each)
    both.check(high(cpu="2"), 0.0)
    both.check(high(cpu="4"), 0.0)
    both.apply("no node", "node-2")
    both.check(high(cpu="2"), 0.0)
