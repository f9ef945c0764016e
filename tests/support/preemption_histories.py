"""What happens to a cluster with pods of several priorities, at random, and a check of each decision against the reference."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerPort,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodCondition,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.k8s.policy_v1 import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from scheduler.core.schedule import Bind
from tests.support.builders import changed, container, meta, node, pod, taint
from tests.support.judged_pairs import JUDGED
from tests.support.preemption_reference import PreemptionReference
from tests.support.scheduler import Decider

NODES = [f"node-{number}" for number in range(4)]
NUMBERS = st.integers(0, 9)
APPS = ["web", "db"]
PRIORITIES = [-5, 0, 0, 10, 20]
PREEMPTED = PodCondition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler")
EVICTED = PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")


def term(app, key):
    return PodAffinityTerm(topologyKey=key, labelSelector=LabelSelector(matchLabels={"app": app}))


def apart(app, key):
    return Affinity(
        podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term(app, key)])
    )


def beside(app, key):
    return Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term(app, key)]))


def spread(app, key, skew, least=None):
    return TopologySpreadConstraint(
        maxSkew=skew,
        minDomains=least,
        topologyKey=key,
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=LabelSelector(matchLabels={"app": app}),
    )


KEYS = st.sampled_from(["zone", "kubernetes.io/hostname"])
plain = st.builds(
    lambda cpu, memory: {"requests": {"cpu": cpu, "memory": memory}},
    st.sampled_from(["500m", "1", "2", "5"]),
    st.sampled_from(["64Mi", "1Gi", "3Gi"]),
)
specs = st.one_of(
    plain,
    plain,
    plain,
    st.just({"containers": [container(ports=[ContainerPort(containerPort=80, hostPort=80)])]}),
    st.builds(lambda app, key: {"affinity": apart(app, key)}, st.sampled_from(APPS), KEYS),
    st.builds(lambda app, key: {"affinity": beside(app, key)}, st.sampled_from(APPS), KEYS),
    st.builds(
        lambda app, key, skew, least: {"topologySpreadConstraints": [spread(app, key, skew, least)]},
        st.sampled_from(APPS),
        KEYS,
        st.integers(1, 2),
        st.sampled_from([None, None, 3]),
    ),
)
pods = st.builds(
    lambda number, spec, app, priority, where, start, leaving: changed(
        pod(
            f"pod-{number}",
            labels={"app": app} if app else {},
            priority=priority,
            node=where,
            conditions=[leaving] if leaving else (),
            **spec,
        ),
        status__startTime=f"2026-01-01T00:00:0{start}Z" if start else None,
        metadata__deletionTimestamp="2026-01-01T00:01:00Z" if leaving else None,
    ),
    NUMBERS,
    specs,
    st.sampled_from([*APPS, ""]),
    st.sampled_from(PRIORITIES),
    st.sampled_from([*NODES, *NODES, ""]),
    st.integers(0, 3),
    st.sampled_from([None, None, None, None, PREEMPTED, EVICTED]),
)
nodes = st.builds(
    lambda name, cpu, zone, host, barred: node(
        name,
        cpu=cpu,
        memory="4Gi",
        pods="4",
        labels=({"zone": zone} if zone else {}) | ({"kubernetes.io/hostname": host} if host else {}),
        taints=[taint("gpu")] if barred else [],
    ),
    st.sampled_from(NODES),
    st.sampled_from(["2", "4"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "", "", "shared"]),
    st.sampled_from([False, False, False, True]),
)
budgets = st.builds(
    lambda number, app, allowed, going: PodDisruptionBudget(
        metadata=meta(f"budget-{number}", "default"),
        spec=PodDisruptionBudgetSpec(
            selector=LabelSelector(matchLabels={"app": app} if app else {}) if app is not None else None
        ),
        status=PodDisruptionBudgetStatus(
            disruptionsAllowed=allowed,
            disruptedPods={f"pod-{each}": "2026-01-01T00:00:00Z" for each in going},
        ),
    ),
    st.integers(0, 1),
    st.sampled_from([*APPS, *APPS, "", None]),
    st.integers(0, 2),
    st.lists(NUMBERS, max_size=2),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("no node"), st.sampled_from(NODES)),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("no pod"), NUMBERS),
        st.tuples(st.just("budget"), budgets),
        st.tuples(st.just("no budget"), budgets),
        st.tuples(st.just("nominate"), st.tuples(pods, st.sampled_from(NODES))),
    ),
    min_size=4,
    max_size=20,
)


ROOMS = [("node-0", "a", ""), ("node-1", "a", ""), ("node-2", "b", "shared"), ("node-3", "b", "shared")]


def room(name, zone, host):
    """Return a node of a zone; one that names no host is one of its own."""
    labels = {"zone": zone} | ({"kubernetes.io/hostname": host} if host else {})
    return node(name, cpu="2", memory="4Gi", pods="20", labels=labels)


small_pods = st.builds(
    lambda number, app, priority, where: pod(
        f"pod-{number}",
        labels={"app": app} if app else {},
        priority=priority,
        node=where,
        requests={"cpu": "10m"},
    ),
    NUMBERS,
    st.sampled_from(["web", "web", ""]),
    st.sampled_from([0, 30]),
    st.sampled_from(NODES),
)
crowded = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), small_pods),
        st.tuples(st.just("pod"), small_pods),
        st.tuples(st.just("pod"), small_pods),
        st.tuples(st.just("no pod"), NUMBERS),
        st.tuples(st.just("no pod"), NUMBERS),
        st.tuples(st.just("nominate"), st.tuples(small_pods, st.sampled_from(NODES))),
        st.tuples(
            st.just("node"),
            st.builds(room, st.sampled_from(NODES), st.sampled_from("ab"), st.sampled_from(["", "shared"])),
        ),
    ),
    min_size=3,
    max_size=14,
)
"""Small pods that come and go among others that leave no room: what nodes have in their zones and hosts changes, and little else."""
related = st.one_of(
    st.builds(lambda key: {"affinity": apart("web", key)}, KEYS),
    st.builds(lambda key: {"affinity": beside("web", key)}, KEYS),
    st.builds(
        lambda key, skew, least: {"topologySpreadConstraints": [spread("web", key, skew, least)]},
        KEYS,
        st.integers(1, 3),
        st.sampled_from([None, 2]),
    ),
)


def crowd():
    """Return a cluster of two zones in which every node is full of pods of priority 0."""
    both = Both()
    for name, zone, host in ROOMS:
        both.apply("node", room(name, zone, host))
        both.apply("pod", pod(f"large-{name}", node=name, requests={"cpu": "1900m"}))
    return both


class Both:
    """The scheduler's core and plain lists of what is there."""

    def __init__(self):
        self.world = Decider()
        self.nodes, self.pods, self.budgets, self.nominated = {}, {}, {}, {}

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
                uid = f"uid-default-pod-{subject}"
                self.pods.pop(uid, None)
                self.nominated.pop(uid, None)
                snapshot.remove_pod(uid)
                snapshot.withdraw(uid)
            case "budget":
                self.budgets[subject.metadata.name] = subject
                snapshot.set_budget(subject)
            case "no budget":
                self.budgets.pop(subject.metadata.name, None)
                snapshot.remove_budget(subject)
            case "nominate" if subject[0].metadata.uid not in self.pods:
                self.nominate(changed(subject[0], spec__nodeName=""), subject[1])
            case "pod" if subject.spec.nodeName:
                self.pods[subject.metadata.uid] = subject
                self.nominated.pop(subject.metadata.uid, None)
                self.world.run(subject)
            case "pod" if subject.metadata.uid not in self.pods:
                self._decide(subject)

    def nominate(self, waiting, where):
        self.nominated[waiting.metadata.uid] = waiting, where
        self.world.snapshot.nominate(self.world.reader.read(waiting), where)

    def _decide(self, waiting):
        """Decide on a pod, and let happen what follows: its victims get the time that they have to end."""
        decision, snapshot = self.world.decide(waiting), self.world.snapshot
        if isinstance(decision, Bind):
            snapshot.assume(self.world.reader.read(waiting), decision.node)
            self.pods[waiting.metadata.uid] = changed(waiting, spec__nodeName=decision.node)
            self.nominated.pop(waiting.metadata.uid, None)
        elif (nomination := decision.nomination) is not None:
            for each in nomination.displaced:
                snapshot.withdraw(each.uid)
                del self.nominated[each.uid]
            for each in nomination.leaving:
                leaving = changed(
                    self.pods[each.uid],
                    metadata__deletionTimestamp="2026-01-01T00:01:00Z",
                    status__conditions=[PREEMPTED],
                )
                self.pods[each.uid] = leaving
                self.world.run(leaving)
            if nomination.node:
                self.nominate(waiting, nomination.node)
            else:
                snapshot.withdraw(waiting.metadata.uid)
                self.nominated.pop(waiting.metadata.uid, None)

    def check(self, asked, tie_break):
        if self.nodes:
            self._check(asked, self.world.decide(asked, tie_break), self._reference())

    def check_all(self, asked):
        """Check what is decided by numbers of which each node that is as good as the others gets one; return these nodes."""
        reference = self._reference()
        decisions = [self.world.decide(asked, number / len(NODES)) for number in range(len(NODES))]
        for decision in decisions:
            self._check(asked, decision, reference)
        nominations = [getattr(decision, "nomination", None) for decision in decisions]
        nodes = {nomination.node for nomination in nominations if nomination}
        if all(nominations) and (best := reference.best(asked)):
            assert nodes == set(best)
        return nodes

    def _reference(self):
        return PreemptionReference(
            self.nodes.values(), self.pods.values(), self.nominated, self.budgets.values(), self.world.owners
        )

    def _check(self, asked, decision, reference):
        fitting = reference.fitting(asked)
        _, kept = self.nominated.get(asked.metadata.uid, (asked, ""))
        if isinstance(decision, Bind):
            assert decision.node == kept if kept in fitting else decision.node in fitting
            self._note(asked, fits=True)
            return
        assert not fitting
        why = Counter(
            reason for name in self.nodes for reason in reference.reasons(asked, name, self.pods.values())
        )
        said = ", ".join(sorted(f"{number} {reason}" for reason, number in why.items()))
        assert decision.message.startswith(f"0/{len(self.nodes)} nodes are available: {said}.")
        best = reference.best(asked)
        self.check_preemption(asked, kept, decision, reference, best)
        self._note(asked, fits=False, has_victims=bool(best))

    def _note(self, asked, **found):
        there = (self.nodes, self.pods, self.nominated, self.budgets)
        JUDGED.note("preemption", [asked], *(each.values() for each in there), **found)

    def check_preemption(self, asked, kept, decision, reference, best):
        nomination = decision.nomination
        if reference.waits(asked):
            assert nomination is None
            assert "terminating pod on the nominated node" in decision.message
        elif not best:
            assert (nomination is not None and not nomination.node) == bool(kept)
            said = sorted(f"{number} {reason}" for reason, number in reference.why_not(asked).items())
            assert (
                f"preemption: 0/{len(self.nodes)} nodes are available: {', '.join(said)}." in decision.message
            )
        else:
            assert nomination.node in best
            assert "preemption" not in decision.message
            going = [each for each in best[nomination.node] if not each.metadata.deletionTimestamp]
            assert [each.uid for each in nomination.leaving] == [each.metadata.uid for each in going]
            lower = [
                uid
                for uid, (other, where) in self.nominated.items()
                if where == nomination.node and (other.spec.priority or 0) < (asked.spec.priority or 0)
            ]
            assert sorted(each.uid for each in nomination.displaced) == sorted(lower)
