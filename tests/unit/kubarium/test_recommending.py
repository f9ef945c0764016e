"""What containers should request, by the rules of VerticalPodAutoscalers' recommender."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubarium.cli import recommended
from kubarium.core.recommending import CPU, DAY_S, MEMORY, Histogram, Notes, Seen, read_notes, recommend
from tests.support.examples import examples

MI = 2**20


def seen(cores: Sequence[float], every_s: float = 60.0, memory: float = 100 * MI) -> Seen:
    """Return what was seen of one pod that requests 100m."""
    found = Seen()
    for number, each in enumerate(cores):
        found.sample("pod", number * every_s, each, memory, 0.1)
    return found


def test_buckets_grow_by_a_twentieth():
    """Each value lies in its bucket; what is too large is in the last one."""
    assert [CPU.find(value) for value in (0.0, 0.0009, 0.00101, 0.00204, 0.00206)] == [0, 0, 1, 1, 2]
    assert CPU.begin(1) == pytest.approx(0.001)
    assert CPU.begin(2) == pytest.approx(0.00205)
    assert MEMORY.find(1e15) == MEMORY.count - 1


@examples(50)
@given(st.floats(0, 900))
def test_a_value_lies_in_its_bucket(value: float):
    """Between its begin and the next one's."""
    bucket = CPU.find(value)
    assert CPU.begin(bucket) <= value * (1 + 1e-9)
    assert value <= CPU.begin(bucket + 1) * (1 + 1e-9)


def test_what_is_a_day_older_counts_half():
    """Two samples of yesterday weigh as much as one of today."""
    histogram = Histogram(CPU)
    histogram.add(1.0, 2.0, 0.0)
    histogram.add(0.1, 1.001, DAY_S)
    assert histogram.percentile(0.5) == pytest.approx(0.1, rel=0.15)
    histogram.add(1.0, 0.01, DAY_S)
    assert histogram.percentile(0.5) > 1.0
    histogram.add(0.1, 1.0, 300 * DAY_S)  # the weights do not overflow, and all else is forgotten
    assert histogram.percentile(0.99) < 0.12
    assert all(weight < 1e40 for weight in histogram.weights.values())


def test_the_target_is_the_90th_percentile_and_15_percent_more():
    """Of CPU; bounds are wide where little is known, and narrow after days."""
    short = recommend(seen([0.1] * 85 + [0.5] * 15), 1)
    assert short.target.cpu_millicores == pytest.approx(500 * 1.15, rel=0.1)
    assert short.upper.cpu_millicores > 10 * short.target.cpu_millicores
    long = recommend(seen([0.1] * 85 * 60 + [0.5] * 15 * 60), 1)
    assert long.target.cpu_millicores == pytest.approx(500 * 1.15, rel=0.1)
    assert long.lower.cpu_millicores == pytest.approx(100 * 1.15, rel=0.1)
    assert long.upper.cpu_millicores < 2 * long.target.cpu_millicores


def test_memory_is_the_peak_of_each_day():
    """A leak does not count twice, and a short peak counts as much as a long one."""
    found = Seen()
    for number in range(100):
        found.sample("pod", number * 60.0, 0.1, (300 + number) * MI, 0.1)
    assert sum(found.memory.weights.values()) == pytest.approx(1.0)
    assert recommend(found, 1).target.memory_bytes == pytest.approx(399 * MI * 1.15, rel=0.1)
    found.sample("pod", DAY_S + 60, 0.1, 10 * MI, 0.1)
    assert len(found.memory.weights) == 2


def test_nobody_gets_less_than_the_least():
    """Of a pod 25m and 250Mi, which its containers share."""
    found = recommend(seen([0.0] * 10, memory=MI), 2)
    assert (found.target.cpu_millicores, found.target.memory_bytes) == (12, 125 * MI)


@examples(30)
@given(st.lists(st.floats(0, 8), min_size=1, max_size=50))
def test_bounds_lie_around_the_target(cores: list[float]):
    """Whatever was seen."""
    found = recommend(seen(cores), 1)
    for name in ("cpu_millicores", "memory_bytes"):
        low, mid, high = (getattr(each, name) for each in (found.lower, found.target, found.upper))
        assert low <= mid <= high


@pytest.mark.parametrize(
    "document",
    [{}, {"version": 1, "containers": [], "seen": []}, [], {"version": 2, "containers": [], "seen": [{}]}],
)
def test_what_is_no_notes_says_so(document: Any):
    """Whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        read_notes(document)


def test_they_are_shown_as_vpas_have_them():
    """As a table for people; for programs one document a workload."""
    notes = Notes({("default", "Deployment", "web", name): seen([0.2] * 9) for name in ("main", "side")})
    shown = recommended.written(notes.recommendations(), "table").splitlines()
    assert shown[0].split()[:3] == ["NAMESPACE", "WORKLOAD", "CONTAINER"]
    assert shown[1].split()[:3] == ["default", "Deployment/web", "main"]
    [document] = json.loads(recommended.written(notes.recommendations(), "json"))
    assert (document["kind"], document["name"]) == ("Deployment", "web")
    assert [each["containerName"] for each in document["containerRecommendations"]] == ["main", "side"]
    assert set(document["containerRecommendations"][0]) == {
        "containerName",
        "lowerBound",
        "target",
        "upperBound",
    }
    assert "kind: Deployment" in recommended.written(notes.recommendations(), "yaml")
    assert recommended.written([], "table") == "no pod was seen that runs\n"
    assert read_notes(notes.to_json()) == notes
