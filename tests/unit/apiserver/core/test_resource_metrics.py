"""NodeMetrics and PodMetrics, as objects and as tables."""

from __future__ import annotations

import pytest

from apiserver.core.resource_metrics import Usage, node_metrics, pod_metrics
from apiserver.core.table import Moment, metrics
from machinery.model.clock import Timescale
from machinery.model.go_numbers import format_duration, parse_duration

NOW = "2026-01-01T00:00:00Z"
END_NS = 1_767_225_600 * 10**9
MI = 1024 * 1024


def test_a_pods_metrics():
    """Containers are in the order of their names; the time is that of the one that was looked at first; a window is cluster time."""
    later = Usage(END_NS + 3 * 10**9, 10**9, 1_500_000_000, 64 * MI)
    containers = [("side", later), ("main", Usage(END_NS, 15 * 10**9, 250_000_000, 4097))]
    found = pod_metrics(("default", "web"), {"app": "web"}, containers, NOW, Timescale(2))
    assert found == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "creationTimestamp": NOW,
            "labels": {"app": "web"},
        },
        "timestamp": NOW,
        "window": "30s",
        "containers": [
            {"name": "main", "usage": {"cpu": "250m", "memory": "4097"}},
            {"name": "side", "usage": {"cpu": "1500m", "memory": "64Mi"}},
        ],
    }
    assert metrics.POD_METRICS.row(found, Moment(0)) == ["web", "1750m", "67112961", "30s"]


def test_a_nodes_metrics():
    """A node has no containers of its own."""
    found = node_metrics("n", {}, Usage(END_NS, 10_062_000_000, 12_345, 8 * 1024), NOW, Timescale())
    assert found["metadata"] == {"name": "n", "creationTimestamp": NOW}
    assert (found["window"], found["usage"]) == ("10.062s", {"cpu": "12345n", "memory": "8Ki"})
    assert metrics.NODE_METRICS.row(found, Moment(0)) == ["n", "12345n", "8Ki", "10.062s"]
    assert [column.name for column in metrics.NODE_METRICS.columns] == ["Name", "cpu", "memory", "Window"]


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (60, "1m0s"), (90.25, "1m30.25s"), (3605, "1h0m5s")],
)
def test_durations_are_written_as_they_are_read(duration_s: float, text: str):
    """As Go writes them."""
    assert format_duration(duration_s) == text
    assert parse_duration(text) == pytest.approx(duration_s)
