"""What the controllers tell of themselves (`controllers.own_metrics`)."""

from __future__ import annotations

from controllers.core.actions import Count, Metric
from controllers.own_metrics import OwnMetrics, count_in
from machinery.client.workqueue import WorkQueue
from machinery.process.metrics import Metrics
from tests.support.virtual_clock import VirtualClock


async def test_queues_are_told_by_the_names_that_others_know():
    """Depth, adds, retries and durations of each, and whether this process leads."""
    clock = VirtualClock()
    queue, idle = WorkQueue[str](clock), WorkQueue[str](clock)
    for key in ("a", "b", "c"):
        queue.add(key)
    assert await queue.get() == "a"
    await clock.sleep(0.5)
    queues = {"endpoint-slice-controller": queue, "job-controller": idle}
    lines = list(OwnMetrics("kube-controller-manager", queues, lambda: True).lines())
    for line in (
        'leader_election_master_status{name="kube-controller-manager"} 1',
        'running_managed_controllers{manager="kube-controller-manager",name="job-controller"} 1',
        'workqueue_depth{name="endpoint_slice"} 2',
        'workqueue_adds_total{name="endpoint_slice"} 3',
        'workqueue_retries_total{name="job"} 0',
        'workqueue_longest_running_processor_seconds{name="endpoint_slice"} 0.5',
        'workqueue_queue_duration_seconds_count{name="endpoint_slice"} 1',
        'workqueue_work_duration_seconds_count{name="endpoint_slice"} 0',
    ):
        assert line in lines
    assert len(lines) == len(set(lines))


def test_what_plans_count_is_told():
    """Counters and histograms, by their labels."""
    metrics = Metrics()
    ended, skew = Metric("ended_total", "Ended", ("result",)), Metric("skew_seconds", "Skew", (), (1.0, 2.0))
    for count in (Count(ended, ("failed",)), Count(ended, ("failed",), 2), Count(skew, amount=1.5)):
        count_in(metrics, count)
    lines = metrics.render().splitlines()
    for line in (
        'ended_total{result="failed"} 3',
        'skew_seconds_bucket{le="1"} 0',
        'skew_seconds_bucket{le="2"} 1',
        "skew_seconds_sum 1.5",
    ):
        assert line in lines
