"""InterPodAffinity, rule by rule: who goes beside whom, who stays away, and which nodes are preferred."""

import pytest

from machinery.model.k8s.core_v1 import (
    Affinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    WeightedPodAffinityTerm,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from scheduler.core.evaluations import Evaluations
from scheduler.core.plugins.inter_pod_affinity import (
    ANTI_AFFINITY,
    NAME,
    NO_AFFINITY,
    REPELLED,
    InterPodAffinity,
)
from scheduler.core.profile import profile_of
from tests.support.builders import changed, node, pod
from tests.support.scheduler import Decider

HOST = "kubernetes.io/hostname"
WEB = {"app": "web"}
DB = {"app": "db"}
EVERY = LabelSelector()


def term(labels, key="zone", **fields):
    return PodAffinityTerm(topologyKey=key, labelSelector=LabelSelector(matchLabels=labels), **fields)


def beside(*terms):
    return {
        "affinity": Affinity(
            podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=list(terms))
        )
    }


def apart(*terms):
    return {
        "affinity": Affinity(
            podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=list(terms))
        )
    }


def weighted(weight, term):
    return WeightedPodAffinityTerm(weight=weight, podAffinityTerm=term)


def rather_beside(*terms):
    return {
        "affinity": Affinity(
            podAffinity=PodAffinity(preferredDuringSchedulingIgnoredDuringExecution=list(terms))
        )
    }


def rather_apart(*terms):
    return {
        "affinity": Affinity(
            podAntiAffinity=PodAntiAffinity(preferredDuringSchedulingIgnoredDuringExecution=list(terms))
        )
    }


def four():
    """Two zones of two nodes, and a node without a zone."""
    nodes = [
        node(name, labels={"zone": zone, HOST: name})
        for name, zone in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"))
    ]
    return Decider(*nodes, node("bare", labels={HOST: "bare"}))


def fitting(world, asked):
    return set(world.scores(asked))


def rejected(world, asked):
    evaluation = world.evaluations.of(world.reader.read(asked))
    return {each: number for each, number in evaluation.rejections().items() if each.plugin == NAME}


def test_a_pod_goes_into_the_domain_of_the_pods_that_its_term_selects():
    """A node without the label is in no domain; what it asks for cannot be made by taking pods away."""
    world = four()
    world.run(pod("db", node="b1", labels=DB))
    asked = pod(**beside(term(DB)))
    assert fitting(world, asked) == {"b1", "b2"}
    assert rejected(world, asked) == {NO_AFFINITY: 3}
    assert not NO_AFFINITY.resolvable


def test_one_pod_has_to_be_what_all_terms_select():
    """Two pods that are one each do not count, though the domains of both are there."""
    world = four()
    world.run(pod("web", node="a1", labels=WEB), pod("db", node="a1", labels=DB))
    asked = pod(**beside(term(WEB), term(DB, HOST)))
    assert fitting(world, asked) == set()
    world.run(pod("both", node="a2", labels={**WEB, "tier": "x"}))
    assert fitting(world, pod(**beside(term(WEB), term({"tier": "x"}, HOST)))) == {"a2"}


def test_the_first_of_a_group_that_wants_to_be_together_may_go_anywhere_with_the_label():
    """One that wants others waits for them."""
    world = four()
    assert fitting(world, pod(labels=WEB, **beside(term(WEB)))) == {"a1", "a2", "b1", "b2"}
    assert fitting(world, pod(labels=DB, **beside(term(WEB)))) == set()
    [first] = world.place(pod("first", labels=WEB, **beside(term(WEB))))
    assert {each[0] for each in fitting(world, pod(labels=WEB, **beside(term(WEB))))} == {first[0]}


def test_a_pod_stays_away_from_those_that_its_term_selects():
    """In each domain that has one; where the label is missing there is no domain to stay away from."""
    world = four()
    world.run(pod("web", node="a1", labels=WEB))
    assert fitting(world, pod(**apart(term(WEB)))) == {"b1", "b2", "bare"}
    assert fitting(world, pod(**apart(term(WEB, HOST)))) == {"a2", "b1", "b2", "bare"}
    assert rejected(world, pod(**apart(term(WEB)))) == {ANTI_AFFINITY: 2}


def test_a_running_pod_keeps_away_those_that_its_term_selects():
    """Whether they have terms or not; when it goes, so does the rule."""
    world = four()
    world.run(pod("alone", node="b2", **apart(term(WEB))))
    assert fitting(world, pod(labels=WEB)) == {"a1", "a2", "bare"}
    assert rejected(world, pod(labels=WEB)) == {REPELLED: 2}
    assert fitting(world, pod(labels=DB)) == {"a1", "a2", "b1", "b2", "bare"}
    world.snapshot.remove_pod("uid-default-alone")
    assert fitting(world, pod(labels=WEB)) == {"a1", "a2", "b1", "b2", "bare"}


def test_replicas_that_stay_apart_by_host_take_one_node_each():
    """And the one too many waits."""
    world = four()
    own = apart(term(WEB, HOST))
    placed = world.place(*(pod(f"web-{number}", labels=WEB, **own) for number in range(5)))
    assert sorted(placed) == ["a1", "a2", "b1", "b2", "bare"]
    assert world.message(pod("web-5", labels=WEB, **own)).startswith(
        "0/5 nodes are available: 5 node(s) didn't match pod anti-affinity rules."
    )


@pytest.mark.parametrize("leaving", [False, True])
def test_a_pod_that_is_being_deleted_counts_until_it_is_gone(leaving):
    """As long as it is there, it is beside others."""
    world = four()
    when = "2026-01-01T00:00:00Z" if leaving else None
    world.run(changed(pod("web", node="a1", labels=WEB), metadata__deletionTimestamp=when))
    assert fitting(world, pod(**beside(term(WEB)))) == {"a1", "a2"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, set()),
        ({"namespaces": ["shop"]}, {"a1", "a2"}),
        ({"namespaces": ["default"]}, set()),
        ({"namespaceSelector": EVERY}, {"a1", "a2"}),
        ({"namespaceSelector": LabelSelector(matchLabels={"team": "blue"})}, {"a1", "a2"}),
        ({"namespaceSelector": LabelSelector(matchLabels={"team": "red"})}, set()),
        (
            {"namespaceSelector": LabelSelector(matchLabels={"team": "red"}), "namespaces": ["shop"]},
            {"a1", "a2"},
        ),
    ],
)
def test_terms_look_into_namespaces(fields, expected):
    """The pod's own, unless namespaces are named or selected by their labels; both together count."""
    world = four()
    world.snapshot.namespaces.set("shop", {"team": "blue"})
    world.run(pod("web", "shop", node="a1", labels=WEB))
    assert fitting(world, pod(**beside(term(WEB, **fields)))) == expected
    away = {"a1", "a2", "b1", "b2", "bare"} - expected
    assert fitting(world, pod(**apart(term(WEB, **fields)))) == away


def test_the_labels_of_a_namespace_count_as_they_are_now():
    """For the terms of a pod that comes, and for those of one that runs."""
    world = four()
    blue = LabelSelector(matchLabels={"team": "blue"})
    world.run(pod("alone", "other", node="b2", **apart(term(WEB, namespaceSelector=blue))))
    asked = pod(labels=WEB)
    assert "b1" in fitting(world, asked)
    world.snapshot.namespaces.set("default", {"team": "blue"})
    assert fitting(world, asked) == {"a1", "a2", "bare"}
    world.snapshot.namespaces.remove("default")
    assert "b1" in fitting(world, asked)


def test_a_term_without_a_selector_selects_no_pod():
    """And an empty selector every pod."""
    world = four()
    world.run(pod("web", node="a1", labels=WEB))
    nobody = PodAffinityTerm(topologyKey="zone")
    anybody = PodAffinityTerm(topologyKey="zone", labelSelector=EVERY)
    assert fitting(world, pod(**apart(nobody))) == {"a1", "a2", "b1", "b2", "bare"}
    assert fitting(world, pod(**apart(anybody))) == {"b1", "b2", "bare"}


def wishes(world, asked, **arguments):
    """Return the points of each node by this plugin alone."""
    plugin = InterPodAffinity(**arguments)
    world.evaluations = Evaluations(world.snapshot, profile_of("mine", (plugin,)))
    return {name: points // plugin.weight for name, points in world.scores(asked).items()}


def test_preferences_add_up_over_terms_and_pods():
    """100 for the best node, 0 for the worst, the others between them."""
    world = four()
    world.run(pod("w", node="a1", labels=WEB), pod("d", node="b1", labels=DB), pod("e", node="b2", labels=DB))
    asked = pod(**rather_beside(weighted(40, term(WEB)), weighted(50, term(DB))))
    assert wishes(world, asked) == {"a1": 40, "a2": 40, "b1": 100, "b2": 100, "bare": 0}
    asked = pod(**rather_apart(weighted(10, term(DB, HOST))))
    assert wishes(world, asked) == {"a1": 100, "a2": 100, "b1": 0, "b2": 0, "bare": 100}


def test_the_preferences_of_running_pods_count_too():
    """And their required affinity, as a preference of its own weight."""
    world = four()
    world.run(
        pod("likes", node="a1", **rather_beside(weighted(30, term(WEB)))),
        pod("needs", node="b1", labels=WEB, **beside(term(WEB))),
    )
    asked = pod(labels=WEB)
    assert wishes(world, asked, hard_weight=60) == {"a1": 50, "a2": 50, "b1": 100, "b2": 100, "bare": 0}
    assert wishes(world, asked, hard_weight=0) == {"a1": 100, "a2": 100, "b1": 0, "b2": 0, "bare": 0}
    ignoring = wishes(world, asked, hard_weight=0, ignores_others=True)
    assert set(ignoring.values()) == {0}


def test_terms_of_equal_content_are_counted_once_each():
    """Many replicas have one term, and the last of them takes it away."""
    world = four()
    own = apart(term(WEB))
    world.run(pod("x", node="a1", **own), pod("y", node="a2", **own))
    world.snapshot.remove_pod("uid-default-x")
    assert fitting(world, pod(labels=WEB)) == {"b1", "b2", "bare"}
    world.snapshot.remove_pod("uid-default-y")
    assert len(fitting(world, pod(labels=WEB))) == 5
