"""How many more fit, and which nodes could go; the world that was asked about is as before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.meta_v1 import LabelSelector, OwnerReference
from machinery.model.k8s.policy_v1 import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from scheduler.core.registry import DEFAULT
from scheduler.core.simulation.capacity import count_fitting
from scheduler.core.simulation.disruptions import disruptions_allowed
from scheduler.core.simulation.leaving import Leavings
from scheduler.core.simulation.placing import Left, place
from scheduler.core.simulation.using import use_of_nodes
from scheduler.core.simulation.world import World
from tests.support.builders import meta, node, pod
from tests.support.examples import examples

PROFILES = {DEFAULT.scheduler_name: DEFAULT}


def owned(name: str, where: str, kind: str = "ReplicaSet", **fields):
    owner = OwnerReference(apiVersion="apps/v1", kind=kind, name="web", uid="u", controller=True)
    return pod(name, node=where, owners=[owner], labels={"app": "web"}, **fields)


def budget(**fields) -> PodDisruptionBudget:
    status = PodDisruptionBudgetStatus(disruptionsAllowed=fields.pop("allowed", None))
    spec = PodDisruptionBudgetSpec(selector=LabelSelector(matchLabels={"app": "web"}), **fields)
    return PodDisruptionBudget(metadata=meta("web", "default"), spec=spec, status=status)


def leavings(*objects):
    world = World(objects)
    before = use_of_nodes(world.snapshot)
    found = {each.node: each for each in Leavings(world, PROFILES, float).each_alone()}
    assert sorted(use_of_nodes(world.snapshot), key=lambda each: each.name) == sorted(
        before, key=lambda each: each.name
    )
    return found


@given(
    st.lists(st.sampled_from(["1", "1500m", "2", "4"]), min_size=1, max_size=4),
    st.sampled_from(["300m", "700m", "1"]),
    st.integers(0, 2),
)
@examples(60)
def test_as_many_fit_as_are_placed_one_by_one(cpus, asked, running):
    """No more and no fewer; the reason is what the next one is told."""
    cluster = [node(f"node-{number}", cpu=cpu) for number, cpu in enumerate(cpus)]
    old = [pod(f"old-{number}", node="node-0", requests={"cpu": "200m"}) for number in range(running)]
    world = World([*cluster, *old, pod("new", requests={"cpu": asked})])
    before = use_of_nodes(world.snapshot)
    found = count_fitting(world.waiting()[0], world, PROFILES, float, most=100)
    assert use_of_nodes(world.snapshot) == before
    replicas = [pod(f"new-{number}", requests={"cpu": asked}) for number in range(found.number + 1)]
    results = place(World([*cluster, *old, *replicas]), PROFILES, float).results
    assert [isinstance(each, Left) for each in results] == [False] * found.number + [True]
    assert found.left is not None
    assert found.left.message == results[-1].message
    assert found.nodes.total() == found.number


def test_counting_ends_where_it_is_told_to():
    """Then nobody says why there are not more."""
    world = World([node(), pod()])
    found = count_fitting(world.waiting()[0], world, PROFILES, float, most=3)
    assert (found.number, found.left) == (3, None)


def test_a_node_can_go_if_its_pods_fit_elsewhere():
    """A DaemonSet's go with it; which of the others is first is told by its load."""
    found = leavings(
        node("a", cpu="2"),
        node("b", cpu="1"),
        owned("big", "a", requests={"cpu": "1500m"}),
        owned("small", "b", requests={"cpu": "500m"}),
        owned("agent", "b", "DaemonSet", requests={"cpu": "400m"}),
    )
    assert {name: each.can_go for name, each in found.items()} == {"a": False, "b": True}
    assert [each.decision.node for each in found["b"].moved] == ["a"]
    [(member, why)] = found["a"].stuck
    assert member.info.name == "big"
    assert "Insufficient cpu" in why


def test_a_pod_that_nobody_makes_again_keeps_its_node():
    """As `kubectl drain` leaves it where it is."""
    found = leavings(node("a"), node("b"), pod(node="a"))
    assert [why for _, why in found["a"].stuck] == ["no controller would make it again"]
    assert found["b"].can_go


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"allowed": 0}, 0),
        ({"allowed": 1, "minAvailable": 9}, 1),
        ({"minAvailable": 2}, 0),
        ({"minAvailable": 1}, 1),
        ({"minAvailable": "50%"}, 1),
        ({"maxUnavailable": "10%"}, 1),
        ({"maxUnavailable": 0}, 0),
        ({}, 1),
    ],
)
def test_budgets_keep_nodes(fields, allowed):
    """By their status, or where a file has none, by their rule over two pods."""
    objects = [node("a"), node("b"), owned("one", "a"), owned("two", "a"), budget(**fields)]
    assert disruptions_allowed(objects[-1], [each.info for each in World(objects).running()]) == allowed
    assert leavings(*objects)["a"].can_go is bool(allowed)


def test_nodes_that_go_together_leave_room_for_all():
    """One after the other, each with the pods that those before have left behind."""
    cluster = [node(f"node-{number}", cpu="2") for number in range(4)]
    pods = [owned(f"web-{number}", f"node-{number}", requests={"cpu": "900m"}) for number in range(4)]
    found = Leavings(World([*cluster, *pods]), PROFILES, float)
    assert len(found.together()) == 2
