"""An autoscaler under any load keeps its bounds, follows it in its direction, and waits as long as it says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controllers.horizontal_pod_autoscaler.pod_metrics import usage_of
from controllers.horizontal_pod_autoscaler.replicas import Target, Tolerance, by_utilization
from tests.support.autoscaling import Autoscaled, autoscaler, pod, used
from tests.support.controllers import moment
from tests.support.examples import examples

loads = st.lists(st.floats(0, 3_000), min_size=1, max_size=25)
policies = st.builds(
    lambda type_, value, period: {"type": type_, "value": value, "periodSeconds": period},
    st.sampled_from(["Pods", "Percent"]),
    st.integers(1, 200),
    st.integers(1, 120),
)
rules = st.fixed_dictionaries(
    {
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "stabilizationWindowSeconds": st.integers(0, 120),
        "policies": st.lists(policies, min_size=1, max_size=2),
    }
)
behaviors = st.none() | st.fixed_dictionaries({"scaleUp": rules, "scaleDown": rules})


@examples(12)
@given(loads=loads, least=st.integers(1, 5), more=st.integers(0, 20), behavior=behaviors)
def test_it_never_leaves_its_bounds_and_comes_to_rest(
    loads: list[float], least: int, more: int, behavior: Any
):
    """Nor does it go against what its metrics ask for; under a steady load it is written no more in the end."""
    spec = {"minReplicas": least, "maxReplicas": least + more} | ({"behavior": behavior} if behavior else {})
    world = Autoscaled(autoscaler(**spec), least)
    for load in loads:
        world.load = load
        before = world.replicas
        after = world.sync()
        assert least <= after <= least + more
        recent = [each.replicas for each in world.memory.recommendations if world.memory.recommendations]
        assert min(before, *recent) <= after <= max(before, *recent, least)
    for _ in range(45):
        world.sync()
    writes = world.writes
    world.sync()
    assert world.writes - writes <= (1 if behavior else 0)


@examples(15)
@given(loads=loads, window_s=st.integers(0, 300))
def test_it_never_shrinks_below_what_was_asked_for_within_the_window(loads: list[float], window_s: int):
    """Stabilization: the most of what was recommended lately is kept."""
    world = Autoscaled(autoscaler(behavior={"scaleDown": {"stabilizationWindowSeconds": window_s}}), 1)
    asked: list[tuple[float, int]] = []
    for load in loads:
        world.load = load
        before = world.replicas
        after = world.sync()
        asked.append((world.passed_s, world.memory.recommendations[-1].replicas))
        if after < before:
            lately = [each for at_s, each in asked if at_s > world.passed_s - window_s]
            assert after >= min(10, max(lately, default=1))


@examples(20)
@given(one=st.integers(0, 400), other=st.integers(0, 400), count=st.integers(1, 8), missing=st.integers(0, 2))
def test_more_load_never_asks_for_fewer_pods(one: int, other: int, count: int, missing: int):
    """Monotony, also with pods of which nothing is known."""
    pods = [pod(str(number)) for number in range(count + missing)]
    target = Target(pods, len(pods), Tolerance(), moment())

    def wanted(load: int) -> int:
        known = usage_of([used(str(number), f"{load}m") for number in range(count)], "cpu", "")
        return by_utilization(target, known, 50, "cpu", "").replicas

    low, high = sorted((one, other))
    assert wanted(low) <= wanted(high)
