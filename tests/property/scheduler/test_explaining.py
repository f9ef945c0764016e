"""What is told of a pod is true: points add up to the engine's scores, and each hint makes the pod fit where it says."""

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinityTerm,
    PodAntiAffinity,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from scheduler.core.explaining.hints import find_hints
from scheduler.core.explaining.table import explain
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind
from scheduler.core.simulation.world import World
from tests.support.builders import changed, container, node, pod, taint, toleration
from tests.support.examples import examples
from tests.support.scheduler import Decider

APP = LabelSelector(matchLabels={"app": "web"})


def spread(key, when):
    return TopologySpreadConstraint(topologyKey=key, maxSkew=1, whenUnsatisfiable=when, labelSelector=APP)


def disks(*, required):
    term = NodeSelectorTerm(
        matchExpressions=[NodeSelectorRequirement(key="disk", operator="In", values=["ssd", "nvme"])]
    )
    if required:
        terms = NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(nodeSelectorTerms=[term])
        )
    else:
        wish = PreferredSchedulingTerm(weight=7, preference=term)
        terms = NodeAffinity(preferredDuringSchedulingIgnoredDuringExecution=[wish])
    return Affinity(nodeAffinity=terms)


ALONE = Affinity(
    podAntiAffinity=PodAntiAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=[
            PodAffinityTerm(topologyKey="zone", labelSelector=APP)
        ]
    )
)
PROBES = [
    pod("probe", labels={"app": "web"}, requests={"cpu": "1500m", "memory": "2Gi"}),
    pod(
        "probe", containers=[container("a", requests={"cpu": "3"}), container("b", requests={"cpu": "250m"})]
    ),
    pod("probe", requests={"example.com/gpu": "3"}, tolerations=[toleration("gpu", operator="Exists")]),
    pod("probe", nodeSelector={"disk": "ssd", "zone": "a"}, requests={"cpu": "500m"}),
    pod("probe", affinity=disks(required=True), requests={"cpu": "2"}),
    pod("probe", affinity=disks(required=False), labels={"app": "web"}),
    pod("probe", containers=[container(ports=[ContainerPort(containerPort=80, hostPort=80)])]),
    pod("probe", labels={"app": "web"}, topologySpreadConstraints=[spread("zone", "DoNotSchedule")]),
    pod("probe", labels={"app": "web"}, topologySpreadConstraints=[spread("zone", "ScheduleAnyway")]),
    pod("probe", labels={"app": "web"}, affinity=ALONE),
]
nodes = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "4"]),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "ssd", "hdd"]),
        st.sampled_from([[], [], [taint("gpu")], [taint("only", value="db"), taint("gpu", "NoExecute")]]),
        st.sampled_from([None, None, None, True]),
    ),
    min_size=1,
    max_size=5,
)
running = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["100m", "900m"]), st.booleans(), st.booleans()), max_size=8
)


def _node(number, drawn):
    cpu, zone, disk, taints, unschedulable = drawn
    labels = {key: value for key, value in (("zone", zone), ("disk", disk)) if value}
    made = node(
        f"node-{number}", cpu=cpu, memory="4Gi", labels=labels, taints=taints, unschedulable=unschedulable
    )
    return changed(made, status__allocatable={**made.status.allocatable, "example.com/gpu": "2"})


def _running(number, drawn, count):
    where, cpu, web, has_port = drawn
    ports = [ContainerPort(containerPort=80, hostPort=80)] if has_port else []
    return pod(
        f"old-{number}",
        node=f"node-{where % count}",
        labels={"app": "web"} if web else {},
        containers=[container(requests={"cpu": cpu}, ports=ports)],
    )


def _given(drawn_nodes, drawn_pods):
    cluster = [_node(*each) for each in enumerate(drawn_nodes)]
    return cluster, [_running(*each, len(cluster)) for each in enumerate(drawn_pods)]


@given(nodes, running, st.sampled_from(PROBES))
@examples(200)
def test_points_add_up_to_the_engines_scores(drawn_nodes, drawn_pods, probe):
    """Of the nodes that fit, which are the engine's; each other one has a reason."""
    cluster, old = _given(drawn_nodes, drawn_pods)
    engine, world = Decider(*cluster), World([*cluster, *old])
    engine.run(*old)
    lines = explain(world.reader.read(probe), world.snapshot, DEFAULT)
    assert {line.node.name: line.score for line in lines if line.fits} == engine.scores(probe)
    assert [line.node.name for line in lines] == [each.metadata.name for each in cluster]


@given(nodes, running, st.sampled_from(PROBES))
@examples(200)
def test_each_hint_makes_the_pod_fit_where_it_says(drawn_nodes, drawn_pods, probe):
    """On those nodes and no others; and the cluster that was looked at is as it was."""
    cluster, old = _given(drawn_nodes, drawn_pods)
    world, before = World([*cluster, *old]), Decider(*cluster)
    before.run(*old)
    if isinstance(before.decide(probe), Bind):
        return
    hints = find_hints(probe, world, DEFAULT)
    for each in hints:
        would_be = [each.changed_nodes.get(known.metadata.name, known) for known in cluster]
        after = Decider(*would_be)
        after.run(*old)
        assert set(after.scores(each.pod)) == set(each.nodes) != set(), each.changes
    again = explain(world.reader.read(probe), world.snapshot, DEFAULT)
    assert not any(line.fits for line in again)
