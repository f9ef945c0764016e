"""A plugin of somebody's own is asked at every point, and its verdicts are kept and renewed as everybody's."""

from dataclasses import replace

import pytest

from scheduler.core.evaluations import Evaluations
from scheduler.core.framework import Filter, Plugin, Remedy, Score, Sees
from scheduler.core.normalize import more_is_better
from scheduler.core.profile import profile_of
from scheduler.core.registry import DEFAULT, PLUGINS
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.schedule import Bind, Unschedulable, schedule
from tests.support.builders import changed, node, pod
from tests.support.scheduler import Decider

FULL = Rejection("Crowds", ("node(s) were crowded",), resolvable=True)


class Crowds(Plugin):
    """Lets at most `label most` pods on a node, and prefers those with most; `label first` names a node that it wants."""

    name = "Crowds"
    weight = 7

    def asks_each(self, needs):
        del needs
        return True

    def need(self, pod, snapshot):
        del snapshot
        labels = pod.labels.labels
        return (
            Stopped(self.name, "it is not wanted")
            if "unwanted" in labels
            else int(labels.get("most", "0")) or None
        )

    def filter(self, need, snapshot):
        del snapshot
        return Filter(lambda each: FULL if each.pod_count >= need else None)

    def score(self, need, snapshot):
        del need, snapshot
        return Score(lambda each: each.pod_count, Sees.PODS, more_is_better)

    def remedy(self, pod, verdicts, snapshot):
        del snapshot
        return Remedy("grow", (pod.name, sum(verdicts.rejections().values())))

    def reserve(self, pod, need, node, snapshot):
        del snapshot
        return pod.name, need, node.name


class Weighs(Plugin):
    """Likes the nodes with a label, which no pod changes."""

    name = "Weighs"

    def need(self, pod, snapshot):
        del pod, snapshot
        return "liked"

    def score(self, need, snapshot):
        del snapshot
        return Score(lambda each: int(each.labels.get(need, "0")), Sees.NODE)


def world_of(*plugins, **changes):
    world = Decider(node("node-1"), node("node-2"), node("node-3"))
    world.evaluations = Evaluations(world.snapshot, replace(profile_of("mine", plugins), **changes))
    return world


def crowd(name="crowd", most="2", **labels):
    return pod(name, labels={"most": most, **labels})


def test_a_filter_and_a_score_follow_the_pods_of_a_node():
    """The fullest that is not full yet, each time."""
    world = world_of(Crowds())
    world.run(pod("there", node="node-2"))
    assert world.place(crowd("a")) == ["node-2"]
    [second] = world.place(crowd("b"))
    assert second != "node-2"
    assert world.place(crowd("c")) == [second]
    world.snapshot.remove_pod("uid-default-there")
    assert world.place(crowd("d")) == ["node-2"]


def test_what_a_plugin_says_of_a_pod_that_fits_nowhere_is_told_and_handed_on():
    """Its reason, its message, and what it wants done."""
    world = world_of(Crowds())
    world.run(*(pod(f"p-{number}", node=f"node-{number}") for number in (1, 2, 3)))
    decision = world.decide(crowd(most="1"))
    assert isinstance(decision, Unschedulable)
    assert decision.message == "0/3 nodes are available: 3 node(s) were crowded. grow"
    assert decision.plugins == {"Crowds"}
    assert [(plugin.name, what) for plugin, what in decision.actions] == [("Crowds", ("crowd", 3))]


def test_a_plugin_may_keep_a_pod_from_every_node():
    """No node is looked at then."""
    decision = world_of(Crowds()).decide(crowd(unwanted="yes"))
    assert isinstance(decision, Unschedulable)
    assert decision.message.startswith("0/3 nodes are available: it is not wanted. ")
    assert decision.plugins == {"Crowds"}


def test_what_is_reserved_comes_with_the_decision():
    """Under the plugin that wants to have it written; one that says nothing of a pod reserves nothing."""
    world = world_of(Crowds())
    decision = world.decide(crowd())
    assert isinstance(decision, Bind)
    assert [(each.plugin.name, each.what) for each in decision.reserved] == [
        ("Crowds", ("crowd", 2, decision.node))
    ]
    other = world.decide(pod())
    assert isinstance(other, Bind)
    assert not other.reserved


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [
        ({"Crowds": 7, "Weighs": 1}, "node-1"),
        ({"Crowds": 1, "Weighs": 7}, "node-2"),
        ({"Weighs": 1}, "node-2"),
    ],
)
def test_weights_are_the_profiles(weights, chosen):
    """A plugin without one does not score."""
    world = world_of(Crowds(), Weighs(), weights=weights)
    world.run(pod("there", node="node-1"))
    world.snapshot.set_node(node("node-2", labels={"liked": "60"}))
    decision = world.decide(crowd())
    assert isinstance(decision, Bind)
    assert decision.node == chosen


def test_a_plugin_that_does_not_filter_only_scores():
    """The profile says at which points it is."""
    world = world_of(Crowds(), filters=frozenset())
    world.run(pod("there", node="node-1"))
    assert world.place(crowd(most="1")) == ["node-1"]


def test_templates_of_which_the_plugins_know_the_same_share_their_verdicts():
    """What no plugin looks at does not tell pods apart."""
    world = Decider(node())
    first = world.evaluations.of(world.reader.read(pod("a", requests={"cpu": "1"})))
    named = changed(pod("b", requests={"cpu": "1"}), spec__preemptionPolicy="Never")
    assert world.evaluations.of(world.reader.read(named)) is first
    assert world.evaluations.of(world.reader.read(pod("c", requests={"cpu": "2"}))) is not first


def test_the_default_profile_has_every_plugin():
    """In the order of the registry, each with a name of its own."""
    assert DEFAULT.plugins == PLUGINS
    assert len({each.name for each in PLUGINS}) == len(PLUGINS)


def test_a_tie_is_broken_by_a_number_from_zero_to_one():
    """Another one is a mistake of the caller."""
    world = Decider(node())
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        schedule(world.reader.read(pod()), world.snapshot, world.evaluations, tie_break=1.0)
