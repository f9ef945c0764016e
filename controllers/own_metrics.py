"""What the controllers tell of themselves on /metrics, by the names that kube-controller-manager has for it.

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controllers.core.actions import Count
from machinery.client.queue_tally import BUCKETS_S, Durations
from machinery.client.workqueue import WorkQueue
from machinery.process.metrics import Metrics, described, histogram_lines, sample

_NAME: Final = ("name",)
_Number = Callable[[WorkQueue[Any]], float]
_NUMBERS: Final[tuple[tuple[str, str, str, _Number], ...]] = (
    ("workqueue_depth", "Keys that wait for a worker", "gauge", len),
    ("workqueue_adds_total", "Keys that were added", "counter", lambda queue: queue.tally.adds),
    (
        "workqueue_retries_total",
        "Keys that come again after a failure",
        "counter",
        lambda queue: queue.tally.retries,
    ),
    (
        "workqueue_unfinished_work_seconds",
        "Seconds that the keys under way have been with their workers, added up",
        "gauge",
        lambda queue: sum(queue.unfinished_s()),
    ),
    (
        "workqueue_longest_running_processor_seconds",
        "Seconds that the longest key under way has been with its worker",
        "gauge",
        lambda queue: max(queue.unfinished_s(), default=0.0),
    ),
)
_DURATIONS: Final[tuple[tuple[str, str, Callable[[WorkQueue[Any]], Durations]], ...]] = (
    (
        "workqueue_queue_duration_seconds",
        "Seconds that keys waited for a worker",
        lambda queue: queue.tally.waited,
    ),
    (
        "workqueue_work_duration_seconds",
        "Seconds that workers took for a key",
        lambda queue: queue.tally.worked,
    ),
)


@dataclass(frozen=True, slots=True)
class OwnMetrics:
    """Looks when it is asked; implements `machinery.process.metrics.Measured`."""

    manager: str
    queues: Mapping[str, WorkQueue[Any]]  # by the controller's name
    is_leading: Callable[[], bool]

    def lines(self) -> Iterator[str]:
        """Yield the lines of every metric."""
        yield from described("leader_election_master_status", "Whether this process leads", "gauge")
        leading = self.is_leading()
        yield sample("leader_election_master_status", _NAME, (self.manager,), int(leading))
        yield from described("running_managed_controllers", "Which controllers are at work", "gauge")
        for name in self.queues:
            yield sample(
                "running_managed_controllers", ("manager", "name"), (self.manager, name), int(leading)
            )
        yield from _of_queues([(_queue_name(name), queue) for name, queue in self.queues.items()])


def count_in(metrics: Metrics, count: Count) -> None:
    """Count what a plan wants to be counted."""
    metric = count.metric
    if metric.buckets:
        found = metrics.histogram(metric.name, metric.text, metric.labels, metric.buckets)
        found.observe(count.amount, *count.values)
    else:
        metrics.counter(metric.name, metric.text, metric.labels).add(count.amount, *count.values)


def _queue_name(controller: str) -> str:
    """Return what kube-controller-manager calls the queue: `replicaset` for `replicaset-controller`."""
    return controller.removesuffix("-controller").replace("-", "_")


def _of_queues(queues: Collection[tuple[str, WorkQueue[Any]]]) -> Iterator[str]:
    for metric, text, kind, number in _NUMBERS:
        yield from described(metric, text, kind)
        for name, queue in queues:
            yield sample(metric, _NAME, (name,), number(queue))
    for metric, text, durations in _DURATIONS:
        yield from described(metric, text, "histogram")
        for name, queue in queues:
            took = durations(queue)
            yield from histogram_lines(metric, _NAME, (name,), BUCKETS_S, took.counts, took.total_s)
