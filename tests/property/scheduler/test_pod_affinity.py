"""Affinity between pods by counts that are kept, compared with the rules applied to every node, pod and term."""

import os

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import (
    Affinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    WeightedPodAffinityTerm,
)
from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from scheduler.core.schedule import Bind
from tests.support.builders import changed, node, pod
from tests.support.examples import examples
from tests.support.judged_pairs import JUDGED
from tests.support.scheduler import Decider, Reference

ROUNDS = int(os.environ.get("KUBARIUM_ROUNDS") or 250)
NODES = [f"node-{number}" for number in range(5)]
NAMESPACES = ["default", "other", "third"]
APPS = ["web", "db", "cache"]
KEYS = ["zone", "kubernetes.io/hostname", "rack"]

selectors = st.one_of(
    st.none(),
    st.just(LabelSelector()),
    st.builds(lambda app: LabelSelector(matchLabels={"app": app}), st.sampled_from(APPS)),
    st.builds(
        lambda operator, apps: LabelSelector(
            matchExpressions=[
                LabelSelectorRequirement(
                    key="app", operator=operator, values=apps if operator in {"In", "NotIn"} else []
                )
            ]
        ),
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        st.lists(st.sampled_from(APPS), min_size=1, max_size=2, unique=True),
    ),
)
teams = st.sampled_from([None, None, None, LabelSelector(), LabelSelector(matchLabels={"team": "a"})])
terms = st.builds(
    lambda key, selector, names, team: PodAffinityTerm(
        topologyKey=key, labelSelector=selector, namespaces=names, namespaceSelector=team
    ),
    st.sampled_from(KEYS),
    selectors,
    st.sampled_from([[], [], [], ["other"], ["default", "third"]]),
    teams,
)
weighted = st.builds(
    lambda weight, term: WeightedPodAffinityTerm(weight=weight, podAffinityTerm=term),
    st.integers(1, 100),
    terms,
)


def few(strategy):
    return st.one_of(st.just([]), st.just([]), st.lists(strategy, max_size=2))


affinities = st.builds(
    lambda beside, apart, rather, rather_not: Affinity(
        podAffinity=PodAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=beside,
            preferredDuringSchedulingIgnoredDuringExecution=rather,
        ),
        podAntiAffinity=PodAntiAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=apart,
            preferredDuringSchedulingIgnoredDuringExecution=rather_not,
        ),
    ),
    few(terms),
    few(terms),
    few(weighted),
    few(weighted),
)
nodes = st.builds(
    lambda name, zone, rack, host: node(
        name,
        pods="6",
        labels={
            **({"zone": zone} if zone else {}),
            **({"rack": rack} if rack else {}),
            **({"kubernetes.io/hostname": host or name} if host is not None else {}),
        },
    ),
    st.sampled_from(NODES),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "", "", "shared", None]),
)
pods = st.builds(
    lambda number, namespace, app, affinity, where, leaving: changed(
        pod(
            f"pod-{number}",
            namespace=namespace,
            labels={"app": app} if app else {},
            affinity=affinity,
            node=where,
        ),
        metadata__uid=f"uid-{number}",
        metadata__deletionTimestamp="2026-01-01T00:00:00Z" if leaving else None,
    ),
    st.integers(0, 9),
    st.sampled_from(NAMESPACES),
    st.sampled_from([*APPS, ""]),
    st.one_of(st.none(), affinities),
    st.sampled_from([*NODES, ""]),
    st.sampled_from([False, False, False, True]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("no node"), st.sampled_from(NODES)),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("no pod"), st.integers(0, 9)),
        st.tuples(st.just("team"), st.tuples(st.sampled_from(NAMESPACES), st.sampled_from("ab"))),
    ),
    min_size=4,
    max_size=25,
)


class Both:
    """The scheduler's core and a plain list of what is there."""

    def __init__(self) -> None:
        self.world = Decider()
        self.nodes, self.pods, self.namespaces = {}, {}, {}

    def apply(self, verb, subject):
        snapshot = self.world.snapshot
        match verb:
            case "node":
                self.nodes[subject.metadata.name] = subject
                snapshot.set_node(subject)
            case "no node":
                self.nodes.pop(subject, None)
                snapshot.remove_node(subject)
            case "no pod":
                self.pods.pop(f"uid-{subject}", None)
                snapshot.remove_pod(f"uid-{subject}")
            case "team":
                name, team = subject
                self.namespaces[name] = {"team": team}
                snapshot.namespaces.set(name, {"team": team})
            case "pod" if subject.spec.nodeName:
                self.pods[subject.metadata.uid] = subject
                self.world.run(subject)
            case "pod" if subject.metadata.uid not in self.pods:
                decision = self.world.decide(subject)
                if isinstance(decision, Bind):
                    snapshot.assume(self.world.reader.read(subject), decision.node)
                    self.pods[subject.metadata.uid] = changed(subject, spec__nodeName=decision.node)

    def check(self, asked):
        reference = Reference(self.nodes.values(), self.pods.values(), self.world.owners, self.namespaces)
        scores, reasons = reference.judge(asked)
        assert self.world.scores(asked) == scores
        evaluation = self.world.evaluations.of(self.world.reader.read(asked))
        counted = {}
        for rejection, number in evaluation.rejections().items():
            for reason in rejection.reasons:
                counted[reason] = counted.get(reason, 0) + number
        assert counted == dict(reasons)
        there = (self.nodes.values(), self.pods.values(), self.namespaces.items())
        JUDGED.note("affinity", [asked], *there, fits=bool(scores), has_scores=bool(scores))


groups = st.builds(
    lambda app, key: pod(
        "asked",
        labels={"app": app},
        affinity=Affinity(
            podAffinity=PodAffinity(
                requiredDuringSchedulingIgnoredDuringExecution=[
                    PodAffinityTerm(topologyKey=key, labelSelector=LabelSelector(matchLabels={"app": app}))
                ]
            )
        ),
    ),
    st.sampled_from(APPS),
    st.sampled_from(KEYS),
)


@examples(ROUNDS)
@given(steps=steps, asked=st.one_of(pods, pods, groups))
def test_kept_counts_say_what_the_rules_say(steps, asked):
    """After every change, of every node: whether it can take the pod, why not, and its score. KUBARIUM_ROUNDS makes it longer."""
    both = Both()
    asked = changed(asked, metadata__uid="uid-asked", spec__nodeName="")
    for verb, subject in steps:
        both.apply(verb, subject)
        both.check(asked)
