"""Whatever happens to a cluster, the evaluation that was kept up to date says what a fresh look would say."""

import os

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerImage,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.owners import owner_reference
from scheduler.core.schedule import Bind
from tests.support.builders import changed, container, node, pod, replica_set, taint, toleration
from tests.support.examples import examples
from tests.support.judged_pairs import JUDGED
from tests.support.scheduler import Decider, Reference

ROUNDS = int(os.environ.get("KUBARIUM_ROUNDS") or 250)

WEB = replica_set("web", labels={"app": "web"})
MIB = 1024 * 1024


def spread(key, when, *, skew=1, **fields):
    return TopologySpreadConstraint(
        topologyKey=key,
        maxSkew=skew,
        whenUnsatisfiable=when,
        labelSelector=LabelSelector(matchLabels={"app": "web"}),
        **fields,
    )


def prefers(key, value):
    expression = NodeSelectorRequirement(key=key, operator="In", values=[value])
    term = NodeSelectorTerm(matchExpressions=[expression])
    preferred = PreferredSchedulingTerm(weight=7, preference=term)
    return Affinity(nodeAffinity=NodeAffinity(preferredDuringSchedulingIgnoredDuringExecution=[preferred]))


def needs(key, operator, *values, field=False):
    expression = NodeSelectorRequirement(key=key, operator=operator, values=list(values))
    term = NodeSelectorTerm(**{"matchFields" if field else "matchExpressions": [expression]})
    return Affinity(
        nodeAffinity=NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(nodeSelectorTerms=[term])
        )
    )


KINDS = [
    pod,
    lambda name: pod(name, affinity=needs("disk", "NotIn", "ssd")),
    lambda name: pod(name, affinity=needs("zone", "Exists")),
    lambda name: pod(name, affinity=needs("rank", "Gt", "1")),
    lambda name: pod(name, affinity=needs("metadata.name", "In", "node-1", "node-2", field=True)),
    lambda name: pod(
        name,
        containers=[
            container("one", requests={"cpu": "300m"}),
            container("two", requests={"memory": "512Mi"}),
        ],
    ),
    lambda name: pod(
        name,
        containers=[container(ports=[ContainerPort(containerPort=80, hostPort=80, hostIP="127.0.0.1")])],
    ),
    lambda name: pod(name, requests={"cpu": "700m", "memory": "256Mi"}, owners=[owner_reference(WEB)]),
    lambda name: pod(name, requests={"cpu": "1", "example.com/gpu": "1"}, tolerations=[toleration("gpu")]),
    lambda name: pod(name, requests={"memory": "1Gi"}, nodeSelector={"disk": "ssd"}),
    lambda name: pod(name, requests={"cpu": "100m"}, affinity=prefers("disk", "ssd")),
    lambda name: pod(name, containers=[container(ports=[ContainerPort(containerPort=80, hostPort=80)])]),
    lambda name: pod(
        name,
        topologySpreadConstraints=[
            spread("zone", "DoNotSchedule", minDomains=2),
            spread("kubernetes.io/hostname", "ScheduleAnyway", skew=2),
        ],
    ),
    lambda name: pod(
        name,
        tolerations=[toleration("gpu")],
        topologySpreadConstraints=[
            spread("kubernetes.io/hostname", "DoNotSchedule", nodeTaintsPolicy="Honor"),
            spread("zone", "ScheduleAnyway", nodeAffinityPolicy="Ignore"),
        ],
    ),
]
NAMES = [f"node-{number}" for number in range(5)]

nodes = st.builds(
    lambda name, cpu, room, zone, disk, taints, images, extra, **fields: changed(
        node(
            name,
            cpu=cpu,
            memory="4Gi",
            pods=room,
            labels={**({"zone": zone} if zone else {}), **({"disk": disk} if disk else {}), **extra},
            taints=taints,
            **fields,
        ),
        status__images=images,
        status__allocatable={"cpu": cpu, "memory": "4Gi", "pods": room, "example.com/gpu": "1"},
    ),
    name=st.sampled_from(NAMES),
    cpu=st.sampled_from(["1", "2", "4"]),
    room=st.sampled_from(["1", "3", "6"]),
    zone=st.sampled_from(["", "a", "b", "c"]),
    disk=st.sampled_from(["", "ssd", "hdd"]),
    taints=st.sampled_from([[], [], [taint("gpu")], [taint("slow", "PreferNoSchedule")]]),
    images=st.sampled_from([[], [ContainerImage(names=["app:1"], sizeBytes=500 * MIB)]]),
    extra=st.sampled_from([{}, {"rank": "1"}, {"rank": "2"}, {"kubernetes.io/hostname": "shared"}]),
    unschedulable=st.sampled_from([None, None, None, True]),
)
pods = st.builds(
    lambda number, kind, labeled, where, terminating: changed(
        KINDS[kind](f"pod-{number}"),
        metadata__labels={"app": "web"} if labeled else {},
        spec__nodeName=where,
        metadata__deletionTimestamp="2026-01-01T00:00:00Z" if terminating else None,
    ),
    number=st.integers(0, 11),
    kind=st.integers(0, len(KINDS) - 1),
    labeled=st.booleans(),
    where=st.sampled_from([*NAMES, ""]),
    terminating=st.sampled_from([False, False, False, True]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("remove node"), st.sampled_from(NAMES)),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("remove pod"), st.integers(0, 11)),
    ),
    max_size=40,
)


@examples(ROUNDS)
@given(steps=steps, probe=st.integers(0, len(KINDS) - 1))
def test_incremental_evaluation_equals_a_fresh_look(steps, probe):
    """After every change the scores and the reasons are those of the rules applied node by node. KUBARIUM_ROUNDS makes it longer."""
    world = Decider()
    world.owners.set_replica_set(WEB)
    node_objects, pod_objects = {}, {}
    asked = changed(KINDS[probe]("probe"), metadata__labels={"app": "web"})
    for verb, subject in steps:
        apply(world, node_objects, pod_objects, verb, subject)
        check(world, node_objects, pod_objects, asked)


def apply(world, node_objects, pod_objects, verb, subject):
    if verb == "node":
        node_objects[subject.metadata.name] = subject
        world.snapshot.set_node(subject)
    elif verb == "remove node":
        node_objects.pop(subject, None)
        world.snapshot.remove_node(subject)
    elif verb == "remove pod":
        uid = f"uid-default-pod-{subject}"
        pod_objects.pop(uid, None)
        world.snapshot.remove_pod(uid)
    elif subject.spec.nodeName:
        pod_objects[subject.metadata.uid] = subject
        world.run(subject)
    elif subject.metadata.uid not in pod_objects:
        decision = world.decide(subject)
        if isinstance(decision, Bind):
            world.snapshot.assume(world.reader.read(subject), decision.node)
            pod_objects[subject.metadata.uid] = changed(subject, spec__nodeName=decision.node)


def check(world, node_objects, pod_objects, asked):
    scores, reasons = Reference(node_objects.values(), pod_objects.values(), world.owners).judge(asked)
    assert world.scores(asked) == scores
    evaluation = world.evaluations.of(world.reader.read(asked))
    counted = {}
    for rejection, number in evaluation.rejections().items():
        for reason in rejection.reasons:
            counted[reason] = counted.get(reason, 0) + number
    assert counted == dict(reasons)
    decision = world.decide(asked)
    if scores:
        assert decision.score == max(scores.values())
        assert scores[decision.node] == decision.score
    else:
        assert not isinstance(decision, Bind)
    there = (node_objects.values(), pod_objects.values())
    JUDGED.note("evaluation", [asked], *there, fits=bool(scores), has_scores=bool(scores))


@examples(60)
@given(
    capacities=st.lists(st.integers(500, 3000), min_size=1, max_size=6),
    wants=st.lists(st.integers(50, 900), max_size=40),
    tie_break=st.floats(0, 1, exclude_max=True),
)
def test_nothing_is_committed_twice(capacities, wants, tie_break):
    """However many pods come, no node is asked for more than it has; who waits fits nowhere."""
    names = [f"node-{number}" for number in range(len(capacities))]
    world = Decider(*(node(name, cpu=f"{cpu}m") for name, cpu in zip(names, capacities, strict=True)))
    free = dict(zip(names, capacities, strict=True))
    for number, want in enumerate(wants):
        asked = pod(f"pod-{number}", requests={"cpu": f"{want}m"})
        decision = world.decide(asked, tie_break)
        if isinstance(decision, Bind):
            world.snapshot.assume(world.reader.read(asked), decision.node)
            free[decision.node] -= want
        else:
            assert max(free.values()) < want
    assert min(free.values()) >= 0
