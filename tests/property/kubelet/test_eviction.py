"""Whatever a node has left from look to look: which conditions hold, and for what pods are evicted."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kubelet.core.eviction.pressure import Pressure, conditions, looked, most_urgent
from kubelet.core.eviction.ranking import is_critical, rank
from kubelet.core.eviction.thresholds import Observed, Signal, read_thresholds
from kubelet.core.eviction.usage import PodUsage
from tests.support.builders import container, pod
from tests.support.examples import examples

LEAST, SOFT_LEAST, RECLAIM, GRACE_S, TRANSITION_S = 10, 20, 5, 60.0, 300.0
THRESHOLDS = read_thresholds(
    [f"memory.available<{LEAST}"],
    [f"memory.available<{SOFT_LEAST}"],
    [f"memory.available={GRACE_S:g}s"],
    [f"memory.available={RECLAIM}"],
)
LOOKS = st.lists(
    st.tuples(st.sampled_from([10.0, 50.0, 250.0]), st.integers(0, 40)), min_size=1, max_size=30
)  # seconds since the last look, what is left then


def _is_wanting(history: list[tuple[float, int]], least: int, grace_s: float) -> bool:
    """Whether a threshold is due now, told from all looks anew."""
    since_s: float | None = None
    is_due = False
    for at_s, left in history:
        if left < least or (is_due and left < least + RECLAIM):
            since_s = at_s if since_s is None else since_s
        else:
            since_s = None
        is_due = since_s is not None and at_s - since_s >= grace_s
    return is_due


@examples(150)
@given(LOOKS)
def test_pods_go_only_for_what_is_short_for_long_enough(looks: list[tuple[float, int]]):
    """Each look gives what all looks until then say, and a condition holds from the first look at it until long after the last."""
    pressure, now_s, history, last_s = Pressure(), 0.0, list[tuple[float, int]](), -1e9
    for pause_s, left in looks:
        now_s += pause_s
        history.append((now_s, left))
        pressure = looked(pressure, THRESHOLDS, {Signal.MEMORY: Observed(left, 100)}, now_s)
        hard, soft = _is_wanting(history, LEAST, 0.0), _is_wanting(history, SOFT_LEAST, GRACE_S)
        urgent = most_urgent(pressure)
        assert (urgent is not None) == (hard or soft)
        if urgent is not None:
            assert (urgent.grace_s is None) == hard
        if pressure.now:
            last_s = now_s
        holds = "MemoryPressure" in conditions(pressure, TRANSITION_S, now_s)
        assert holds == (now_s - last_s < TRANSITION_S)
        if left < SOFT_LEAST:
            assert holds


PODS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0, 0, 1, 2_000_000_000]), st.integers(-1, 6)), max_size=8
)  # requested, priority, used (-1: nobody knows)


@examples(150)
@given(PODS)
def test_nobody_goes_before_one_that_is_worse(rows: list[tuple[int, int, int]]):
    """Who keeps to its requests goes after all who do not; among these nobody of a higher priority goes first."""
    pods = [
        pod(f"p{number}", containers=[container(requests={"memory": str(asked)})], priority=priority)
        for number, (asked, priority, _) in enumerate(rows)
    ]
    usages = {
        each.metadata.uid: PodUsage(memory_bytes=used)
        for each, (_, _, used) in zip(pods, rows, strict=True)
        if used >= 0
    }
    ranked = rank(Signal.MEMORY, pods, usages)
    assert sorted(each.metadata.name for each in ranked) == sorted(
        each.metadata.name for each in pods if not is_critical(each)
    )
    numbers = [int(each.metadata.name[1:]) for each in ranked]
    for first, second in pairwise(numbers):
        (asked, priority, used), (other_asked, other_priority, other_used) = rows[first], rows[second]
        if used >= 0 and other_used >= 0:
            assert (used > asked) >= (other_used > other_asked)
            if (used > asked) == (other_used > other_asked):
                assert priority <= other_priority
                assert priority < other_priority or used - asked >= other_used - other_asked
