"""What the scheduler tells of itself on /metrics, and of pods on /metrics/resources, by the names that kube-scheduler has for it.

https://kubernetes.io/docs/reference/instrumentation/metrics/
How long points of a decision take is looked at in every tenth of them: a decision takes less time than the looking should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import Pod
from machinery.process.control import Answer
from machinery.process.metrics import Histogram, Metrics, described, sample
from scheduler.core.pod_resources import resource_metrics
from scheduler.core.queue import QueuedPod, SchedulingQueue, Where
from scheduler.core.schedule import Mark, no_mark

_EVERY: Final = 10  # decisions
_MOST_ATTEMPTS: Final = 15  # that are told apart
_QUEUES: Final = {
    Where.ACTIVE: "active",
    Where.BACKOFF: "backoff",
    Where.UNSCHEDULABLE: "unschedulable",
    Where.GATED: "gated",
}
_PENDING: Final = "scheduler_pending_pods"
_INCOMING: Final = "scheduler_queue_incoming_pods_total"


def _doubling(first: float, count: int) -> tuple[float, ...]:
    return tuple(first * 2**power for power in range(count))


class SchedulerMetrics:
    """Counts attempts to schedule pods, and how long they and their parts took."""

    def __init__(self, metrics: Metrics, queue: SchedulingQueue, clock: Clock) -> None:
        self._clock = clock
        self._decisions = 0
        self._attempts = metrics.counter(
            "scheduler_schedule_attempts_total",
            "Attempts to schedule pods, by their result",
            ("profile", "result"),
        )
        self._took = metrics.histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "Wall seconds of an attempt, its binding included",
            ("profile", "result"),
            _doubling(0.001, 15),
        )
        self._tries = metrics.histogram(
            "scheduler_pod_scheduling_attempts",
            "Attempts that pods took to be bound",
            buckets=_doubling(1, 5),
        )
        self._waited = metrics.histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "Cluster seconds from a pod's first attempt to its binding",
            ("attempts",),
            _doubling(0.01, 20),
        )
        self._points = metrics.histogram(
            "scheduler_framework_extension_point_duration_seconds",
            "Wall seconds that an extension point took, all its plugins together",
            ("extension_point", "status", "profile"),
            _doubling(0.0001, 12),
        )
        self._preemptions = metrics.counter(
            "scheduler_preemption_attempts_total", "Attempts to have pods of lower priority go"
        )
        metrics.add(_OfQueue(queue))

    def attempted(self, item: QueuedPod, result: str) -> None:
        """Count an attempt that has ended: scheduled, unschedulable or error."""
        profile, now_s = item.pod.scheduler_name, self._clock.monotonic()
        self._attempts.add(1, profile, result)
        self._took.observe(self._clock.timescale.wall(now_s - item.tried_s), profile, result)
        if result == "scheduled":
            tries = item.attempts
            self._tries.observe(tries)
            label = str(tries) if tries < _MOST_ATTEMPTS else f"{_MOST_ATTEMPTS}+"
            self._waited.observe(now_s - item.first_tried_s, label)

    def preempts(self) -> None:
        """Count an attempt to have others go."""
        self._preemptions.add()

    def sampled(self, profile: str) -> Mark:
        """Return what notes how long the points of a decision take that begins now; of most it notes nothing."""
        self._decisions += 1
        return no_mark if self._decisions % _EVERY else self.stopwatch(profile)

    def stopwatch(self, profile: str) -> Mark:
        """Return what notes the end of one extension point after the other, of which the first begins now."""
        return _Stopwatch(self._points, profile, self._clock.monotonic_wall).mark


class PodResources:
    """The page /metrics/resources; implements `machinery.process.control.Pages`."""

    def __init__(self, pods: Callable[[], Iterable[Pod]]) -> None:
        self._pods = pods

    def answer(self, method: str, _path: str, _body: bytes) -> Answer:
        """Return what pods request and are limited to."""
        if method != "GET":
            return Answer(405, b"GET")
        return Answer(200, resource_metrics(self._pods()).encode())


class _Stopwatch:
    def __init__(self, points: Histogram, profile: str, now: Callable[[], float]) -> None:
        self._points = points
        self._profile = profile
        self._now = now
        self._begun_s = now()

    def mark(self, point: str, status: str) -> None:
        ended_s = self._now()
        self._points.observe(ended_s - self._begun_s, point, status, self._profile)
        self._begun_s = ended_s


class _OfQueue:
    """Looks at the queue when it is asked; implements `machinery.process.metrics.Measured`."""

    def __init__(self, queue: SchedulingQueue) -> None:
        self._queue = queue

    def lines(self) -> Iterator[str]:
        yield from described(_PENDING, "Pods that wait for a node, by the part of the queue", "gauge")
        counts = self._queue.counts()
        for where, name in _QUEUES.items():
            yield sample(_PENDING, ("queue",), (name,), counts[where])
        yield from described(
            _INCOMING, "Pods that came into a part of the queue, by what brought them", "counter"
        )
        for where, numbers in self._queue.incoming().items():
            for event, number in numbers.items():
                yield sample(_INCOMING, ("event", "queue"), (event, _QUEUES[where]), number)
