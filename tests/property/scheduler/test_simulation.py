"""A simulation decides as the scheduler does: one `schedule` after the other, over the same input with the same numbers drawn."""

import random

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import TopologySpreadConstraint
from machinery.model.k8s.meta_v1 import LabelSelector
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind
from scheduler.core.simulation.placing import Left, Placed, place
from scheduler.core.simulation.world import World
from tests.support.builders import changed, node, pod, taint, toleration
from tests.support.examples import examples
from tests.support.scheduler import Decider

nodes = st.lists(
    st.tuples(st.sampled_from(["1", "2", "4"]), st.sampled_from(["a", "b"]), st.booleans()),
    min_size=1,
    max_size=5,
)
pods = st.lists(
    st.tuples(
        st.sampled_from(["100m", "700m", "1500m"]),
        st.sampled_from(["web", "db"]),
        st.sampled_from([0, 0, 10]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


def _node(number, drawn):
    cpu, zone, tainted = drawn
    return node(
        f"node-{number}",
        cpu=cpu,
        labels={"zone": zone},
        taints=[taint("only", value="db")] if tainted else [],
    )


def _pod(number, drawn):
    cpu, app, priority, spreads, tolerates = drawn
    constraint = TopologySpreadConstraint(
        maxSkew=1,
        topologyKey="zone",
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=LabelSelector(matchLabels={"app": app}),
    )
    made = pod(
        f"pod-{number}",
        labels={"app": app},
        requests={"cpu": cpu},
        topologySpreadConstraints=[constraint] if spreads else [],
        tolerations=[toleration("only", operator="Exists")] if tolerates else [],
    )
    return changed(made, spec__priority=priority)


@given(nodes, pods, st.integers(0, 1000))
@examples(100)
def test_each_decision_is_the_schedulers(drawn_nodes, drawn_pods, seed):
    """Of pods by priority, then in their order; those that fit nowhere are asked about again once a pod helps them."""
    cluster = [_node(*each) for each in enumerate(drawn_nodes)]
    coming = [_pod(*each) for each in enumerate(drawn_pods)]
    results = place(
        World([*cluster, *coming]), {DEFAULT.scheduler_name: DEFAULT}, random.Random(seed).random
    ).results
    world, numbers = Decider(*cluster), random.Random(seed)
    for each in sorted(coming, key=lambda each: -each.spec.priority):
        [found] = [result for result in results if result.member.info.uid == each.metadata.uid]
        decision = world.decide(each, numbers.random())
        if isinstance(decision, Bind):
            assert isinstance(found, Placed)
            assert found.decision == decision
            world.snapshot.set_pod(world.reader.read(each).on(decision.node))
        elif isinstance(found, Placed):
            return  # one that came later has helped it: from here on numbers are drawn in another order
    left = [each.member.info for each in results if isinstance(each, Left)]
    assert not any(
        isinstance(world.decide(each), Bind)
        for each in coming
        if each.metadata.uid in {pod.uid for pod in left}
    )
